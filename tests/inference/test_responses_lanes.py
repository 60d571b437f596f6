"""The lanes of Responses without a socket: what goes to the host, what comes back, and what billing sees of it."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from apps.catalog.providers.spec import Endpoint, Wire
from apps.common import errors
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.events import BlockKind
from apps.inference.canonical.signatures import cover
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VerbatimLane
from apps.inference.verbatim_responses import ResponsesStream
from tests.protocols.cases import CASES, IDENTITY, USAGE, Case, portions, price
from tests.protocols.responses_stream import check_stream, events_in

WIRE = Wire.OPENAI_RESPONSES
OWN = [case for case in CASES if case.wire is WIRE]
SHAPE = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
SEALED = {"type": "reasoning", "summary": [], "encrypted_content": "g"}


def sent(**fields: Any) -> dict[str, Any]:
    lane = VerbatimLane(WIRE, {"model": "acme/m", "input": "hi", **fields})
    body: dict[str, Any] = orjson.loads(lane.outgoing("m", Endpoint(WIRE, "/responses"), ()).body)
    return body


def relay_of(shape: AnswerShape = SHAPE) -> ResponsesStream:
    relay = VerbatimLane(WIRE, {}).stream(shape)
    assert isinstance(relay, ResponsesStream)
    return relay


def relayed(stream: bytes, size: int = 4096) -> tuple[bytes, ResponsesStream]:
    relay = relay_of()
    out = b"".join([relay.feed(piece) for piece in portions(stream, size)]) + relay.end()
    return out, relay


def test_host_stores_nothing_and_gives_its_reasoning():
    body = sent(store=True, previous_response_id="resp_1", include=["x"], max_cost=1, brand_new=2)

    assert body == {
        "model": "m",
        "input": "hi",
        "store": False,
        "include": ["x", "reasoning.encrypted_content"],
        "brand_new": 2,
    }


def test_reasoning_that_nobody_has_stored_stays_behind():
    bare: dict[str, Any] = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": None,
    }
    said = {"role": "assistant", "content": "ok"}
    open_thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}

    covered = cover("sig", origin=Wire.ANTHROPIC_MESSAGES, kind=BlockKind.REASONING)
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": covered}

    body = sent(input=[bare, foreign, SEALED, open_thought, said])

    assert body["input"] == [SEALED, open_thought, said]


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("case", OWN, ids=str)
def test_stream_travels_on_under_its_new_name(case: Case, size: int):
    out, relay = relayed(case.stream, size)

    final = check_stream(out + relay.finish(USAGE))

    assert relay.tally.ended
    assert relay.tally.has_content
    assert relay.tally.finish_reason
    assert (final["id"], final["model"]) == (IDENTITY.id, IDENTITY.model)
    assert final["output"] == case.response["output"]
    assert final["usage"]["cost"] == 0.00125


@pytest.mark.parametrize("case", OWN, ids=str)
def test_records_without_a_response_are_not_touched(case: Case):
    out, _ = relayed(case.stream)

    records = [record for record in case.stream.split(b"\n\n") if b'"response":' not in record]

    assert all(record in out for record in records)


@pytest.mark.parametrize("case", OWN, ids=str)
def test_usage_is_the_hosts_own(case: Case):
    _, relay = relayed(case.stream)
    assert relay.tally.usage is not None

    [event] = events_in(relay.finish(relay.tally.usage))

    usage = event["response"]["usage"]
    assert {name: usage[name] for name in case.response["usage"]} == case.response["usage"]
    assert usage["cost_details"]


@pytest.mark.parametrize("case", OWN, ids=str)
def test_whole_answer_counts_as_its_stream_does(case: Case):
    _, relay = relayed(case.stream)
    answer = VerbatimLane(WIRE, {}).answer(SHAPE)

    answer.read(orjson.dumps(case.response), "application/json")

    assert answer.tally.usage == relay.tally.usage
    assert answer.tally.finish_reason == relay.tally.finish_reason
    assert answer.tally.output_bytes == relay.tally.output_bytes
    assert answer.tally.reasoning_bytes == relay.tally.reasoning_bytes
    body = orjson.loads(answer.finish(USAGE))
    assert (body["id"], body["model"]) == (IDENTITY.id, IDENTITY.model)
    assert body["usage"]["cost"] == 0.00125
    assert body["output"] == case.response["output"]


def test_answer_repeats_what_the_client_asked_of_us():
    echo = {"store": True, "previous_response_id": "resp_1"}
    relay = relay_of(replace(SHAPE, identity=replace(IDENTITY, echo=echo)))

    out = relay.feed(Case(WIRE, "text").stream) + relay.finish(USAGE)

    final = check_stream(out)
    assert (final["store"], final["previous_response_id"]) == (True, "resp_1")


def test_cut_stream_has_no_finish():
    stream = Case(WIRE, "text").stream
    cut = stream[: stream.index(b"event: response.completed")]

    _, relay = relayed(cut)

    assert relay.tally.has_content
    assert not relay.tally.ended
    assert not relay.tally.finish_reason


@pytest.mark.parametrize(
    "record",
    [
        b'event: error\ndata: {"type":"error","code":"c","message":"busy","sequence_number":9}\n\n',
        b'data: {"error":{"code":"c","message":"busy"}}\n\n',
        b'data: {"type":"response.failed","response":{"error":{"code":"c","message":"busy"}}}\n\n',
    ],
)
def test_error_of_the_host_is_seen_and_not_passed_on(record: bytes):
    stream = Case(WIRE, "text").stream
    begun = stream[: stream.index(b"event: response.output_text.done")]

    out, relay = relayed(begun + record)

    assert relay.tally.error is not None
    assert (relay.tally.error.code, relay.tally.error.message) == ("c", "busy")
    assert b"busy" not in out


def test_broken_answer_ends_in_a_failed_response():
    stream = Case(WIRE, "text").stream
    out, relay = relayed(stream[: stream.index(b"event: response.output_text.done")])

    final = check_stream(out + relay.fail(errors.UpstreamInvalid("The provider failed.")))

    assert final["status"] == "failed"
    assert final["error"]["code"] == "server_error"
    assert final["instructions"] is None


def test_host_that_sends_no_deltas_is_counted():
    response = Case(WIRE, "text").response
    event = {"type": "response.completed", "sequence_number": 0, "response": response}

    _, relay = relayed(b"data: " + orjson.dumps(event) + b"\n\ndata: [DONE]\n\n")

    assert relay.tally.output_bytes == len("Oslo. 北 — ok".encode())
    assert relay.tally.usage == Usage(input=21, output=9)


def test_hidden_reasoning_alone_is_no_content():
    item = {"type": "response.output_item.done", "output_index": 0, "item": SEALED}

    _, relay = relayed(b"data: " + orjson.dumps(item) + b"\n\n")

    assert not relay.tally.has_content


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"{}", b'{"type":"response.created"}', b'{"type":7}']
)
def test_records_of_no_wire_are_malformed(data: bytes):
    with pytest.raises(MalformedUpstream):
        relayed(b"data: " + data + b"\n\n")


@pytest.mark.parametrize("body", [{}, {"output": [{}]}, {"output": 7}])
def test_answers_of_no_wire_are_malformed(body: dict[str, Any]):
    with pytest.raises(MalformedUpstream):
        VerbatimLane(WIRE, {}).answer(SHAPE).read(orjson.dumps(body), "application/json")


def test_failed_answer_is_an_error():
    answer = VerbatimLane(WIRE, {}).answer(SHAPE)

    answer.read(b'{"status":"failed","error":{"code":"c","message":"busy"}}', "application/json")

    assert answer.tally.error is not None
    assert answer.tally.error.code == "c"
