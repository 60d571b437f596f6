"""The verbatim lane's streams: records are passed on as bytes and read into a few typed fields on the way."""

from typing import Any

import msgspec
import orjson

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.events import UpstreamError
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.relay import AnswerShape, Json, Tally

# Hosts bend these types now and then (a list of parts as content, an object as arguments). What is merely passed on
# must not fail for that, so only the outer shape is typed and ``text_of`` measures the rest.


class _Function(msgspec.Struct):
    name: Any = None
    arguments: Any = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: Any = None
    """Of a text completion, which has no delta."""
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


def text_of(value: Any) -> str:
    """The value as far as it counts as output."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if value else ""


def read_error(error: Any) -> UpstreamError:
    if isinstance(error, dict):
        return UpstreamError(
            code=str(error.get("code") or error.get("type") or ""),
            message=str(error.get("message") or ""),
        )
    return UpstreamError(code="", message=str(error))


class ChatStream:
    """OpenAI chat completion chunks: https://platform.openai.com/docs/api-reference/chat/streaming.

    Text completions differ from them in ``kind`` and in where the text stands.
    """

    def __init__(
        self, shape: AnswerShape, codec: Codec, *, kind: str = "chat.completion.chunk"
    ) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._kind = kind
        self._sse = SseDecoder()
        self._renames: tuple[tuple[bytes, bytes], ...] = ()
        self._names: tuple[str | None, str | None] = (None, None)
        self._usage_chunk: Json | None = None
        self._raw_usage: Json = {}

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        tail = b"data: [DONE]\n\n"
        if not self._shape.include_usage:
            return tail
        identity = self._shape.identity
        chunk = self._usage_chunk or {
            "object": self._kind,
            "created": identity.created,
        }
        chunk = {
            **chunk,
            "id": identity.id,
            "model": identity.model,
            "choices": [],
            "usage": with_cost(self._codec, self._raw_usage, self.tally, usage, self._shape),
        }
        return encode_record(orjson.dumps(chunk)) + tail

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke."""
        return self._codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
        data = record.data
        if data == b"[DONE]":
            self.tally.ended = True
            return b""
        try:
            chunk = _chunk.decode(data)
        except msgspec.DecodeError as error:
            raise MalformedUpstream(f"not a chat completion chunk: {error}") from error
        if chunk.error is not None:
            self.tally.error = read_error(chunk.error)
            return b""
        self._count(chunk)
        if chunk.usage is not None:
            return self._take_usage(chunk, data)
        return b"data: " + self._rename(chunk, data) + b"\n\n"

    def _count(self, chunk: _Chunk) -> None:
        tally = self.tally
        for choice in chunk.choices or ():
            if choice.finish_reason:
                tally.finish(choice.finish_reason)
                tally.open_choices.discard(choice.index)
            else:
                tally.open_choices.add(choice.index)
            if choice.text:
                tally.add_output(text_of(choice.text))
            delta = choice.delta
            if delta is None:
                continue
            if delta.content:
                tally.add_output(text_of(delta.content))
            if text := delta.reasoning_content or delta.reasoning:
                tally.add_reasoning(text_of(text))
            if delta.refusal:
                tally.add_output(text_of(delta.refusal))
            for call in delta.tool_calls or ():
                tally.has_content = True
                if call.function is not None:
                    tally.add_output(text_of(call.function.name) + text_of(call.function.arguments))

    def _take_usage(self, chunk: _Chunk, data: bytes) -> bytes:
        """Usage is shown once, at the end, with its cost; what else the record says goes on without it."""
        if chunk.usage:  # an empty one takes nothing back
            self._raw_usage = chunk.usage
            self.tally.take_usage(self._codec.decode_usage(chunk.usage), reported=True)
        whole = orjson.loads(data)
        whole.pop("usage")
        if not chunk.choices:
            self._usage_chunk = whole
            return b""
        identity = self._shape.identity
        whole["id"], whole["model"] = identity.id, identity.model
        if self._shape.include_usage:
            whole["usage"] = None
        return encode_record(orjson.dumps(whole))

    def _rename(self, chunk: _Chunk, data: bytes) -> bytes:
        if (chunk.id, chunk.model) != self._names:
            self._names = (chunk.id, chunk.model)
            identity = self._shape.identity
            self._renames = (
                *_spellings(b'"id":', chunk.id, identity.id),
                *_spellings(b'"model":', chunk.model, identity.model),
                *(() if self._shape.include_usage else _UNASKED_USAGE),
            )
        for old, new in self._renames:
            if old in data:
                data = data.replace(old, new, 1)
        if chunk.id is not None and self._shape.identity.id.encode() not in data:
            return self._rewrite(data)  # spelled in a way that nobody uses
        return data

    def _rewrite(self, data: bytes) -> bytes:
        whole = orjson.loads(data)
        whole["id"], whole["model"] = self._shape.identity.id, self._shape.identity.model
        return orjson.dumps(whole)


_UNASKED_USAGE = ((b'"usage":null,', b""), (b'"usage": null, ', b""))
"""What providers add to every chunk because we, not the client, asked them for usage."""


def _spellings(key: bytes, old: str | None, new: str) -> tuple[tuple[bytes, bytes], ...]:
    """The key with its value as providers write it, compact and with a space; inside strings quotes are escaped."""
    if old is None:
        return ()
    value = orjson.dumps(old)
    renamed = key + orjson.dumps(new)
    return (key + value, renamed), (key + b" " + value, renamed)


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


class MessagesStream:
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

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        self._message_delta["usage"] = with_cost(
            self._codec, self._raw_usage, self.tally, usage, self._shape
        )
        return encode_record(orjson.dumps(self._message_delta), "message_delta") + encode_record(
            b'{"type":"message_stop"}', "message_stop"
        )

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke."""
        return self._codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
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
        self._count(event)
        if not event.type:
            raise MalformedUpstream("a message event without a type")
        return encode_record(record.data, event.type)

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
        if (block := event.content_block) is not None and block.type in {
            "tool_use",
            "server_tool_use",
        }:
            tally.add_output(block.name or "")
        if (delta := event.delta) is not None:
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
