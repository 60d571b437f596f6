"""The passing lane's streams: pictures, sound and transcripts as they come, and the meter in their last event.

https://platform.openai.com/docs/api-reference/images-streaming, …/audio/speech-audio-delta-event,
…/audio/transcript-text-delta-event, and the types of openai 3.54.0 (2026-11-21). There is no end marker: the last event is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from typing_extensions import override

from apps.catalog.providers.spec import Operation, Wire
from apps.common import json
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.meters import take_usage, with_cost
from apps.inference.protocols import CODECS
from apps.inference.relay import AnswerShape, EventRelay, Json, Tally
from apps.inference.requests.others import OUTPUT_TOKENS_PER_IMAGE
from apps.inference.tokens import BYTES_PER_TOKEN
from apps.inference.verbatim_streams import read_error, text_of


@dataclass(frozen=True, slots=True)
class _Kinds:
    parts: frozenset[str]
    """Types of the events that bring content."""
    last: str
    content: tuple[str, ...] = ()
    """Where the last event has content of its own; one of them."""


EVENTS: Mapping[Operation, _Kinds] = {
    Operation.IMAGES: _Kinds(
        frozenset({"image_generation.partial_image"}),
        "image_generation.completed",
        ("b64_json", "url"),
    ),
    Operation.IMAGE_EDITS: _Kinds(
        frozenset({"image_edit.partial_image"}), "image_edit.completed", ("b64_json", "url")
    ),
    Operation.SPEECH: _Kinds(frozenset({"speech.audio.delta"}), "speech.audio.done"),
    Operation.TRANSCRIPTION: _Kinds(
        frozenset({"transcript.text.delta", "transcript.text.segment"}),
        "transcript.text.done",
        ("text",),
    ),
}
_SOUND_TYPES = frozenset({"application/octet-stream", "binary/octet-stream", "application/ogg"})
"""What hosts call sound beside ``audio/*``."""
_PICTURES = frozenset({Operation.IMAGES, Operation.IMAGE_EDITS})


class _Event(msgspec.Struct):
    type: str = ""
    delta: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


_event = msgspec.json.Decoder(_Event)


class EventsStream(EventRelay):
    """Events of one operation. What nobody knows is passed on, too."""

    def __init__(self, shape: AnswerShape, operation: Operation) -> None:
        self.tally = Tally()
        self.takes_json = operation is Operation.TRANSCRIPTION
        """whisper-1 ignores ``stream``: https://platform.openai.com/docs/guides/speech-to-text#streaming-transcriptions."""
        self._shape = shape
        self._operation = operation
        self._kinds = EVENTS[operation]
        self._sse = SseDecoder()
        self._whole: bytearray | None = None
        """The answer of a host that does not stream."""
        self._last: Json = {}
        self._last_name = ""

    @override
    def open(self, media_type: str) -> None:
        kind = media_type.partition(";")[0].strip().lower()
        if kind == "application/json":
            self._whole = bytearray()
        elif kind != "text/event-stream":
            raise MalformedUpstream(f"an answer of type {media_type[:60]}")

    def feed(self, data: bytes) -> bytes:
        if self._whole is not None:
            self._whole += data
            return b""
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        if self._whole is not None:
            answer = orjson.dumps({"type": self._kinds.last, **_object(bytes(self._whole))})
            return self._record(SseRecord("", answer))
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        self._last["usage"] = with_cost(self._last.get("usage"), self.tally, usage, self._shape)
        return encode_record(orjson.dumps(self._last), self._last_name or None)

    def fail(self, error: GatewayzError) -> bytes:
        """The closing record of an answer that broke."""
        codec = CODECS[Wire.OPENAI_CHAT]
        return codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
        if record.data == b"[DONE]" or self.tally.ended:
            return b""  # not part of these streams, but some hosts end every stream with it
        try:
            event = _event.decode(record.data)
        except msgspec.DecodeError as error:
            raise MalformedUpstream(f"not an event of {self._operation}: {error}") from error
        kind = event.type or record.event
        if event.error is not None or kind == "error":
            named = {"code": event.code, "message": event.message}
            self.tally.error = read_error(event.error or named)
            return b""
        if not kind:
            raise MalformedUpstream(f"an event of {self._operation} without a type")
        if kind == self._kinds.last:
            self._take_last(record)
            return b""
        if kind in self._kinds.parts:
            self._count(event)
        return encode_record(record.data, record.event or None)

    def _count(self, event: _Event) -> None:
        tally = self.tally
        tally.has_content = True
        tally.signs += 1
        if self._operation in _PICTURES:
            # Who leaves with a part of a picture has had it painted: as many tokens as were set aside for one.
            tally.output_bytes = OUTPUT_TOKENS_PER_IMAGE * BYTES_PER_TOKEN
        elif event.delta:
            tally.add_output(text_of(event.delta))

    def _take_last(self, record: SseRecord) -> None:
        self._last, self._last_name = _object(record.data), record.event
        tally = self.tally
        tally.ended = True
        tally.has_content |= any(
            isinstance(self._last.get(name), str) for name in self._kinds.content
        )
        if not tally.has_content:
            return  # an end without anything before it is an empty answer
        tally.finish(self._kinds.last.rpartition(".")[2])
        made = {"data": [self._last]} if self._operation in _PICTURES else {}
        take_usage(tally, self._operation, {**self._last, **made}, self._shape.expected)


class SoundStream:
    """Bare sound. It has no place for a meter or an error: a broken one is left unfinished."""

    takes_json = False

    def __init__(self) -> None:
        self.tally = Tally()
        self.media_type = ""

    def open(self, media_type: str) -> None:
        kind = media_type.partition(";")[0].strip().lower()
        if not kind.startswith("audio/") and kind not in _SOUND_TYPES:
            raise MalformedUpstream(f"an answer of type {media_type[:60]}")
        self.media_type = media_type

    def feed(self, data: bytes) -> bytes:
        self.tally.signs += 1
        self.tally.has_content = True
        return data

    def end(self) -> bytes:
        if self.tally.has_content:
            self.tally.finish("done")
        return b""

    def break_off(self) -> bytes:
        return b""

    def finish(self, usage: Usage) -> bytes:
        return b""

    def fail(self, error: GatewayzError) -> bytes:
        return b""


def _object(data: bytes) -> Json:
    found = json.loads(data)
    if not isinstance(found, dict):
        raise MalformedUpstream("not a JSON object")
    return found
