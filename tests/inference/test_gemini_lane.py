"""The verbatim lane of generateContent: what goes to the host, what comes back, and what billing sees of it."""

import json
import time
from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Endpoint, Wire
from apps.common import errors
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.events import BlockKind
from apps.inference.canonical.signatures import cover
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VerbatimLane
from apps.inference.verbatim_gemini import GeminiStream
from apps.keys.models import Environment
from tests.hosting import Host
from tests.protocols.cases import CASES, IDENTITY, USAGE, Case, portions, price
from tests.surfaces import read_events

WIRE = Wire.GEMINI
OWN = [case for case in CASES if case.wire is WIRE]
SHAPE = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
PATH = Endpoint(WIRE, "/models/{model}:generateContent")
HELLO = [{"role": "user", "parts": [{"text": "Hello there"}]}]


def sent(contents: Any = None, **fields: Any) -> dict[str, Any]:
    body = {"model": "acme/m", "stream": True, "contents": contents or HELLO, **fields}
    found: dict[str, Any] = orjson.loads(VerbatimLane(WIRE, body).outgoing("m", PATH, ()).body)
    return found


def relay_of() -> GeminiStream:
    relay = VerbatimLane(WIRE, {}).stream(SHAPE)
    assert isinstance(relay, GeminiStream)
    return relay


def relayed(stream: bytes, size: int = 4096) -> tuple[bytes, GeminiStream]:
    relay = relay_of()
    out = b"".join([relay.feed(piece) for piece in portions(stream, size)]) + relay.end()
    return out, relay


def chunk(*parts: dict[str, Any], finish: str = "", index: int = 0, **fields: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    candidate |= {"finishReason": finish} if finish else {}
    body = {"candidates": [candidate], "modelVersion": "g-1", "responseId": "r1", **fields}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def renamed(chunk: dict[str, Any]) -> dict[str, Any]:
    return {**chunk, "modelVersion": IDENTITY.model, "responseId": IDENTITY.id}


# What goes to the host.


def test_only_what_speaks_to_the_gateway_or_stands_in_the_path_is_taken_out():
    config = {"maxOutputTokens": 9, "brandNew": {"a": [1]}, "top_k": 4}

    body = sent(generation_config=config, cachedContent="cachedContents/1", max_cost=1, labels={})

    assert body == {
        "contents": HELLO,
        "generation_config": config,
        "cachedContent": "cachedContents/1",
        "labels": {},
    }


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
def test_signatures_of_other_wires_stay_behind(name):
    def signed(origin: Wire, kind: BlockKind) -> dict[str, str]:
        return {name: cover("c2ln", origin=origin, kind=kind)}

    foreign = signed(Wire.ANTHROPIC_MESSAGES, BlockKind.REASONING)
    call = {"functionCall": {"name": "weather", "args": {}}}
    thought = {"text": "hm", "thought": True}
    own = {"text": "ok", name: "c2ln"}

    body = sent(
        [
            {"role": "model", "parts": [{**thought, **foreign}]},
            {"role": "model", "parts": [{**thought, **foreign}, {**call, **foreign}, own, thought]},
            {"role": "model", "parts": [{**call, **signed(WIRE, BlockKind.TOOL_CALL)}]},
        ]
    )

    assert body["contents"] == [
        {"role": "model", "parts": [call, own, thought]},
        {"role": "model", "parts": [{**call, name: "c2ln"}]},
    ]


# What comes back.


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("case", OWN, ids=str)
def test_chunks_travel_on_under_their_new_name(case: Case, size: int):
    written, _ = read_events(case.stream)

    out, relay = relayed(case.stream, size)
    assert relay.tally.usage is not None
    received, _ = read_events(out + relay.finish(relay.tally.usage))

    assert received[:-1] == [renamed(event) for event in written[:-1]]
    usage = received[-1].pop("usageMetadata")
    assert usage.items() >= written[-1].pop("usageMetadata").items()
    assert usage["cost"] == 0.00125
    assert received[-1] == renamed(written[-1])


@pytest.mark.parametrize("case", OWN, ids=str)
def test_chunks_are_passed_on_as_bytes(case: Case):
    out, _ = relayed(case.stream)

    said = case.stream.split(b"\n\n")[0].partition(b"usageMetadata")[0]
    assert out.startswith(said) or not out


@pytest.mark.parametrize("case", OWN, ids=str)
def test_whole_answer_is_the_hosts_own_and_counts_as_its_stream_does(case: Case):
    _, relay = relayed(case.stream)
    answer = VerbatimLane(WIRE, {}).answer(SHAPE)

    answer.read(orjson.dumps(case.response), "application/json")

    assert answer.tally.usage == relay.tally.usage
    assert answer.tally.finish_reason == relay.tally.finish_reason
    assert answer.tally.has_content == relay.tally.has_content
    assert answer.tally.output_bytes == relay.tally.output_bytes
    assert answer.tally.usage is not None
    body = orjson.loads(answer.finish(answer.tally.usage))
    usage = body.pop("usageMetadata")
    assert usage.items() >= case.response["usageMetadata"].items()
    assert usage["cost"] == 0.00125
    assert body == {k: v for k, v in renamed(case.response).items() if k != "usageMetadata"}


def test_further_candidates_and_what_nobody_knows_travel_on():
    stream = chunk({"text": "a"}, index=1, brandNew=7) + chunk({"newPart": {}}, finish="STOP")
    stream += chunk({"text": "b"}, finish="MAX_TOKENS", index=1)

    out, relay = relayed(stream)
    events, _ = read_events(out + relay.finish(USAGE))

    assert [event["candidates"][0]["index"] for event in events] == [1, 0, 1]
    assert events[0]["brandNew"] == 7
    assert events[1]["candidates"][0]["content"]["parts"] == [{"newPart": {}}]
    assert relay.tally.output_bytes == 2


def test_stream_is_not_complete_while_a_candidate_is_open():
    _, relay = relayed(chunk({"text": "a"}, index=1) + chunk({"text": "b"}, finish="STOP"))

    assert relay.tally.open_choices == {1}


def test_usage_that_follows_the_finish_reason_counts():
    trailing = b'data: {"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}\n\n'

    out, relay = relayed(chunk({"text": "a"}, finish="STOP") + trailing)

    assert relay.tally.usage is not None
    assert relay.tally.usage.total == 9
    first, last = read_events(out + relay.finish(relay.tally.usage))[0]
    assert "usageMetadata" not in first
    assert (last["usageMetadata"]["promptTokenCount"], last["usageMetadata"]["cost"]) == (
        7,
        0.00125,
    )


@pytest.mark.parametrize(
    "usage", [{"trafficType": "ON_DEMAND"}, {"promptTokenCount": 7}, {"promptTokenCount": -5}, 7]
)
def test_counts_that_do_not_hold_what_was_said_are_no_bill(usage):
    """Vertex AI tells the kind of traffic in every chunk, and the numbers in the last."""
    _, relay = relayed(chunk({"text": "a"}, usageMetadata=usage))

    assert (relay.tally.usage, relay.tally.usage_rejected) == (None, False)


def test_thoughts_that_are_not_shown_are_billed_when_the_client_leaves():
    counts = {"promptTokenCount": 7, "thoughtsTokenCount": 500, "candidatesTokenCount": 1}

    _, relay = relayed(chunk({"text": "a"}, usageMetadata=counts))

    assert relay.tally.usage is not None
    assert (relay.tally.usage.reasoning, relay.tally.usage.output) == (500, 1)


@pytest.mark.parametrize("usage", [{"promptTokenCount": -5}, 7, {"promptTokenCount": 1.5}])
def test_absurd_usage_gives_way_to_our_own(usage):
    _, relay = relayed(chunk({"text": "a"}, finish="STOP", usageMetadata=usage))

    assert (relay.tally.usage, relay.tally.usage_rejected) == (None, True)
    [last] = read_events(relay.finish(USAGE))[0]
    assert last["usageMetadata"]["promptTokenCount"] == USAGE.total_input


def test_arguments_of_a_call_are_not_renamed():
    call = {"functionCall": {"name": "f", "args": {"modelVersion": "g-1", "responseId": "r1"}}}

    out, relay = relayed(chunk(call))

    [event] = read_events(out)[0]
    assert event["candidates"][0]["content"]["parts"] == [call]
    assert (event["modelVersion"], event["responseId"]) == (IDENTITY.model, IDENTITY.id)
    assert relay.tally.has_content


@pytest.mark.parametrize(
    "spelled",
    [
        b'data: {"responseId"\t: "r1",\ndata: "modelVersion": "g-1"}\n\n',
        b'data: {"responseId":"r\\u0031","modelVersion":"g-1"}\n\n',
    ],
)
def test_chunk_that_is_spelled_oddly_is_renamed_too(spelled):
    out, _ = relayed(spelled)

    assert read_events(out)[0] == [{"responseId": IDENTITY.id, "modelVersion": IDENTITY.model}]


def test_long_integers_of_the_last_chunk_keep_their_digits():
    _, relay = relayed(chunk({"text": "a"}, finish="STOP", seen=0).replace(b"0}", b"1" * 30 + b"}"))

    assert b'"seen":' + b"1" * 30 in relay.finish(USAGE)


@pytest.mark.parametrize(
    "record",
    [b"{", b"[]", b'{"candidates":7}', b'{"candidates":[{"content":{"parts":["a"]}}]}'],
)
def test_what_is_no_chunk_is_refused(record):
    with pytest.raises(MalformedUpstream):
        relay_of().feed(b"data: " + record + b"\n\n")


def test_answer_that_could_not_be_read_by_google_itself_is_asked_again_unless_it_has_begun():
    broken = chunk(finish="MALFORMED_FUNCTION_CALL")

    _, early = relayed(broken)
    _, late = relayed(chunk({"text": "a"}) + broken)

    assert early.tally.error is not None
    assert late.tally.error is None
    assert late.tally.finish_reason == "MALFORMED_FUNCTION_CALL"


def test_error_in_the_stream_is_found_and_ours_is_googles_envelope():
    error = b'data: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}\n\n'

    out, relay = relayed(chunk({"text": "a"}, finish="STOP") + error)
    closing = relay.fail(errors.UpstreamInvalid("The provider failed."))

    assert relay.tally.error is not None
    [event] = read_events(closing)[0]
    assert (event["error"]["status"], out) == ("INTERNAL", b"")


# Through the gateway.


STREAM, WHOLE = "streamGenerateContent?alt=sse", "generateContent"
both_ways = pytest.mark.parametrize("method", [STREAM, WHOLE])


def ask(gateway: Any, customer: Any, model: str, method: str, **fields: Any) -> Any:
    path = f"/v1beta/models/{model}:{method}"
    return gateway.client(customer).post(path, json={"contents": HELLO, **fields})


def events_of(answer: Any) -> list[dict[str, Any]]:
    is_stream = answer.headers["content-type"].startswith("text/event-stream")
    return read_events(answer.content)[0] if is_stream else [answer.json()]


@both_ways
def test_what_only_google_knows_reaches_the_client_and_is_metered(
    gateway, customer, make_model, method
):
    model = make_model(Host("echo", WIRE))
    hello = [{"role": "user", "parts": [{"text": "Use codeExecution"}]}]
    tools: Any = [{"codeExecution": {}}]

    answer = ask(
        gateway,
        customer,
        model,
        method,
        contents=hello,
        tools=tools,
        generationConfig={"candidateCount": 2},
    )

    events = events_of(answer)
    said = json.dumps(events)
    assert all(word in said for word in ("executableCode", "toolUsePromptTokenCount"))
    found = {candidate["index"] for event in events for candidate in event["candidates"]}
    assert found == {0, 1}
    usage = events[-1]["usageMetadata"]
    (record,) = customer.settled(requests=1)
    assert record.usage_source == "provider"
    assert record.output_tokens == usage["candidatesTokenCount"]
    assert (
        record.input_tokens + record.cache_read_tokens
        == usage["promptTokenCount"] + usage["toolUsePromptTokenCount"]
    )
    assert usage["cost"] == record.charged / 10**9 > 0


@both_ways
def test_grounding_reaches_who_pays_nothing_for_searches(gateway, make_customer, method):
    """Searches have no price of the house's: a test key alone may ask the sandbox for them."""
    tester = make_customer(credit_usd="0", environment=Environment.TEST)
    hello = [{"role": "user", "parts": [{"text": "Use googleSearch"}]}]

    answer = ask(
        gateway, tester, "sandbox/gemini", method, contents=hello, tools=[{"googleSearch": {}}]
    )

    assert "groundingMetadata" in json.dumps(events_of(answer))


@both_ways
def test_cost_is_counted_when_the_host_tells_no_usage(gateway, customer, make_model, method):
    answer = ask(gateway, customer, make_model(Host("echo+nousage", WIRE)), method)

    (record,) = customer.settled(requests=1)
    usage = events_of(answer)[-1]["usageMetadata"]
    assert record.usage_source == "counted"
    assert usage["candidatesTokenCount"] == record.output_tokens > 0
    assert usage["cost"] == record.charged / 10**9


@both_ways
@pytest.mark.parametrize(
    "told", ["status=503", "errorbody", "malformed=0", "cut=0", "empty", "empty=shell"]
)
def test_next_host_answers_when_the_first_fails_before_content(
    gateway, customer, make_model, method, told
):
    model = make_model(Host(f"echo+{told}", WIRE), Host("echo", WIRE))

    answer = ask(gateway, customer, model, method)

    assert answer.status_code == 200
    assert "You" in answer.text
    assert answer.headers["x-gatewayz-provider"] == "second-google-host"
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"


@pytest.mark.parametrize("told", ["cut=2", "malformed=2", "midstream_error=2", "nofinish"])
def test_stream_that_breaks_says_so_in_band_and_is_free(gateway, customer, make_model, told):
    model = make_model(Host(f"echo+lull=200+{told}", WIRE), Host("long+words=30", WIRE))

    answer = ask(gateway, customer, model, STREAM)

    *said, last = events_of(answer)
    assert said
    assert last["error"]["details"][0]["reason"] == "upstream_error"
    assert not any("cost" in event.get("usageMetadata", {}) for event in said)
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


@pytest.mark.parametrize("manner", ["split=1", "split=7", "crlf", "comments+crlf+split=3", "lines"])
def test_stream_is_the_same_however_the_host_writes_it(gateway, customer, make_model, manner):
    def events(told: str) -> list[dict[str, Any]]:
        answer = ask(gateway, customer, make_model(Host(told, WIRE)), STREAM)
        return [
            {**event, "responseId": "", "modelVersion": "", "usageMetadata": ""}
            for event in events_of(answer)
        ]

    assert events(f"echo+{manner}") == events("echo")


def test_host_is_stopped_when_the_client_leaves(gateway, customer, make_model, upstream):
    model = make_model(Host("echo+chunks=200+text=10+interval=20", WIRE))
    path = f"/v1beta/models/{model}:{STREAM}"

    with gateway.client(customer).stream("POST", path, json={"contents": HELLO}) as answer:
        next(answer.iter_bytes())

    deadline = time.monotonic() + 2
    while upstream.stats()["aborted"] != 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.usage_source) == ("client_gone", "provider")
    assert 0 < record.output_tokens < 200
