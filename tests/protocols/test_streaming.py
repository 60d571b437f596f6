"""Streams for clients: the grammar of each dialect, and blocks that interleave."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Text, ToolCall
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
from tests.protocols.cases import WIRES, encode_stream, encoder_for, events_of, joined, records_of

OPENAI, ANTHROPIC = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES


def payloads(stream: bytes) -> list[dict[str, Any]]:
    return [
        orjson.loads(record.data) for record in records_of([stream]) if record.data != b"[DONE]"
    ]


INTERLEAVED: list[Event] = [
    Started("c1", "m"),
    BlockStarted(0, BlockKind.TEXT),
    BlockDelta(0, "Look"),
    BlockStarted(1, BlockKind.TOOL_CALL, "a", "f"),
    BlockDelta(1, '{"x"'),
    BlockStarted(2, BlockKind.TOOL_CALL, "b", "g"),
    BlockDelta(2, '{"y":2}'),
    BlockDelta(0, "ing"),
    BlockFinished(2),
    BlockFinished(0),
    BlockDelta(1, ":1}"),
    BlockFinished(1),
    Finished(FinishReason.TOOL_CALLS),
]


def test_anthropic_blocks_never_overlap():
    records = payloads(encode_stream(ANTHROPIC, INTERLEAVED))

    assert [(record["type"], record.get("index")) for record in records] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_delta", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]


@pytest.mark.parametrize("wire", WIRES)
def test_interleaved_blocks_survive_the_client_stream(wire: Wire):
    blocks = fold(events_of(wire, [encode_stream(wire, INTERLEAVED)])).blocks

    assert joined(blocks, Text) == "Looking"
    assert [block for block in blocks if isinstance(block, ToolCall)] == [
        ToolCall(id="a", name="f", arguments='{"x":1}'),
        ToolCall(id="b", name="g", arguments='{"y":2}'),
    ]


def test_open_block_of_anthropic_is_not_delayed():
    encoder = encoder_for(ANTHROPIC)
    encoder.feed(BlockStarted(0, BlockKind.TEXT))

    assert b"soon" in encoder.feed(BlockDelta(0, "soon"))


def test_anthropic_tool_ids_are_made_unique():
    events: list[Event] = [Started("c", "m")]
    for index, call_id in enumerate(["same", "same", ""]):
        events += [BlockStarted(index, BlockKind.TOOL_CALL, call_id, "f"), BlockFinished(index)]

    calls = fold(events_of(ANTHROPIC, [encode_stream(ANTHROPIC, events)])).blocks

    ids = [block.id for block in calls if isinstance(block, ToolCall)]
    assert ids[0] == "same"
    assert len(set(ids)) == 3
    assert all(ids)


def test_usage_and_cost_close_a_message():
    *_, delta, stop = payloads(encode_stream(ANTHROPIC, INTERLEAVED))

    assert delta["usage"]["input_tokens"] == 10
    assert delta["usage"]["cache_read_input_tokens"] == 5
    assert delta["usage"]["cache_creation_input_tokens"] == 2
    assert delta["usage"]["output_tokens"] == 10
    assert delta["usage"]["cost"] == 0.00125
    assert stop == {"type": "message_stop"}


def test_openai_stream_has_its_grammar():
    stream = encode_stream(OPENAI, INTERLEAVED)
    first, *middle, finish, usage = payloads(stream)

    assert stream.endswith(b"data: [DONE]\n\n")
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all(record["usage"] is None for record in [first, *middle, finish])
    assert all(record["choices"][0]["finish_reason"] is None for record in middle)
    assert finish["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "tool_calls",
    }
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens"] == 17
    assert usage["usage"]["completion_tokens"] == 10
    assert usage["usage"]["total_tokens"] == 27
    assert usage["usage"]["cost"] == 0.00125


def test_first_fragment_of_a_call_names_it():
    calls = [
        record["choices"][0]["delta"]["tool_calls"][0]
        for record in payloads(encode_stream(OPENAI, INTERLEAVED))
        if record["choices"] and "tool_calls" in record["choices"][0]["delta"]
    ]

    function = {"name": "f", "arguments": ""}
    assert calls[0] == {"index": 0, "id": "a", "type": "function", "function": function}
    assert calls[1] == {"index": 0, "function": {"arguments": '{"x"'}}
    assert calls[2]["index"] == 1


def test_openai_stream_without_usage_never_speaks_of_it():
    stream = encode_stream(OPENAI, INTERLEAVED, include_usage=False)

    assert b"usage" not in stream
    assert stream.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("wire", WIRES)
def test_empty_answer_is_still_a_whole_stream(wire: Wire):
    again = fold(events_of(wire, [encode_stream(wire, [Finished(FinishReason.STOP)])]))

    assert again.blocks == ()
    assert again.finish is FinishReason.STOP


@pytest.mark.parametrize("wire", WIRES)
def test_opaque_events_reach_only_their_own_wire(wire: Wire):
    secret = {"type": "redacted_thinking", "data": "zz"}
    events: list[Event] = [Started("c", "m"), Opaque(ANTHROPIC, secret)]

    stream = encode_stream(wire, events)

    assert (b"zz" in stream) is (wire is ANTHROPIC)


def test_refusal_is_told_to_anthropics_clients():
    events: list[Event] = [
        BlockStarted(0, BlockKind.REFUSAL),
        BlockDelta(0, "No."),
        Finished(FinishReason.STOP),
    ]

    again = fold(events_of(ANTHROPIC, [encode_stream(ANTHROPIC, events)]))

    assert again.blocks == (Text("No."),)
    assert again.finish is FinishReason.CONTENT_FILTER
