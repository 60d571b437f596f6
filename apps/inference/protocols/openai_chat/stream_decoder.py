"""A Chat Completions stream, from chunks to events.

https://platform.openai.com/docs/api-reference/chat/streaming
Text, reasoning and refusal take turns: one of them is open at a time. Tool calls may grow side by side, so they stay
open to the end. Usage comes after the finish reason, so both are held until ``flush``.
"""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Citation,
    Cited,
    Event,
    Finished,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import MalformedUpstream, only_text
from apps.inference.canonical.sse import SseDecoder, SseRecord
from apps.inference.protocols.openai_chat.calls import Call, Calls
from apps.inference.protocols.openai_chat.google_keys import origin_of, read_signature
from apps.inference.protocols.openai_chat.media import transcript_of
from apps.inference.protocols.openai_chat.odd_chunks import regular_choice, regular_chunk
from apps.inference.protocols.openai_chat.reasoning import reasoning_text
from apps.inference.protocols.openai_chat.response import (
    KNOWN_MESSAGE_KEYS,
    arguments_text,
    beside,
    calls_of,
    decode_finish,
    made_up_call_id,
    prose_pieces,
    reported_error,
    take_citations,
    unmodelled,
)
from apps.inference.protocols.openai_chat.usage import decode_usage


class OpenAIStreamDecoder:
    __slots__ = (
        "_answer_id", "_blocks", "_calls", "_citations",
        "_finish_reason", "_has_last_usage", "_is_odd", "_is_output", "_prose_index", "_prose_kind", "_started", "_text_length", "_text_start",
        "_usage", "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        self._started = False
        self._answer_id = ""
        self._blocks = 0
        self._prose_kind: BlockKind | None = None
        self._prose_index = 0
        self._text_length = 0
        """Characters of the answer's text so far, from which the spans of citations count."""
        self._text_start = 0
        """Where the block of text begins that is open."""
        self._citations: list[Citation] = []
        """Those of the block of text that is open, or of the next one."""
        self._calls = Calls()
        self._is_output = False
        """Its chunks have ``output`` in the place of choices."""
        self._is_odd = False
        """Its chunks have the text in another place than OpenAI's."""
        self._finish_reason: str | None = None
        self._usage: object = None
        self._has_last_usage = False
        """The usage came by itself, as at the end of an answer."""

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one chunk. ``[DONE]`` is accepted and not required."""
        data = record.data
        if not data or self.ended:
            return ()
        if data == b"[DONE]":
            self.ended = True
            return ()
        events: list[Event] = []
        try:
            self._read_chunk(orjson.loads(data), record.event, events)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as wrong:
            raise MalformedUpstream(f"not a chat completion chunk: {wrong!r}") from wrong
        return events

    @property
    def has_reason(self) -> bool:
        return self._finish_reason is not None

    def flush(self) -> Iterable[Event]:
        """Closes the open blocks, then usage and the finish reason, as far as the provider sent them.

        Raises MalformedUpstream when a call never got its name: no client could run it.
        """
        events: list[Event] = []
        self._close_prose(events)
        for call in self._calls.in_order:
            if call.index is None:
                raise MalformedUpstream("a tool call without a name")
            events.append(BlockFinished(call.index))
        if self._usage:
            events.append(UsageReported(decode_usage(self._usage)))
        if self.ended and self._blocks and (self._is_output or self._has_last_usage):
            # Of a host that never says why it ended: its end marker is the reason, behind the meters of the whole answer
            # or where its dialect has no word for one.
            self._finish_reason = self._finish_reason or "stop"
        finish = decode_finish(self._finish_reason, calls_tools=bool(self._calls.in_order))
        if isinstance(finish, UpstreamError):
            events.append(finish)
        elif finish is not None:
            events.append(Finished(finish))
        return events

    def _read_chunk(self, chunk: Json, event_name: str, events: list[Event]) -> None:
        choices = chunk.get("choices")
        if not choices and chunk.get("output"):
            self._is_output = True
            chunk = regular_chunk(chunk)
            choices = chunk["choices"]
        if usage := chunk.get("usage"):  # an empty one takes nothing back
            self._usage = usage
            self._has_last_usage = not choices
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
            if delta := choice.get("delta") or self._stray_delta(choice):
                self._read_delta(delta, events)
            if reason := choice.get("finish_reason"):
                self._finish_reason = str(reason)

    def _stray_delta(self, choice: Json) -> Json:
        """What a choice without a delta says; after deltas that is only the whole of it once more."""
        repeats = self._blocks > 0 and not self._is_odd
        delta: Json = regular_choice(choice, repeats=repeats)["delta"]
        self._is_odd = self._is_odd or bool(delta)
        return delta

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
        elif content is not None:
            for text, is_reasoning in prose_pieces(content):
                kind = BlockKind.REASONING if is_reasoning else BlockKind.TEXT
                self._write(kind, text, events)
        if not content and (said := transcript_of(delta)):
            self._write(BlockKind.TEXT, said, events)
        if signature := read_signature(delta):
            self._write(BlockKind.TEXT, "", events, signature)
        if refusal := only_text(delta.get("refusal")):
            self._write(BlockKind.REFUSAL, refusal, events)
        for fragment in calls_of(delta):
            self._read_call(fragment, events)
        if not delta.keys() <= KNOWN_MESSAGE_KEYS and (rest := unmodelled(delta)):
            self._citations.extend(take_citations(rest))
            if rest:
                events.append(beside(rest))

    def _write(self, kind: BlockKind, text: str, events: list[Event], signature: str = "") -> None:
        if kind is not self._prose_kind:
            self._close_prose(events)
            self._prose_kind = kind
            self._prose_index = self._next_index()
            self._text_start = self._text_length
            events.append(BlockStarted(self._prose_index, kind))
        if kind is BlockKind.TEXT:
            self._text_length += len(text)
        events.append(BlockDelta(self._prose_index, text, signature, origin_of(signature)))

    def _close_prose(self, events: list[Event]) -> None:
        if self._prose_kind is None:
            return
        if self._prose_kind is BlockKind.TEXT:
            events.extend(Cited(self._prose_index, self._placed(one)) for one in self._citations)
            self._citations.clear()
        events.append(BlockFinished(self._prose_index))
        self._prose_kind = None

    def _placed(self, citation: Citation) -> Citation:
        """The citation with its span counted from the start of the block that is open."""
        if citation.span is None or citation.span[0] < self._text_start:
            return replace(citation, span=None)
        start, end = citation.span
        return replace(citation, span=(start - self._text_start, end - self._text_start))

    def _read_call(self, fragment: Json, events: list[Event]) -> None:
        if (
            "custom" in fragment
        ):  # only a client's own stream holds one; hosts of this wire are sent functions
            events.append(Opaque(Wire.OPENAI_CHAT, {"tool_calls": [fragment]}))
            return
        function = fragment.get("function") or {}
        name = only_text(function.get("name"))
        text = arguments_text(function.get("arguments"))
        call = self._calls.of(fragment.get("index"), str(fragment.get("id") or ""), name)
        if call.index is None and name:
            self._open_call(call, name, events, read_signature(fragment))
        if call.index is None:
            call.held += text
        elif text:
            events.append(BlockDelta(call.index, text))

    def _open_call(self, call: Call, name: str, events: list[Event], signature: str) -> None:
        self._close_prose(events)
        call.index, call.name = self._next_index(), name
        call_id = call.id or made_up_call_id(answer_id=self._answer_id, position=call.position)
        kind, origin = BlockKind.TOOL_CALL, origin_of(signature)
        events.append(BlockStarted(call.index, kind, call_id, name, signature, origin))
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
