"""A Chat Completions stream, from chunks to events.

https://platform.openai.com/docs/api-reference/chat/streaming
Text, reasoning and refusal take turns: one of them is open at a time. Tool calls may grow side by side, so they stay
open to the end. Usage comes after the finish reason, so both are held until ``flush``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord
from apps.inference.protocols.openai_chat.google_keys import origin_of, read_signature
from apps.inference.protocols.openai_chat.response import (
    KNOWN_MESSAGE_KEYS,
    arguments_text,
    decode_finish,
    made_up_call_id,
    prose_pieces,
    reasoning_text,
    reported_error,
    unmodelled,
)
from apps.inference.protocols.openai_chat.usage import decode_usage


@dataclass(slots=True)
class _Call:
    """A tool call that grows. ``index`` is None until its name is known, for only then can the block open."""

    id: str
    position: int
    index: int | None = None
    held: str = ""


class OpenAIStreamDecoder:
    __slots__ = (
        "_answer_id", "_blocks", "_calls", "_calls_in_order", "_finish_reason", "_prose_index",
        "_prose_kind", "_started", "_usage", "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        self._started = False
        self._answer_id = ""
        self._blocks = 0
        self._prose_kind: BlockKind | None = None
        self._prose_index = 0
        self._calls: dict[Any, _Call] = {}
        """The newest call of each provider index."""
        self._calls_in_order: list[_Call] = []
        self._finish_reason: str | None = None
        self._usage: object = None

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one chunk. ``[DONE]`` is accepted and not required."""
        data = record.data
        if not data or data == b"[DONE]":
            self.ended = self.ended or bool(data)
            return ()
        events: list[Event] = []
        try:
            self._read_chunk(orjson.loads(data), record.event, events)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as wrong:
            raise MalformedUpstream(f"not a chat completion chunk: {wrong!r}") from wrong
        return events

    def flush(self) -> Iterable[Event]:
        """Closes the open blocks, then usage and the finish reason, as far as the provider sent them."""
        events: list[Event] = []
        self._close_prose(events)
        for call in self._calls_in_order:
            if call.index is None:
                self._open_call(call, "", events)
            events.append(BlockFinished(call.index or 0))
        if self._usage:
            events.append(UsageReported(decode_usage(self._usage)))
        finish = decode_finish(self._finish_reason, calls_tools=bool(self._calls_in_order))
        if isinstance(finish, UpstreamError):
            events.append(finish)
        elif finish is not None:
            events.append(Finished(finish))
        return events

    def _read_chunk(self, chunk: Json, event_name: str, events: list[Event]) -> None:
        choices = chunk.get("choices")
        if usage := chunk.get("usage"):  # an empty one takes nothing back
            self._usage = usage
        if not choices or "error" in chunk:
            if (error := _error_of(chunk, event_name)) is not None:
                events.append(error)
                return
            if not choices:
                return
        if not self._started:
            self._started = True
            self._answer_id = str(chunk.get("id") or "")
            events.append(Started(self._answer_id, str(chunk.get("model") or "")))
        for choice in choices:
            if choice.get("index"):
                continue  # a further answer of ``n``, which only the verbatim lane carries
            if delta := choice.get("delta"):
                self._read_delta(delta, events)
            if reason := choice.get("finish_reason"):
                self._finish_reason = str(reason)

    def _read_delta(self, delta: Json, events: list[Event]) -> None:
        content = delta.get("content")
        if content and len(delta) == 1 and type(content) is str:
            self._write(
                BlockKind.TEXT, content, events
            )  # nearly every chunk of nearly every stream
            return
        if text := reasoning_text(delta):
            self._write(BlockKind.REASONING, text, events)
        if type(content) is str:
            if content:
                self._write(BlockKind.TEXT, content, events)
        elif content:
            for text, is_reasoning in prose_pieces(content):
                kind = BlockKind.REASONING if is_reasoning else BlockKind.TEXT
                self._write(kind, text, events)
        if signature := read_signature(delta):
            self._write(BlockKind.TEXT, "", events, signature)
        if refusal := delta.get("refusal"):
            self._write(BlockKind.REFUSAL, str(refusal), events)
        if calls := delta.get("tool_calls"):
            for fragment in calls:
                self._read_call(fragment, events)
        if not delta.keys() <= KNOWN_MESSAGE_KEYS and (rest := unmodelled(delta)):
            events.append(Opaque(Wire.OPENAI_CHAT, rest))

    def _write(self, kind: BlockKind, text: str, events: list[Event], signature: str = "") -> None:
        if kind is not self._prose_kind:
            self._close_prose(events)
            self._prose_kind = kind
            self._prose_index = self._next_index()
            events.append(BlockStarted(self._prose_index, kind))
        events.append(BlockDelta(self._prose_index, text, signature, origin_of(signature)))

    def _close_prose(self, events: list[Event]) -> None:
        if self._prose_kind is not None:
            events.append(BlockFinished(self._prose_index))
            self._prose_kind = None

    def _read_call(self, fragment: Json, events: list[Event]) -> None:
        function = fragment.get("function") or {}
        name = str(function.get("name") or "")
        text = arguments_text(function.get("arguments"))
        call = self._call_of(fragment, has_name=bool(name))
        if call.index is None and name:
            self._open_call(call, name, events, read_signature(fragment))
        if call.index is None:
            call.held += text
        elif text:
            events.append(BlockDelta(call.index, text))

    def _call_of(self, fragment: Json, *, has_name: bool) -> _Call:
        """The call that a fragment belongs to.

        Some hosts leave ``index`` out, others count every parallel call as 0: a new id with a name begins a new call.
        """
        call_id = str(fragment.get("id") or "")
        index = fragment.get("index")
        if index is None and self._calls_in_order and not has_name:
            return self._calls_in_order[-1]
        known = self._calls.get(index)
        is_new = known is None or (has_name and call_id != "" and call_id != known.id)
        if known is not None and not is_new:
            return known
        position = len(self._calls_in_order)
        made_up = made_up_call_id(answer_id=self._answer_id, position=position)
        call = self._calls[index] = _Call(id=call_id or made_up, position=position)
        self._calls_in_order.append(call)
        return call

    def _open_call(self, call: _Call, name: str, events: list[Event], signature: str = "") -> None:
        self._close_prose(events)
        call.index = self._next_index()
        kind, origin = BlockKind.TOOL_CALL, origin_of(signature)
        events.append(BlockStarted(call.index, kind, call.id, name, signature, origin))
        if call.held:
            events.append(BlockDelta(call.index, call.held))

    def _next_index(self) -> int:
        self._blocks += 1
        return self._blocks - 1


def _error_of(chunk: Json, event_name: str) -> UpstreamError | None:
    if event_name == "error" and "error" not in chunk:
        return reported_error({"error": chunk})
    return reported_error(chunk)


def framing() -> SseDecoder:
    return SseDecoder()


def stream_decoder() -> OpenAIStreamDecoder:
    return OpenAIStreamDecoder()
