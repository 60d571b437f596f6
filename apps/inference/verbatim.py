"""The verbatim lane: client and provider speak the same wire.

The client's body travels on with its model name changed and the gateway's own fields taken out; the answer's bytes
travel back with its ``id`` and ``model`` renamed. Nothing that we do not know is lost, and nothing is re-encoded. Every
record is decoded once into a few typed fields (about a microsecond), because billing and failover must see all of it.
"""

from typing import Any

import msgspec
import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.events import UpstreamError
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.protocols import CODECS
from apps.inference.relay import AnswerShape, Json, JsonRelay, StreamRelay, Tally

GATEWAY_FIELDS = frozenset(
    {"models", "provider", "route", "transforms", "session_id", "recover", "max_cost"}
)
"""Fields that speak to the gateway and that no provider would understand."""


class VerbatimLane:
    dropped: tuple[str, ...] = ()

    def __init__(self, wire: Wire, body: Json) -> None:
        self._wire = wire
        self._body = body

    def upstream_body(self, model: str) -> Json:
        body = {name: value for name, value in self._body.items() if name not in GATEWAY_FIELDS}
        body["model"] = model
        if self._wire is Wire.OPENAI_CHAT and body.get("stream"):
            # Streams are always metered, whether the client asked for usage or not.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return body

    def stream(self, shape: AnswerShape) -> StreamRelay:
        if self._wire is Wire.OPENAI_CHAT:
            return ChatStream(shape, CODECS[self._wire])
        return MessagesStream(shape, CODECS[self._wire])

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return VerbatimAnswer(shape, CODECS[self._wire], self._wire)


# Hosts bend these types now and then (a list of parts as content, an object as arguments). What is merely passed on
# must not fail for that, so only the outer shape is typed and ``_text`` measures the rest.


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
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


def _text(value: Any) -> str:
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
    """OpenAI chat completion chunks: https://platform.openai.com/docs/api-reference/chat/streaming."""

    def __init__(self, shape: AnswerShape, codec: Codec) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
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
            "object": "chat.completion.chunk",
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
                tally.finish_reason = choice.finish_reason
            delta = choice.delta
            if delta is None:
                continue
            if delta.content:
                tally.add_output(_text(delta.content))
            if text := delta.reasoning_content or delta.reasoning:
                tally.add_reasoning(_text(text))
            if delta.refusal:
                tally.add_output(_text(delta.refusal))
            for call in delta.tool_calls or ():
                tally.has_content = True
                if call.function is not None:
                    tally.add_output(_text(call.function.name) + _text(call.function.arguments))

    def _take_usage(self, chunk: _Chunk, data: bytes) -> bytes:
        """Usage is shown once, at the end, with its cost; what else the record says goes on without it."""
        self._raw_usage = chunk.usage or {}
        self.tally.usage = self._codec.decode_usage(chunk.usage)
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
        return data


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
    stop_reason: str | None = None


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
        self._raw_usage.update(message.get("usage") or {})
        if self._codec.decode_usage(self._raw_usage) is None:
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
        self.tally.usage = self._codec.decode_usage(self._raw_usage)
        if event.delta is not None and event.delta.stop_reason:
            self.tally.finish_reason = event.delta.stop_reason

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


class VerbatimAnswer:
    """A whole JSON answer of either wire."""

    def __init__(self, shape: AnswerShape, codec: Codec, wire: Wire) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._wire = wire
        self._body: Json = {}

    def read(self, body: bytes) -> None:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedUpstream("the body is not JSON") from error
        if not isinstance(answer, dict):
            raise MalformedUpstream("the body is not a JSON object")
        if answer.get("error"):
            self.tally.error = read_error(answer["error"])
            return
        self._body = answer
        self.tally.usage = self._codec.decode_usage(answer.get("usage"))
        try:
            if self._wire is Wire.OPENAI_CHAT:
                self._count_choices(answer.get("choices") or [])
            else:
                self._count_blocks(answer)
        except (AttributeError, TypeError, KeyError) as error:
            raise MalformedUpstream("the body is not an answer of this wire") from error

    def finish(self, usage: Usage) -> bytes:
        body = self._body
        body["id"], body["model"] = self._shape.identity.id, self._shape.identity.model
        body["usage"] = with_cost(
            self._codec, body.get("usage") or {}, self.tally, usage, self._shape
        )
        return orjson.dumps(body)

    def _count_choices(self, choices: list[Json]) -> None:
        tally = self.tally
        for choice in choices:
            message = choice["message"]
            if content := message.get("content"):
                tally.add_output(_text(content))
            if refusal := message.get("refusal"):
                tally.add_output(_text(refusal))
            if text := message.get("reasoning_content") or message.get("reasoning"):
                tally.add_reasoning(_text(text))
            for call in message.get("tool_calls") or ():
                function = call.get("function") or {}
                tally.add_output(_text(function.get("name")) + _text(function.get("arguments")))
            tally.finish_reason = choice.get("finish_reason") or tally.finish_reason

    def _count_blocks(self, answer: Json) -> None:
        tally = self.tally
        for block in answer.get("content") or ():
            match block["type"]:
                case "text":
                    tally.add_output(block["text"])
                case "thinking":
                    tally.add_reasoning(block["thinking"])
                case "tool_use" | "server_tool_use":
                    tally.add_output(block["name"] + orjson.dumps(block["input"]).decode())
                case _:
                    tally.has_content = True
        tally.finish_reason = answer.get("stop_reason") or ""


def with_cost(codec: Codec, raw: Json, tally: Tally, usage: Usage, shape: AnswerShape) -> Json:
    """The provider's own usage with the cost beside it; ours when the provider sent none that can be true."""
    if tally.usage is None or tally.usage != usage:
        return codec.encode_usage(usage, price=shape.price)
    return {**raw, **shape.price(usage)}
