"""How the network cuts a stream, ends its lines or keeps it alive makes no difference to the client."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.relay import AnswerShape, Lane, StreamRelay
from apps.inference.translated import TranslatedLane
from apps.inference.verbatim import VERBATIM_WIRES, VerbatimLane
from tests.protocols.cases import CASES, IDENTITY, SSE_CASES, USAGE, WIRES, Case, portions, price
from tests.surfaces import SURFACES, Surface, ask, read_events, texts_of, without_identity

MANNERS = [
    "split=1",
    "split=7",
    "crlf",
    "comments",
    "crlf+split=1",
    "comments+crlf+split=3",
    "lines",
    "lines+crlf",
]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def asking_for_tools(surface: Surface, model: str):
    """A body whose answer has two parallel calls."""
    tools = [
        {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
        if surface is Surface.CHAT
        else {"name": name, "input_schema": SCHEMA}
        for name in ("weather", "population")
    ]
    return surface.body(model, "Use weather and population — ☂ 人口", stream=True, tools=tools)


# Through the gateway, from a host that really writes so.


@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/claude", "sandbox/reasoner"])
@pytest.mark.parametrize("manner", MANNERS)
def test_client_gets_the_same_stream_when_the_host_writes_it_otherwise(
    gateway, customer, upstream, surface, model, manner
):
    client = gateway.client(customer)
    plain = ask(client, surface, surface.body(model, "Grüße, 世界 🌍", stream=True))

    other = ask(client, surface, surface.body(f"{model}+{manner}", "Grüße, 世界 🌍", stream=True))

    assert plain.text == other.text == "You said: Grüße, 世界 🌍"
    assert without_identity(other.events) == without_identity(plain.events)
    assert other.is_finished


@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/claude"])
@pytest.mark.parametrize("manner", ["split=1", "crlf+split=7"])
def test_client_gets_the_same_tool_calls_when_the_host_writes_them_otherwise(
    gateway, customer, upstream, surface, model, manner
):
    client = gateway.client(customer)
    plain = ask(client, surface, asking_for_tools(surface, model))

    other = ask(client, surface, asking_for_tools(surface, f"{model}+{manner}"))

    assert "weather" in str(plain.events)
    assert "population" in str(plain.events)
    assert without_identity(other.events) == without_identity(plain.events)


# The lanes alone, without a socket.


CLIENT_WIRES = [wire for wire in WIRES if wire is not Wire.BEDROCK_CONVERSE]
"""What clients speak: no surface of ours speaks Amazon's wire."""


def lane_of(client: Wire, host: Wire) -> Lane:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hello"}],
        "input": "Hello",
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    }
    if client is host and client in VERBATIM_WIRES:
        return VerbatimLane(client, body)
    return TranslatedLane(client, host, body)


def relay_of(client: Wire, host: Wire) -> StreamRelay:
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
    return lane_of(client, host).stream(shape)


def relayed(client: Wire, host: Wire, pieces: list[bytes]) -> tuple[bytes, object]:
    """The client's bytes, and everything that billing and routing saw."""
    relay = relay_of(client, host)
    sent = b"".join([relay.feed(piece) for piece in pieces]) + relay.end()
    return sent + relay.finish(USAGE), relay.tally


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("client", CLIENT_WIRES, ids=lambda wire: f"to-{wire.value}")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_lane_gives_the_same_bytes_when_fed_in_portions(case: Case, client: Wire, size: int):
    whole = relayed(client, case.wire, [case.stream])

    cut = relayed(client, case.wire, portions(case.stream, size))

    assert cut == whole


@pytest.mark.parametrize("client", CLIENT_WIRES, ids=lambda wire: f"to-{wire.value}")
@pytest.mark.parametrize("case", SSE_CASES, ids=str)
def test_lane_gives_the_same_bytes_when_lines_end_with_crlf(case: Case, client: Wire):
    whole = relayed(client, case.wire, [case.stream])

    other = relayed(client, case.wire, portions(case.stream.replace(b"\n", b"\r\n"), 5))

    assert other == whole


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_lane_gives_the_same_bytes_when_split_anywhere(data: st.DataObject):
    case = data.draw(st.sampled_from(CASES))
    client = data.draw(st.sampled_from(CLIENT_WIRES))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(case.stream)), max_size=12)))
    edges = [0, *cuts, len(case.stream)]
    pieces = [case.stream[start:end] for start, end in pairwise(edges)]

    assert relayed(client, case.wire, pieces) == relayed(client, case.wire, [case.stream])


@pytest.mark.parametrize("client", CLIENT_WIRES, ids=lambda wire: f"to-{wire.value}")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_lane_has_counted_content_when_it_hands_it_out(case: Case, client: Wire):
    """A stream commits to a host on its first content, so the tally must never be behind the bytes."""
    relay = relay_of(client, case.wire)

    for piece in portions(case.stream, 1):
        events, _ = read_events(relay.feed(piece))
        text = "".join(text for event in events for text in texts_of(event))
        assert relay.tally.has_content or not text
    relay.end()

    assert relay.tally.finish_reason


@pytest.mark.parametrize("usage", ["[1]", '"many"', "7", "null", '{"input_tokens": -5}'])
@pytest.mark.parametrize("client", CLIENT_WIRES, ids=lambda wire: f"to-{wire.value}")
def test_lane_goes_on_when_the_first_usage_is_nonsense(client: Wire, usage: str):
    """Only the last report counts; of the first one nothing reaches the client."""
    start = (
        f'data: {{"type":"message_start","message":{{"id":"a","model":"b","usage":{usage}}}}}\n\n'
    )

    sent, _ = relayed(client, Wire.ANTHROPIC_MESSAGES, [start.encode()])

    assert b"-5" not in sent
    assert usage.encode() not in sent or usage in {"7", "null"}


@pytest.mark.parametrize("later", ["{}", "null"])
@pytest.mark.parametrize(
    "choices", ["[]", '[{"index":0,"delta":{}}]'], ids=["bare", "with a choice"]
)
@pytest.mark.parametrize("client", CLIENT_WIRES, ids=lambda wire: f"to-{wire.value}")
def test_lane_keeps_the_usage_when_a_later_chunk_has_an_empty_one(
    client: Wire, choices: str, later: str
):
    """Some hosts put an empty usage into every record, also into those after the one that counts."""
    chunks = (
        '{"id":"a","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}',
        '{"id":"a","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}',
        f'{{"id":"a","choices":{choices},"usage":{later}}}',
        "[DONE]",
    )
    relay = relay_of(client, Wire.OPENAI_CHAT)

    relay.feed("".join(f"data: {chunk}\n\n" for chunk in chunks).encode())
    relay.end()

    assert relay.tally.usage == Usage(input=9, output=2)
    assert not relay.tally.usage_rejected
    events, _ = read_events(relay.finish(Usage(input=9, output=2)))
    assert [usage for event in events if (usage := usage_in(event))]


def usage_in(event: dict[str, Any]) -> Any:
    """Wherever the wire puts it."""
    response = event.get("response") or {}
    return event.get("usage") or event.get("usageMetadata") or response.get("usage")
