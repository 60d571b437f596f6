"""The verbatim lane's streams: what they have in common, and Anthropic's. Records are passed on as bytes and read into a few typed fields."""

from typing import Any

import msgspec
import orjson

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.events import UpstreamError
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.protocols.openai_chat.media import transcript_of
from apps.inference.protocols.openai_chat.response import FAILURES
from apps.inference.relay import AnswerShape, EventRelay, Json, Tally


def text_of(value: Any) -> str:
    """The value as far as it counts as output."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if value else ""


def count_media(tally: Tally, *, images: Any, audio: Any) -> None:
    """Of a chat message or delta. Of sound only the transcript can be counted."""
    tally.add_pictures(len(images) if isinstance(images, list) else 0)
    if audio:
        tally.signs += 1
        tally.has_content = True
        tally.add_output(transcript_of({"audio": audio}))


def read_error(error: Any) -> UpstreamError:
    if isinstance(error, dict):
        return UpstreamError(
            code=str(error.get("code") or error.get("type") or ""),
            message=str(error.get("message") or ""),
        )
    return UpstreamError(code="", message=str(error))


def failure_of(finish_reason: Any, error: Any) -> UpstreamError | None:
    """Of a choice: some hosts give up there, in an answer that looks whole."""
    if error:
        return read_error(error)
    if isinstance(finish_reason, str) and finish_reason in FAILURES:
        return UpstreamError(code=finish_reason, message="")
    return None


def stray_error(record: SseRecord, *, message: Any, detail: Any) -> UpstreamError | None:
    """Of a record that is no part of an answer: an error by any name, which no client may see; None for a sign of life."""
    if record.event == "error" or message or detail:
        return read_error(message or detail or "")
    return None


def spellings(key: bytes, old: str | None, new: str) -> tuple[tuple[bytes, bytes], ...]:
    """The key with its value as providers write it, compact and with a space; inside strings quotes are escaped."""
    if old is None:
        return ()
    value = orjson.dumps(old)
    renamed = key + orjson.dumps(new)
    return (key + value, renamed), (key + b" " + value, renamed)


_GROWING = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", ""})
"""Blocks that say nothing before their first delta, or nothing that a client reads. Calls have a name."""


_TEXT_DELTAS = frozenset({"text_delta", "thinking_delta", "input_json_delta"})
_PROSE = frozenset({"text", "thinking", "redacted_thinking"})


class _Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    name: str | None = None
    stop_reason: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: _Content | None = None
    content_block: _Content | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)


class MessagesStream(EventRelay):
    """Anthropic message events: https://docs.anthropic.com/en/docs/build-with-claude/streaming."""

    def __init__(self, shape: AnswerShape, codec: Codec) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._sse = SseDecoder()
        self._raw_usage: Json = {}
        self._message_delta: Json = {
            "type": "message_delta",
            "delta": {"stop_reason": None, "stop_sequence": None},
        }
        self._block_stop = b""
        """The end of the last block, held back: a host that breaks off may close what it has not said to its end."""
        self._is_at_prose = True
        """The last block is text or thinking, and no call."""

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        self._message_delta["usage"] = with_cost(
            self._codec, self._raw_usage, self.tally, usage, self._shape
        )
        return (
            self._block_stop
            + encode_record(orjson.dumps(self._message_delta), "message_delta")
            + encode_record(b'{"type":"message_stop"}', "message_stop")
        )

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke."""
        return self._codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
        if self.tally.ended or not record.data:
            return b""
        try:
            event = _event.decode(record.data)
        except msgspec.DecodeError as error:
            raise MalformedUpstream(f"not a message event: {error}") from error
        match event.type:
            case "message_start":
                return self._start(record.data)
            case "message_delta":
                self._take_delta(event, record.data)
                return b""
            case "message_stop":
                self.tally.ended = True
                return b""
            case "error":
                self.tally.error = read_error(event.error)
                return b""
            case "content_block_stop":
                self.tally.signs += 1
                self._block_stop += encode_record(record.data, event.type)
                return b""
        self._count(event)
        if not event.type:
            raise MalformedUpstream("a message event without a type")
        shown = encode_record(record.data, event.type)
        if event.type == "content_block_start":
            shown, self._block_stop = self._block_stop + shown, b""
        return shown

    def _start(self, data: bytes) -> bytes:
        start = orjson.loads(data)
        message = start.get("message")
        if not isinstance(message, dict):
            raise MalformedUpstream("message_start without a message")
        usage = message.get("usage")
        self._raw_usage.update(usage if isinstance(usage, dict) else {})
        if self._codec.decode_usage(usage) is None:
            # Absent or absurd; the closing record tells the count. SDKs need the object.
            message["usage"] = self._codec.encode_usage(Usage(), price=lambda _: {})
        message["id"], message["model"] = self._shape.identity.id, self._shape.identity.model
        return encode_record(orjson.dumps(start), "message_start")

    def _take_delta(self, event: _Event, data: bytes) -> None:
        self._message_delta = orjson.loads(data)
        # Reports add up to one: some hosts repeat a meter as 0 at the end, which must not erase it.
        self._raw_usage.update(
            (name, value)
            for name, value in (event.usage or {}).items()
            if value or name not in self._raw_usage
        )
        self.tally.take_usage(
            self._codec.decode_usage(self._raw_usage), reported=bool(self._raw_usage)
        )
        if event.delta is not None and event.delta.stop_reason:
            self.tally.finish(event.delta.stop_reason)

    def _count(self, event: _Event) -> None:
        tally = self.tally
        if event.type == "ping" and not self._is_at_prose:
            # Claude holds a long argument back until it is whole, and pings meanwhile.
            tally.signs += 1
        if (block := event.content_block) is not None:
            tally.signs += 1
            self._is_at_prose = block.type in _PROSE
            tally.add_output(block.name or "")
            # Some hosts have all of a short text here, and no delta.
            tally.add_output(block.text or "")
            tally.add_reasoning(block.thinking or "")
            # A block of any other kind, as of compaction or a tool's result, comes whole.
            tally.has_content |= block.type not in _GROWING
        if (delta := event.delta) is not None:
            if delta.type not in _TEXT_DELTAS:
                tally.signs += 1  # a signature, a citation
            if delta.text:
                tally.add_output(delta.text)
            if delta.partial_json:
                tally.add_output(delta.partial_json)
            if delta.thinking:
                tally.add_reasoning(delta.thinking)


def with_cost(codec: Codec, raw: Json, tally: Tally, usage: Usage, shape: AnswerShape) -> Json:
    """The provider's own usage with the cost beside it; ours when the provider sent none that can be true."""
    if tally.usage is None or tally.usage != usage:
        return codec.encode_usage(usage, price=shape.price)
    return {**raw, **shape.price(usage)}
