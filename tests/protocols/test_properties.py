"""What holds for any stream, however odd."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.content import Reasoning, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Started,
    UpstreamError,
)
from apps.inference.canonical.fold import fold
from apps.inference.canonical.response import is_half
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from tests.protocols.cases import USAGE, WIRES, breaks_off, encode_stream, events_of, joined

BEDROCK = Wire.BEDROCK_CONVERSE
OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "content", "tool_calls", "function", "type", "index", "message",
             "usage", "error", "content_block", "finish_reason", "id", "reasoning_details",
             "item", "response", "output_index", "part", "text", "summary", "output", "arguments",
             "candidates", "parts", "text", "functionCall", "name", "args", "thoughtSignature",
             "usageMetadata", "finishReason", "promptFeedback", "extra_content",
             "contentBlockIndex", "start", "toolUse", "toolUseId", "input", "reasoningContent",
             "stopReason"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    wire=st.sampled_from(WIRES),
    bodies=st.lists(_JSON, min_size=1, max_size=3),
    kind=st.sampled_from(
        [
            "",
            "message_start",
            "content_block_start",
            "content_block_delta",
            "message_delta",
            "response.output_item.added",
            "response.output_item.done",
            "response.output_text.delta",
            "response.content_part.done",
            "response.completed",
            "contentBlockStart",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata",
        ]
    ),
)
def test_no_record_breaks_a_stream_in_another_way(wire: Wire, bodies: list[Any], kind: str):
    decoder = CODECS[wire].stream_decoder()
    events: list[Event] = []
    for body in bodies:
        try:
            events.extend(decoder.feed(SseRecord(kind, orjson.dumps(body))))
        except MalformedUpstream:
            break
    events.extend(decoder.flush())

    for client in WIRES:
        encode_stream(client, events)
    if not any(isinstance(event, UpstreamError) for event in events):
        fold(events)


@settings(max_examples=300, deadline=None)
@given(
    wire=st.sampled_from(WIRES),
    body=st.dictionaries(
        st.sampled_from(
            [
                "choices",
                "content",
                "error",
                "usage",
                "id",
                "output",
                "status",
                "candidates",
                "usageMetadata",
            ]
        ),
        _JSON,
    ),
)
@example(wire=Wire.OPENAI_RESPONSES, body={"status": []})
def test_no_body_breaks_decode_response_in_another_way(wire: Wire, body: dict[str, Any]):
    try:
        CODECS[wire].decode_response(body)
    except MalformedUpstream:
        return


@st.composite
def event_streams(draw: st.DrawFn) -> list[Event]:
    """Any well-formed stream, with blocks that interleave."""
    events: list[Event] = [Started("c", "m")]
    opened: list[int] = []
    kinds: dict[int, BlockKind] = {}
    for _ in range(draw(st.integers(0, 25))):
        step = draw(st.sampled_from(["open", "delta", "delta", "close"]))
        if step == "open" or not opened:
            index = len(kinds)
            kinds[index] = draw(
                st.sampled_from([BlockKind.TEXT, BlockKind.REASONING, BlockKind.TOOL_CALL])
            )
            is_call = kinds[index] is BlockKind.TOOL_CALL
            events.append(
                BlockStarted(
                    index, kinds[index], f"id{index}" if is_call else "", "f" if is_call else ""
                )
            )
            opened.append(index)
            # An empty block is nothing to some wires, so every block here says something.
            events.append(BlockDelta(index, "0"))
            continue
        index = draw(st.sampled_from(opened))
        if step == "delta":
            events.append(BlockDelta(index, draw(st.text(max_size=5))))
        else:
            opened.remove(index)
            events.append(BlockFinished(index))
    events += [BlockFinished(index) for index in opened]
    return [
        *events,
        Finished(draw(st.sampled_from([FinishReason.LENGTH, FinishReason.TOOL_CALLS]))),
    ]


@settings(max_examples=150, deadline=None)
@given(events=event_streams())
def test_any_stream_survives_anthropics_client_stream(events: list[Event]):
    again = fold(events_of(ANTHROPIC, [encode_stream(ANTHROPIC, events)]))

    expected = fold(events)
    assert again.blocks == expected.blocks
    assert again.finish == expected.finish
    assert again.usage == USAGE


@settings(max_examples=150, deadline=None)
@given(events=event_streams())
def test_any_stream_keeps_its_text_and_calls_on_openais_client_stream(events: list[Event]):
    again = fold(events_of(OPENAI, [encode_stream(OPENAI, events)]))

    expected = fold(events)
    assert joined(again.blocks, Text) == _said(events, BlockKind.TEXT)
    assert joined(again.blocks, Reasoning) == _said(events, BlockKind.REASONING)
    assert [block for block in again.blocks if isinstance(block, ToolCall)] == [
        block for block in expected.blocks if isinstance(block, ToolCall)
    ]


def _said(events: list[Event], kind: BlockKind) -> str:
    """In order of arrival: OpenAI's stream has one text and one reasoning, whatever the blocks were."""
    kinds = {event.index: event.kind for event in events if isinstance(event, BlockStarted)}
    return "".join(
        event.text
        for event in events
        if isinstance(event, BlockDelta) and kinds[event.index] is kind
    )


@settings(max_examples=150, deadline=None)
@given(events=event_streams())
def test_any_stream_keeps_its_text_and_calls_on_geminis_client_stream(events: list[Event]):
    if breaks_off(events):
        with pytest.raises(MalformedUpstream):
            encode_stream(GEMINI, events)
        return
    again = fold(events_of(GEMINI, [encode_stream(GEMINI, events)]))

    # What a limit has cut off is no call.
    calls = [b for b in fold(events).blocks if isinstance(b, ToolCall) and not is_half(b.arguments)]
    assert joined(again.blocks, Text) == _said(events, BlockKind.TEXT)
    assert joined(again.blocks, Reasoning) == _said(events, BlockKind.REASONING)
    # Arguments must be an object on this wire, and those of these streams are not.
    assert [(block.id, block.name) for block in again.blocks if isinstance(block, ToolCall)] == [
        (call.id, call.name) for call in calls
    ]
    assert again.usage == replace(USAGE, input=12, cache_write_5m=0)


@settings(max_examples=150, deadline=None)
@given(events=event_streams())
def test_any_stream_survives_converses_client_stream(events: list[Event]):
    again = fold(events_of(BEDROCK, [encode_stream(BEDROCK, events)]))

    expected = fold(events)
    assert again.blocks == expected.blocks
    assert again.finish == expected.finish
    assert again.usage == replace(USAGE, output=10, reasoning=0)
