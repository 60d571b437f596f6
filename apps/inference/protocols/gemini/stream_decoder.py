"""A generateContent stream, from Google's chunks to our events.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
Every chunk is a whole answer of its own with more parts; calls arrive whole. Parts of one kind that follow each other are
one block, until a signature seals it: it belongs to what was said up to there. Usage is cumulative and repeated, and
there is no end marker.
"""

from collections.abc import Iterable
from hashlib import blake2b

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
    FinishReason,
    Opaque,
    Picture,
    Sound,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord
from apps.inference.protocols.gemini.finish import decode_finish, reported_error
from apps.inference.protocols.gemini.usage import decode_usage


class GeminiStreamDecoder:
    __slots__ = (
        "_answer_id", "_blocks", "_call_ids", "_finish_message", "_finish_reason", "_is_blocked",
        "_prose_index", "_prose_kind", "_started", "_usage", "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        """Never true: the wire has no end marker, a finish reason is all there is."""
        self._started = False
        self._answer_id = ""
        self._blocks = 0
        self._prose_kind: BlockKind | None = None
        self._prose_index = 0
        self._call_ids: set[str] = set()
        self._is_blocked = False
        self._finish_reason = ""
        self._finish_message = ""
        self._usage: Json = {}

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one chunk."""
        if not record.data:
            return ()
        try:
            chunk = orjson.loads(record.data)
        except orjson.JSONDecodeError as wrong:
            raise MalformedUpstream("a chunk is not JSON") from wrong
        return self.read(chunk)

    def read(self, chunk: Json) -> list[Event]:
        """Events of a chunk that is parsed already. Raises MalformedUpstream."""
        events: list[Event] = []
        try:
            if (error := reported_error(chunk)) is not None:
                return [error]
            self._read_chunk(chunk, events)
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            raise MalformedUpstream(f"not a generateContent answer: {wrong!r}") from wrong
        return events

    @property
    def has_reason(self) -> bool:
        return self._is_blocked or bool(self._finish_reason)

    def flush(self) -> Iterable[Event]:
        """Closes the open block, then usage and the finish reason, as far as the provider sent them."""
        events: list[Event] = []
        self._close_prose(events)
        if self._usage:
            events.append(UsageReported(decode_usage(self._usage)))
        finish = self._finish()
        if isinstance(finish, UpstreamError):
            events.append(finish)
        elif finish is not None:
            events.append(Finished(finish))
        return events

    def _finish(self) -> FinishReason | UpstreamError | None:
        """A blocked prompt has no candidate that could say why it ended."""
        if self._is_blocked and not self._finish_reason:
            return FinishReason.CONTENT_FILTER
        return decode_finish(
            self._finish_reason, self._finish_message, calls_tools=bool(self._call_ids)
        )

    def _read_chunk(self, chunk: Json, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            self._answer_id = str(chunk.get("responseId") or "")
            events.append(Started(self._answer_id, str(chunk.get("modelVersion") or "")))
        self._take_usage(chunk.get("usageMetadata"))
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            self._is_blocked = True
        for candidate in chunk.get("candidates") or ():
            if candidate.get("index"):
                continue  # a further answer of ``candidateCount``, which only the verbatim lane carries
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._read_part(part, events)
            if reason := candidate.get("finishReason"):
                self._finish_reason = str(reason)
                self._finish_message = str(candidate.get("finishMessage") or "")

    def _take_usage(self, usage: object) -> None:
        """The last count of each meter; what is no object at all counts as an absurd count."""
        if isinstance(usage, dict):
            self._usage |= usage
        elif usage:
            self._usage = {"promptTokenCount": -1}

    def _read_part(self, part: Json, events: list[Event]) -> None:
        signature = _text(part.get("thoughtSignature") or "")
        if "text" in part:
            kind = BlockKind.REASONING if part.get("thought") else BlockKind.TEXT
            self._write(kind, _text(part["text"]), signature, events)
        elif (call := part.get("functionCall")) is not None:
            self._read_call(call, signature, events)
        elif part.keys() - {"thought", "thoughtSignature"}:
            self._close_prose(events)
            events.append(_medium(part))
        elif signature:
            self._write(BlockKind.TEXT, "", signature, events)

    def _write(self, kind: BlockKind, text: str, signature: str, events: list[Event]) -> None:
        if not text and not signature:
            return  # the last chunk often has an empty text
        if kind is not self._prose_kind:
            self._close_prose(events)
            self._prose_kind = kind
            self._prose_index = self._next_index()
            events.append(BlockStarted(self._prose_index, kind))
        events.append(BlockDelta(self._prose_index, text, signature, _origin_of(signature)))
        if signature:
            self._close_prose(events)

    def _close_prose(self, events: list[Event]) -> None:
        if self._prose_kind is not None:
            events.append(BlockFinished(self._prose_index))
            self._prose_kind = None

    def _read_call(self, call: Json, signature: str, events: list[Event]) -> None:
        self._close_prose(events)
        index, name = self._next_index(), _text(call["name"])
        arguments = orjson.dumps(call.get("args") or {}).decode()
        call_id = _text(call.get("id") or "") or self._make_up_id(name + arguments)
        self._call_ids.add(call_id)
        kind, origin = BlockKind.TOOL_CALL, _origin_of(signature)
        events.append(BlockStarted(index, kind, call_id, name, signature, origin))
        events.append(BlockDelta(index, arguments))
        events.append(BlockFinished(index))

    def _make_up_id(self, said: str) -> str:
        """For calls without an id. Unique in a conversation, because the answer's id is.

        Where even that is missing, what the call says stands in for it: the same for the same bytes, at any time.
        """
        answer = self._answer_id or blake2b(said.encode(), digest_size=8).hexdigest()
        return f"call_{answer}_{len(self._call_ids)}"

    def _next_index(self) -> int:
        self._blocks += 1
        return self._blocks - 1


def _medium(part: Json) -> Opaque:
    """A picture or sound: https://ai.google.dev/gemini-api/docs/image-generation. Sketches among the thoughts are neither."""
    if part.get("thought"):
        return Opaque(Wire.GEMINI, part)
    blob, file = part.get("inlineData") or {}, part.get("fileData") or {}
    media_type = _text(blob.get("mimeType") or file.get("mimeType") or "")
    data, url = _text(blob.get("data") or ""), _text(file.get("fileUri") or "")
    if media_type.startswith("image/"):
        picture = Picture(url=url, data=data, media_type=media_type)
        return Opaque(Wire.GEMINI, part, pictures=(picture,))
    if data:  # speech, film
        return Opaque(Wire.GEMINI, part, sound=Sound(data, media_type))
    return Opaque(Wire.GEMINI, part)


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError("a text is not a string")
    return value


def _origin_of(signature: str) -> Wire | None:
    return Wire.GEMINI if signature else None


def framing() -> SseDecoder:
    return SseDecoder()


def stream_decoder() -> GeminiStreamDecoder:
    return GeminiStreamDecoder()
