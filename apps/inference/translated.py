"""The translated lane: client and provider speak different wires, and the canonical form stands between them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, assert_never
from urllib.parse import quote

import orjson
from msgspec import structs
from typing_extensions import override

from apps.catalog.providers.spec import Endpoint, Quirk, Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream, StreamEncoder
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    Opaque,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import ErrorInsteadOfAnswer
from apps.inference.canonical.media import said_instead
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.sse import SseRecord
from apps.inference.preferences import ROUTING_FIELDS
from apps.inference.protocols import CODECS
from apps.inference.relay import (
    JSON_TYPE,
    AnswerShape,
    EventRelay,
    Json,
    JsonRelay,
    Outgoing,
    StreamRelay,
    Tally,
    outgoing_json,
    without_unheard,
)

MOST_UNASKED = 32_000
"""Tokens that a model may say when the client sets no limit: what every Claude since 4 gives without a preview's header."""
MOST_NAMES = 32
LONGEST_NAME = 64
_FIRST_NOTE = -100
"""Notes are numbered downwards from here: no decoder and no encoder has a block of such an index."""


FIELDS = {
    "thinking": "reasoning",
    "thinking.budget_tokens": "reasoning",
    "output_config.effort": "effort",
    "additionalModelRequestFields.thinking": "reasoning",
    "additionalModelRequestFields.thinking.budget_tokens": "reasoning",
    "additionalModelRequestFields.top_k": "top_k",
    "outputConfig.effort": "effort",
    "inferenceConfig.temperature": "temperature",
    "inferenceConfig.topP": "top_p",
    "generationConfig.thinkingConfig": "reasoning",
    "reasoning_effort": "effort",
    "reasoning.effort": "effort",
}
"""What a host's quirks name in its own words, as a field of the request: the client is told in its own."""


def told_in_header(names: Iterable[str]) -> tuple[str, ...]:
    """A client's own names as a header can hold them: percent-encoded where they must be, cut, and not too many."""
    encoded = (
        quote(name[:LONGEST_NAME], "!#$&'()*+-./:;<=>?@[]^_`{|}~", errors="replace")
        for name in names
    )
    return tuple(dict.fromkeys(encoded))[:MOST_NAMES]


class TranslatedLane:
    """Raises InvalidRequest, naming the field, when the client's body is not of its wire."""

    def __init__(
        self, client: Wire, upstream: Wire, body: Json, *, most_output: int | None = None
    ) -> None:
        self._client_wire, self._client = client, CODECS[client]
        self._upstream = CODECS[upstream]
        request = self._client.decode_request(
            {name: value for name, value in body.items() if name not in ROUTING_FIELDS}
        )
        if upstream is Wire.ANTHROPIC_MESSAGES and request.max_tokens is None and most_output:
            # There a limit is mandatory; a client that sets none means the model's own.
            request = replace(request, max_tokens=min(most_output, MOST_UNASKED))
        self._echo = request.echo
        self._name_of = request.name_of
        encoded = self._upstream.encode_request(request, model="")
        self._body = encoded.body
        self._unheard = encoded.dropped
        self.dropped = told_in_header(encoded.dropped)

    def outgoing(
        self, upstream_model: str, endpoint: Endpoint, quirks: tuple[Quirk, ...]
    ) -> Outgoing:
        sent = outgoing_json(self._upstream_body(upstream_model), endpoint, quirks)
        lost = (self._name_of(FIELDS.get(name, name)) for name in sent.dropped)
        return structs.replace(sent, dropped=tuple(dict.fromkeys(lost)))

    def _upstream_body(self, model: str) -> Json:
        return {**self._body, "model": model}

    def stream(self, shape: AnswerShape) -> StreamRelay:
        shape = self._told(shape)
        encoder = self._client.stream_encoder(
            identity=shape.identity, price=shape.price, include_usage=shape.include_usage
        )
        return TranslatedStream(
            upstream=self._upstream, encoder=encoder, client_wire=self._client_wire
        )

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return TranslatedAnswer(
            self._told(shape),
            client=self._client,
            upstream=self._upstream,
            client_wire=self._client_wire,
        )

    def _told(self, shape: AnswerShape) -> AnswerShape:
        return told(without_unheard(shape, self._unheard), self._echo)


def told(shape: AnswerShape, echo: Mapping[str, Any]) -> AnswerShape:
    """The shape with what the client's codec wants to know of the request when it writes the answer."""
    if not echo:
        return shape
    identity = structs.replace(shape.identity, echo={**shape.identity.echo, **echo})
    return structs.replace(shape, identity=identity)


_KEEP_ALIVE = frozenset({"ping", "keepalive"})


class TranslatedStream(EventRelay):
    def __init__(self, *, upstream: Codec, encoder: StreamEncoder, client_wire: Wire) -> None:
        self.tally = Tally()
        self._client_wire = client_wire
        self._encoder = encoder
        self._framing = upstream.framing()
        self._decoder = upstream.stream_decoder()
        self._kinds: dict[int, BlockKind] = {}
        self._is_at_prose = True
        """The last block is text or thinking, and no call or what only the host's wire has a word for."""
        self._notes = 0
        """Texts that stand for what the client's format has no words for."""

    def feed(self, data: bytes) -> bytes:
        return self._records(self._framing.feed(data))

    def end(self) -> bytes:
        return self._records(self._framing.flush()) + self.break_off()

    @override
    def break_off(self) -> bytes:
        return b"".join([self._event(event) for event in self._decoder.flush()])

    def finish(self, usage: Usage) -> bytes:
        return self._encoder.finish(usage)

    def fail(self, error: GatewayzError) -> bytes:
        return self._encoder.fail(error)

    def _records(self, records: list[SseRecord]) -> bytes:
        ready: list[bytes] = []
        for record in records:
            if self._decoder.ended:
                break
            events = self._decoder.feed(record)
            if not events:
                self._look_for_life(record)
            ready += [self._event(event) for event in events]
        self.tally.ended = self._decoder.ended
        if self._decoder.has_reason and not self.tally.has_reason:
            self.tally.signs += 1
            self.tally.has_reason = True
        return b"".join(ready)

    def _look_for_life(self, record: SseRecord) -> None:
        """Of a record without events. A host's work on a tool is told by name; a ping counts only while a call is awaited:
        Claude holds a long argument back until it is whole, and pings meanwhile."""
        name = record.event.lower()
        if name == "content_block_start":
            self._is_at_prose = False
        if name in _KEEP_ALIVE or name.endswith("delta"):
            self.tally.signs += not self._is_at_prose
        elif "." in name or "block" in name:
            self.tally.signs += 1

    def _event(self, event: Event) -> bytes:
        if not isinstance(event, BlockDelta) or event.signature:
            self.tally.signs += 1
        match event:
            case BlockDelta():
                self._count(event)
            case BlockStarted():
                self._kinds[event.index] = event.kind
                self._is_at_prose = event.kind is not BlockKind.TOOL_CALL
                if event.kind is BlockKind.TOOL_CALL:
                    self.tally.add_output(event.tool_name)
            case UsageReported():
                self.tally.take_usage(event.usage, reported=True)
            case Finished():
                self.tally.finish(event.reason.value)
            case UpstreamError():
                self.tally.error = event
                return b""
            case Opaque():
                _count_media(self.tally, event)
                if note := said_instead(event, self._client_wire):
                    return self._write_note(note)
        return self._encoder.feed(event)

    def _write_note(self, text: str) -> bytes:
        self._notes += 1
        index = _FIRST_NOTE - self._notes
        started, delta = BlockStarted(index, BlockKind.TEXT), BlockDelta(index, text)
        events: tuple[Event, ...] = (started, delta, BlockFinished(index))
        return b"".join([self._encoder.feed(event) for event in events])

    def _count(self, delta: BlockDelta) -> None:
        if not delta.text:
            return
        if self._kinds.get(delta.index) is BlockKind.REASONING:
            self.tally.add_reasoning(delta.text)
        else:
            self.tally.add_output(delta.text)


class TranslatedAnswer:
    def __init__(
        self, shape: AnswerShape, *, client: Codec, upstream: Codec, client_wire: Wire
    ) -> None:
        self.tally = Tally()
        self._client_wire = client_wire
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
            response = self._upstream.decode_response(raw)
        except ErrorInsteadOfAnswer as found:
            self.tally.error = found.error
            return
        self.tally.take_usage(response.usage, reported=response.usage_reported)
        self.tally.finish(response.finish and response.finish.value)
        self._count(response)
        if response.finish is None and self.tally.has_content:
            raise MalformedUpstream("the answer does not say why it ended")
        self._response = replace(response, blocks=tuple(map(self._worded, response.blocks)))

    def finish(self, usage: Usage) -> bytes:
        assert self._response is not None
        return orjson.dumps(
            self._client.encode_response(
                self._response, identity=self._shape.identity, usage=usage, price=self._shape.price
            )
        )

    def _worded(self, block: Block) -> Block:
        """The block, or what stands for it where the client's format has no words for it."""
        note = said_instead(block, self._client_wire) if isinstance(block, Opaque) else ""
        return Text(note) if note else block

    def _count(self, response: ChatResponse) -> None:
        for block in response.blocks:
            match block:
                case Text(text=text) | Refusal(text=text):
                    self.tally.add_output(text)
                case Reasoning():
                    self.tally.add_reasoning(block.text)
                case ToolCall():
                    self.tally.add_output(block.name + block.arguments)
                case Opaque():
                    _count_media(self.tally, block)
                case _ as never:
                    assert_never(never)


def _count_media(tally: Tally, part: Opaque) -> None:
    """What only the host's wire has a word for, this client never sees, so it is no content."""
    tally.add_pictures(len(part.pictures))
    tally.has_content |= part.sound is not None
