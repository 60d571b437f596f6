"""Thoughts that Claude's host redacts come back to it unchanged through clients of other formats."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Reasoning, Text
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
)
from apps.inference.canonical.fold import fold
from apps.inference.canonical.signatures import uncover
from apps.inference.protocols import CODECS
from tests.protocols.cases import IDENTITY, USAGE, encode_stream, events_of, price, received

Json = dict[str, Any]

DATA = "EmwKAhgBEgy3va3pzix/LafPsn4="
CLAUDE, AMAZON = Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE
ANSWERS: dict[Wire, Json] = {
    CLAUDE: {
        "content": [
            {"type": "redacted_thinking", "data": DATA},
            {"type": "text", "text": "Yes."},
        ],
        "stop_reason": "end_turn",
    },
    AMAZON: {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"redactedContent": DATA}},
                    {"text": "Yes."},
                ],
            }
        },
        "stopReason": "end_turn",
    },
}
REDACTED = {
    CLAUDE: {"type": "redacted_thinking", "data": DATA},
    AMAZON: {"reasoningContent": {"redactedContent": DATA}},
}
PAIRS = [
    (Wire.OPENAI_RESPONSES, CLAUDE),
    (Wire.GEMINI, CLAUDE),
    (Wire.OPENAI_RESPONSES, AMAZON),
    (Wire.GEMINI, AMAZON),
    (CLAUDE, AMAZON),
]


def conversation(client: Wire, answer: Json) -> Json:
    """The client's next request: what it got, then a question."""
    match client:
        case Wire.OPENAI_RESPONSES:
            return {"model": "m", "input": [{"role": "user", "content": "Sure?"}, *answer["output"], {"role": "user", "content": "Why?"}]}  # fmt: skip
        case Wire.GEMINI:
            ask = [{"role": "user", "parts": [{"text": text}]} for text in ("Sure?", "Why?")]
            return {"contents": [ask[0], answer["candidates"][0]["content"], ask[1]]}
        case _:
            turns = [{"role": "user", "content": "Sure?"}, {"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "Why?"}]  # fmt: skip
            return {"model": "m", "max_tokens": 9, "messages": turns}


def told(client: Wire, host: Wire) -> Json:
    response = CODECS[host].decode_response(ANSWERS[host])
    return CODECS[client].encode_response(response, identity=IDENTITY, usage=USAGE, price=price)


def asked(client: Wire, host: Wire, answer: Json) -> list[Json]:
    """The assistant's turn as the host is sent it."""
    body = received(client, conversation(client, answer))
    encoded = CODECS[host].encode_request(CODECS[client].decode_request(body), model="m")
    turn: list[Json] = encoded.body["messages"][1]["content"]
    return turn


@pytest.mark.parametrize(("client", "host"), PAIRS)
def test_redacted_thoughts_come_back_to_their_maker(client: Wire, host: Wire):
    assert asked(client, host, told(client, host))[0] == REDACTED[host]


@pytest.mark.parametrize(("client", "host"), PAIRS)
def test_nobody_else_is_sent_them(client: Wire, host: Wire):
    other = AMAZON if host is CLAUDE else CLAUDE

    turn = asked(client, other, told(client, host))

    assert DATA not in orjson.dumps(turn).decode()


@pytest.mark.parametrize(("client", "host"), PAIRS)
def test_streams_carry_the_same_cover(client: Wire, host: Wire):
    events = list(events_of(host, [stream_of(host)]))
    again = fold(events_of(client, [encode_stream(client, events)]))

    whole = CODECS[client].decode_response(told(client, host))
    assert again.blocks == whole.blocks
    [cover] = [block.signature for block in again.blocks if isinstance(block, Reasoning)]
    found = uncover(cover)
    assert found is not None
    assert (found.text, found.origin, found.is_redacted) == (DATA, host, True)


def stream_of(host: Wire) -> bytes:
    """The host's own stream of the same answer."""
    own = CODECS[host].decode_response(ANSWERS[host])
    events: list[Event] = [Started("x", "m")]
    for index, block in enumerate(own.blocks):
        if isinstance(block, Opaque):
            events.append(block)
        elif isinstance(block, Text):
            events += [
                BlockStarted(index, BlockKind.TEXT),
                BlockDelta(index, block.text),
                BlockFinished(index),
            ]
    return encode_stream(host, [*events, Finished(FinishReason.STOP)])
