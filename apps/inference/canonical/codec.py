"""Codec: one wire in both directions. Sans-IO and synchronous: a codec sees dicts and SSE records, nothing else.

client --decode_request--> ChatRequest --encode_request--> upstream
client <--encode_response-- ChatResponse <--decode_response-- upstream
client <--StreamEncoder-- Event* <--StreamDecoder-- upstream
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec import field

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.events import Event
from apps.inference.canonical.failures import MalformedUpstream as MalformedUpstream
from apps.inference.canonical.request import ChatRequest
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.sse import SseRecord

Json = dict[str, Any]

PriceUsage = Callable[[Usage], Json]
"""Usage to the cost fields that join the client's ``usage`` object: ``{"cost": <dollars>, "cost_details": {…}}``."""


class AnswerIdentity(msgspec.Struct, frozen=True):
    """How the answer names itself to the client, whatever the provider called it."""

    id: str
    model: str
    created: int
    """Unix seconds."""
    echo: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request that the answer repeats, on wires that do so."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    body: Json
    dropped: tuple[str, ...] = ()
    """Client parameters that this wire cannot carry, by the names the client used."""


class Framing(Protocol):
    """How a wire cuts its stream into records: bytes in any portions to records. One instance per stream."""

    def feed(self, chunk: bytes) -> list[SseRecord]:
        """The records that end in this chunk. Raises MalformedUpstream."""
        ...

    def flush(self) -> list[SseRecord]:
        """The record that the stream ended in, if the framing allows that."""
        ...


class StreamDecoder(Protocol):
    ended: bool
    """True once the wire's own end marker was seen: whatever follows is no part of the answer. Not every wire has one."""

    @property
    def has_reason(self) -> bool:
        """The provider has said why it ended: of what may follow, only usage is of interest."""
        ...

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one SSE record. Raises MalformedUpstream when the record is not of this wire."""
        ...

    def flush(self) -> Iterable[Event]:
        """Events held until the stream's end: usage, then Finished. Yields no Finished if the provider sent no reason."""
        ...


class StreamEncoder(Protocol):
    def feed(self, event: Event) -> bytes:
        """SSE bytes for the client, possibly empty. Usage and Finished are held for ``finish``."""
        ...

    def finish(self, usage: Usage) -> bytes:
        """The closing records: finish reason, usage with its cost, terminal marker."""
        ...

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke: after them nothing may follow."""
        ...


class Codec(Protocol):
    def decode_request(self, body: Json) -> ChatRequest:
        """Raises InvalidRequest naming the field when the body is not of this wire."""
        ...

    def encode_request(self, request: ChatRequest, *, model: str) -> EncodedRequest: ...

    def decode_response(self, body: Json) -> ChatResponse:
        """Raises MalformedUpstream when the body is not of this wire."""
        ...

    def encode_response(
        self, response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
    ) -> Json: ...

    def framing(self) -> Framing: ...

    def stream_decoder(self) -> StreamDecoder: ...

    def stream_encoder(
        self, *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
    ) -> StreamEncoder: ...

    def encode_usage(self, usage: Usage, *, price: PriceUsage) -> Json:
        """The wire's own ``usage`` object, with the cost fields added."""
        ...

    def decode_usage(self, raw: object) -> Usage | None:
        """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole)."""
        ...

    def encode_error(self, error: GatewayzError, *, request_id: str) -> Json: ...

    def encode_stream_error(self, error: GatewayzError, *, request_id: str) -> bytes:
        """The dialect's in-stream error record, for a stream of which no record was made by an encoder."""
        ...
