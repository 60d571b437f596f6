"""A Responses stream, from OpenAI's events to ours.

https://platform.openai.com/docs/api-reference/responses-streaming (2026-07)
A message's content parts, a reasoning item and a call are blocks; every other item leaves whole, as ``Opaque``,
when it is done. What ``done`` events repeat is written only as far as no delta brought it: some hosts send no deltas.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.citations import read_citations
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Cited,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord
from apps.inference.canonical.text_tools import last_arguments, next_arguments
from apps.inference.protocols.openai_responses.response import (
    PARAGRAPH,
    decode_finish,
    reported_error,
    text_of,
)
from apps.inference.protocols.openai_responses.usage import decode_usage

_PART_KINDS = {"output_text": BlockKind.TEXT, "refusal": BlockKind.REFUSAL}


@dataclass(slots=True)
class _Block:
    index: int
    part: Hashable = None
    """The part of a reasoning item that is being written."""
    written: int = 0
    """Characters of that part, or of the whole block."""
    annotated: int = 0
    """Annotations that have been read."""
    is_empty: bool = True
    is_finished: bool = False


class ResponsesStreamDecoder:
    __slots__ = (
        "_blocks", "_calls_tools", "_events", "_finish", "_has_items", "_started", "_usage", "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        """The terminal event has arrived."""
        self._started = False
        self._blocks: dict[Hashable, _Block] = {}
        """By the provider's place: output index and content index, or output index alone."""
        self._has_items = False
        self._calls_tools = False
        self._finish: FinishReason | None = None
        self._usage: object = None
        self._events: list[Event] = []

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one record. Kinds of event that we do not know are skipped. ``[DONE]`` is accepted."""
        if not record.data or record.data == b"[DONE]":
            return ()
        self._events = []
        try:
            payload = orjson.loads(record.data)
            self._read(payload, payload.get("type") or record.event)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as wrong:
            self._blocks.clear()  # the events that opened some of them are lost
            raise MalformedUpstream(f"not an event of a response: {wrong!r}") from wrong
        return self._events

    @property
    def has_reason(self) -> bool:
        return self._finish is not None

    def flush(self) -> Iterable[Event]:
        """Closes the open blocks, then usage and the finish reason, as far as the provider sent them."""
        self._events = []
        for block in self._blocks.values():
            self._close(block)
        if self._usage:
            self._events.append(UsageReported(decode_usage(self._usage)))
        if self._finish is not None:
            self._events.append(Finished(self._finish))
        return self._events

    def _read(self, payload: Json, kind: str) -> None:
        match kind:
            case "response.output_text.delta":
                self._write(self._part(payload, BlockKind.TEXT), payload["delta"])
            case "response.refusal.delta":
                self._write(self._part(payload, BlockKind.REFUSAL), payload["delta"])
            case "response.function_call_arguments.delta":
                self._write(self._blocks[_item_place(payload)], payload["delta"])
            case "response.custom_tool_call_input.delta":
                self._write_input(self._blocks[_item_place(payload)], payload["delta"])
            case "response.reasoning_summary_text.delta":
                self._think(payload, ("summary", payload.get("summary_index")), payload["delta"])
            case "response.reasoning_text.delta":
                self._think(payload, ("content", payload.get("content_index")), payload["delta"])
            case "response.output_text.annotation.added":
                self._cite(self._part(payload, BlockKind.TEXT), [payload["annotation"]])
            case "response.content_part.added" | "response.content_part.done":
                self._read_part(payload, payload["part"])
            case "response.output_item.added":
                self._begin_item(payload, payload["item"])
            case "response.output_item.done":
                self._finish_item(payload, payload["item"])
            case "response.created" | "response.in_progress" | "response.queued":
                self._start(payload["response"])
            case "response.completed" | "response.incomplete" | "response.failed":
                self._end(payload["response"])
            case "error":
                self._events.append(_error_of(payload))
            case _ if not kind and "error" in payload:
                self._events.append(_error_of(payload))
            case _:
                pass  # ``…done`` of texts and arguments, which the item's own ``done`` repeats, and all the rest

    def _start(self, response: Json) -> None:
        if not self._started:
            self._started = True
            started = Started(str(response.get("id") or ""), str(response.get("model") or ""))
            self._events.append(started)

    def _end(self, response: Json) -> None:
        self._start(response)
        self.ended = True
        if (error := reported_error(response)) is not None:
            self._events.append(error)
            return
        if not self._has_items:
            for place, item in enumerate(response.get("output") or ()):
                self._finish_item({"output_index": place}, item)
        if usage := response.get("usage"):
            self._usage = usage
        self._finish = decode_finish(response, calls_tools=self._calls_tools)

    def _begin_item(self, payload: Json, item: Json) -> None:
        self._has_items = True
        if item["type"] == "function_call":
            self._write(self._call(payload, item), item.get("arguments") or "")
        elif item["type"] == "custom_tool_call":
            self._write_input(self._call(payload, item), item.get("input") or "")

    def _finish_item(self, payload: Json, item: Json) -> None:
        self._has_items = True
        match item["type"]:
            case "message":
                for place, part in enumerate(item["content"]):
                    self._read_part({**payload, "content_index": place}, part)
                    if (block := self._blocks.get((_item_place(payload), place))) is not None:
                        self._close(block)
            case "reasoning":
                self._finish_reasoning(payload, item)
            case "function_call":
                block = self._call(payload, item)
                self._write_rest(block, item["arguments"])
                self._close(block)
            case "custom_tool_call":
                self._finish_input(self._call(payload, item), item["input"])
            case _:
                self._events.append(Opaque(Wire.OPENAI_RESPONSES, item))

    def _read_part(self, payload: Json, part: Json) -> None:
        """A content part, at its beginning or its end: opens the block, and writes what is missing of it."""
        kind = _PART_KINDS.get(part["type"])
        if kind is None:
            return
        block = self._part(payload, kind)
        self._write_rest(block, part.get("text") or part.get("refusal") or "")
        if annotations := part.get("annotations"):
            self._cite(block, annotations[block.annotated :])

    def _finish_reasoning(self, payload: Json, item: Json) -> None:
        """The last part as far as it is missing; all parts when no delta came."""
        known = self._blocks.get(_item_place(payload))
        for name in ("summary", "content"):
            for place, part in enumerate(item.get(name) or ()):
                text = text_of(part["text"])
                if known is None:
                    self._think(payload, (name, place), text)
                elif known.part == (name, place):
                    self._write_rest(known, text)
        if signature := text_of(item.get("encrypted_content") or ""):
            block = self._block(_item_place(payload), BlockKind.REASONING)
            self._events.append(BlockDelta(block.index, "", signature, Wire.OPENAI_RESPONSES))
        if (found := self._blocks.get(_item_place(payload))) is not None:
            self._close(found)

    def _part(self, payload: Json, kind: BlockKind) -> _Block:
        return self._block((_item_place(payload), payload.get("content_index") or 0), kind)

    def _call(self, payload: Json, item: Json) -> _Block:
        place = _item_place(payload)
        if (block := self._blocks.get(place)) is not None:
            return block
        self._calls_tools = True
        return self._block(place, BlockKind.TOOL_CALL, str(item["call_id"]), str(item["name"]))

    def _block(
        self, place: Hashable, kind: BlockKind, tool_call_id: str = "", tool_name: str = ""
    ) -> _Block:
        block = self._blocks.get(place)
        if block is None:
            block = self._blocks[place] = _Block(len(self._blocks))
            self._events.append(BlockStarted(block.index, kind, tool_call_id, tool_name))
        return block

    def _think(self, payload: Json, part: Hashable, text: Any) -> None:
        """Reasoning opens with its first text, because an item without any is nothing to other wires."""
        if not text_of(text):
            return
        block = self._block(_item_place(payload), BlockKind.REASONING)
        if block.part != part:
            if not block.is_empty:
                self._events.append(BlockDelta(block.index, PARAGRAPH))
            block.part, block.written = part, 0
        self._write(block, text)

    def _write(self, block: _Block, text: Any) -> None:
        if text_of(text) and not block.is_finished:
            block.written += len(text)
            block.is_empty = False
            self._events.append(BlockDelta(block.index, text))

    def _write_rest(self, block: _Block, text: Any) -> None:
        self._write(block, text_of(text)[block.written :])

    def _write_input(self, block: _Block, text: Any) -> None:
        """Plain text as arguments, which a call has on every other wire."""
        if text_of(text) and not block.is_finished:
            piece = next_arguments(text, is_first=block.is_empty)
            block.written += len(text)
            block.is_empty = False
            self._events.append(BlockDelta(block.index, piece))

    def _finish_input(self, block: _Block, text: Any) -> None:
        if not block.is_finished:
            self._write_input(block, text_of(text)[block.written :])
            self._events.append(BlockDelta(block.index, last_arguments(is_first=block.is_empty)))
            self._close(block)

    def _cite(self, block: _Block, annotations: list[Any]) -> None:
        """Annotations that are new; other kinds than citations of the web are only counted."""
        if not block.is_finished:
            block.annotated += len(annotations)
            self._events.extend(Cited(block.index, one) for one in read_citations(annotations))

    def _close(self, block: _Block) -> None:
        if not block.is_finished:
            block.is_finished = True
            self._events.append(BlockFinished(block.index))


def _item_place(payload: Json) -> Hashable:
    """Most hosts count items. The id is only for those that do not: at some it changes from event to event.

    https://github.com/BerriAI/litellm/pull/30072 (2026-06)
    """
    place: Hashable = payload.get("output_index")
    if place is None:
        place = payload.get("item_id") or payload["item"]["id"]
    return place


def _error_of(payload: Json) -> UpstreamError:
    nested = payload.get("error")
    return reported_error({"error": nested or payload}) or UpstreamError("", "")


def framing() -> SseDecoder:
    return SseDecoder()


def stream_decoder() -> ResponsesStreamDecoder:
    return ResponsesStreamDecoder()
