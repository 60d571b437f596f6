"""The translated lane: client and provider speak different wires, and the canonical form stands between them."""

import orjson

from apps.catalog.providers.spec import Endpoint, Quirk, Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.content import Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import ErrorInsteadOfAnswer
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from apps.inference.relay import (
    JSON_TYPE,
    AnswerShape,
    Json,
    JsonRelay,
    Outgoing,
    StreamRelay,
    Tally,
    outgoing_json,
)


class TranslatedLane:
    """Raises InvalidRequest, naming the field, when the client's body is not of its wire."""

    def __init__(self, client: Wire, upstream: Wire, body: Json) -> None:
        self._client = CODECS[client]
        self._upstream = CODECS[upstream]
        encoded = self._upstream.encode_request(self._client.decode_request(body), model="")
        self._body = encoded.body
        self.dropped = encoded.dropped

    def outgoing(
        self, upstream_model: str, endpoint: Endpoint, quirks: tuple[Quirk, ...]
    ) -> Outgoing:
        return outgoing_json(self._upstream_body(upstream_model), endpoint, quirks)

    def _upstream_body(self, model: str) -> Json:
        return {**self._body, "model": model}

    def stream(self, shape: AnswerShape) -> StreamRelay:
        return TranslatedStream(shape, client=self._client, upstream=self._upstream)

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return TranslatedAnswer(shape, client=self._client, upstream=self._upstream)


class TranslatedStream:
    def __init__(self, shape: AnswerShape, *, client: Codec, upstream: Codec) -> None:
        self.tally = Tally()
        self._framing = upstream.framing()
        self._decoder = upstream.stream_decoder()
        self._encoder = client.stream_encoder(
            identity=shape.identity, price=shape.price, include_usage=shape.include_usage
        )
        self._kinds: dict[int, BlockKind] = {}

    def feed(self, data: bytes) -> bytes:
        return self._records(self._framing.feed(data))

    def end(self) -> bytes:
        rest = self._records(self._framing.flush())
        return rest + b"".join([self._event(event) for event in self._decoder.flush()])

    def finish(self, usage: Usage) -> bytes:
        return self._encoder.finish(usage)

    def fail(self, error: GatewayzError) -> bytes:
        return self._encoder.fail(error)

    def _records(self, records: list[SseRecord]) -> bytes:
        ready: list[bytes] = []
        for record in records:
            ready += [self._event(event) for event in self._decoder.feed(record)]
        self.tally.ended = self._decoder.ended
        return b"".join(ready)

    def _event(self, event: Event) -> bytes:
        match event:
            case BlockDelta():
                self._count(event)
            case BlockStarted():
                self._kinds[event.index] = event.kind
                if event.kind is BlockKind.TOOL_CALL:
                    self.tally.add_output(event.tool_name)
            case UsageReported():
                self.tally.take_usage(event.usage, reported=True)
            case Finished():
                self.tally.finish_reason = event.reason.value
            case UpstreamError():
                self.tally.error = event
                return b""
        return self._encoder.feed(event)

    def _count(self, delta: BlockDelta) -> None:
        if not delta.text:
            return
        if self._kinds.get(delta.index) is BlockKind.REASONING:
            self.tally.add_reasoning(delta.text)
        else:
            self.tally.add_output(delta.text)


class TranslatedAnswer:
    def __init__(self, shape: AnswerShape, *, client: Codec, upstream: Codec) -> None:
        self.tally = Tally()
        self.media_type = JSON_TYPE
        self._shape = shape
        self._client = client
        self._upstream = upstream
        self._response: ChatResponse | None = None

    def read(self, body: bytes, media_type: str) -> None:
        try:
            raw = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedUpstream("the body is not JSON") from error
        if not isinstance(raw, dict):
            raise MalformedUpstream("the body is not a JSON object")
        try:
            response = self._response = self._upstream.decode_response(raw)
        except ErrorInsteadOfAnswer as found:
            self.tally.error = found.error
            return
        self.tally.take_usage(response.usage, reported=response.usage_reported)
        self.tally.finish_reason = response.finish.value if response.finish else ""
        self._count(response)

    def finish(self, usage: Usage) -> bytes:
        assert self._response is not None
        return orjson.dumps(
            self._client.encode_response(
                self._response, identity=self._shape.identity, usage=usage, price=self._shape.price
            )
        )

    def _count(self, response: ChatResponse) -> None:
        for block in response.blocks:
            match block:
                case Text(text=text) | Refusal(text=text):
                    self.tally.add_output(text)
                case Reasoning():
                    self.tally.add_reasoning(block.text)
                case ToolCall():
                    self.tally.add_output(block.name + block.arguments)
                case _:
                    self.tally.has_content = True
