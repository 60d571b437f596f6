"""Responses streams from providers: cut ones, failing ones, and hosts that bend the format."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    FinishReason,
    Started,
    UpstreamError,
)
from apps.inference.canonical.fold import fold
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from tests.protocols.cases import events_of

WIRE = Wire.OPENAI_RESPONSES
CREATED = ("created", {"response": {"id": "r1", "model": "m", "status": "in_progress"}})
COMPLETED = ("completed", {"response": {"id": "r1", "model": "m", "status": "completed"}})


def stream(*events: tuple[str, dict[str, Any]]) -> list[bytes]:
    return [
        b"data: " + orjson.dumps({"type": f"response.{kind}", **fields}) + b"\n\n"
        for kind, fields in events
    ]


def text_item(text: str, kind: str = "output_text") -> dict[str, Any]:
    name = "refusal" if kind == "refusal" else "text"
    return {"type": "message", "id": "msg_1", "content": [{"type": kind, name: text}]}


CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f"}
THOUGHTS = {
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
}


def test_cut_stream_has_no_finish():
    delta = ("output_text.delta", {"output_index": 0, "content_index": 0, "delta": "a"})

    events = events_of(WIRE, stream(CREATED, delta))

    assert events == [
        Started("r1", "m"),
        BlockStarted(0, BlockKind.TEXT),
        BlockDelta(0, "a"),
        BlockFinished(0),
    ]


@pytest.mark.parametrize(
    ("item", "blocks"),
    [
        (text_item("hi"), (Text("hi"),)),
        (text_item("no", "refusal"), (Refusal("no"),)),
        (CALL | {"arguments": "{}"}, (ToolCall(id="c", name="f", arguments="{}"),)),
        (THOUGHTS, (Reasoning(text="a\n\nb"),)),
        ({"type": "reasoning", "summary": [], "content": []}, ()),
    ],
)
@pytest.mark.parametrize("where", ["done", "completed"])
def test_hosts_without_deltas(item: dict[str, Any], blocks: tuple[Block, ...], where: str):
    done = ("output_item.done", {"output_index": 0, "item": item})
    whole = {"id": "r1", "model": "m", "status": "completed", "output": [item]}
    ending = ("completed", {"response": whole})

    streamed = fold(events_of(WIRE, stream(CREATED, *([done] if where == "done" else []), ending)))

    assert streamed == CODECS[WIRE].decode_response(whole)
    assert streamed.blocks == blocks


def test_ids_that_change_from_event_to_event_do_not_matter():
    """GitHub Copilot gives each event of an item another id: https://github.com/BerriAI/litellm/pull/30072 (2026-06)."""
    events = stream(
        CREATED,
        ("output_item.added", {"output_index": 0, "item": CALL | {"arguments": ""}}),
        ("function_call_arguments.delta", {"output_index": 0, "item_id": "x1", "delta": "{"}),
        ("function_call_arguments.delta", {"output_index": 0, "item_id": "x2", "delta": "}"}),
        ("output_item.done", {"output_index": 0, "item": CALL | {"id": "x", "arguments": "{}"}}),
        COMPLETED,
    )

    response = fold(events_of(WIRE, events))

    assert response.blocks == (ToolCall(id="c", name="f", arguments="{}"),)
    assert response.finish is FinishReason.TOOL_CALLS


def test_hosts_that_do_not_count_items_are_read_by_id():
    events = stream(
        CREATED,
        ("output_item.added", {"item": CALL | {"arguments": ""}}),
        ("function_call_arguments.delta", {"item_id": "fc_1", "delta": "{}"}),
        ("output_item.done", {"item": CALL | {"arguments": "{}"}}),
        COMPLETED,
    )

    assert fold(events_of(WIRE, events)).blocks == (ToolCall(id="c", name="f", arguments="{}"),)


def test_unknown_events_and_a_done_marker_are_passed_over():
    events = [*stream(CREATED, ("brand_new.thing", {"x": 1}), COMPLETED), b"data: [DONE]\n\n"]

    assert fold(events_of(WIRE, events)).finish is FinishReason.STOP


def test_decoder_says_when_the_answer_has_ended():
    decoder = CODECS[WIRE].stream_decoder()
    for kind, fields in (CREATED, COMPLETED):
        assert not decoder.ended
        list(decoder.feed(SseRecord(f"response.{kind}", orjson.dumps(fields))))

    assert decoder.ended


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            b'{"type":"error","code":"server_error","message":"busy","sequence_number":3}',
            UpstreamError("server_error", "busy"),
        ),
        (
            b'{"type":"error","error":{"type":"server_error","message":"busy"}}',
            UpstreamError("server_error", "busy"),
        ),
        (b'{"error":{"code":502,"message":"busy"}}', UpstreamError("502", "busy")),
        (
            b'{"type":"response.failed","response":{"status":"failed","error":{"code":"x","message":"busy"}}}',
            UpstreamError("x", "busy"),
        ),
        (
            b'{"type":"response.failed","response":{"status":"failed"}}',
            UpstreamError("failed", ""),
        ),
    ],
)
def test_errors_inside_a_stream_are_events(data: bytes, error: UpstreamError):
    events = events_of(WIRE, [b"data: " + data + b"\n\n"])

    assert error in events


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"1",
        b'{"type":"response.created"}',
        b'{"type":"response.output_text.delta","output_index":0,"delta":7}',
        b'{"type":"response.output_text.delta","output_index":[],"delta":"a"}',
        b'{"type":"response.function_call_arguments.delta","output_index":5,"delta":"a"}',
        b'{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call"}}',
        b'{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[1]}}',
    ],
)
def test_records_of_no_wire_are_malformed(data: bytes):
    with pytest.raises(MalformedUpstream):
        list(CODECS[WIRE].stream_decoder().feed(SseRecord("", data)))
