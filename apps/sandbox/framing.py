"""How records become bytes: SSE, a JSON array, AWS's event stream, or nothing around them.

A framing knows no wire and no fault; delivery asks it for the bytes of one record at a time.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol
from zlib import crc32

HEADER_IS_TEXT = 7


class Kind(Enum):
    """A record's place in the stream, as far as faults care."""

    OPENING = auto()
    FRAME = auto()
    CONTENT = auto()
    CLOSING = auto()
    FAILURE = auto()
    """Closes too, and says that the answer failed."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a stream before framing."""

    kind: Kind
    data: bytes
    event: bytes | None = None


class Framing(Protocol):
    @property
    def content_type(self) -> str: ...

    def frame(self, record: Record, *, position: int, line_end: bytes) -> bytes:
        """``position`` counts the records of the stream from 0."""

    def comment(self, line_end: bytes) -> bytes:
        """Bytes that mean nothing to a reader; empty when the framing has none."""

    def end(self, count: int) -> bytes:
        """What follows the last of ``count`` records."""


class Sse:
    """Server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html"""

    content_type = "text/event-stream; charset=utf-8"

    def frame(self, record: Record, *, position: int, line_end: bytes) -> bytes:
        name = b"event: " + record.event + line_end if record.event else b""
        data = record.data.replace(b"\n", line_end + b"data: ")
        return name + b"data: " + data + line_end + line_end

    def comment(self, line_end: bytes) -> bytes:
        return b": OPENROUTER PROCESSING" + line_end * 2

    def end(self, count: int) -> bytes:
        return b""


class JsonArray:
    """One JSON array whose elements arrive one by one: Google's streams without ``alt=sse``."""

    content_type = "application/json; charset=UTF-8"

    def frame(self, record: Record, *, position: int, line_end: bytes) -> bytes:
        return (b"," + line_end if position else b"[") + record.data + line_end

    def comment(self, line_end: bytes) -> bytes:
        return b""

    def end(self, count: int) -> bytes:
        return b"]" if count else b"[]"


class EventStream:
    """AWS's binary frames: total length, header length, CRC of both; headers; payload; CRC of all before.

    Integers are big-endian. A record whose event name ends in "Exception" is an exception message.
    Format: https://smithy.io/2.0/aws/amazon-eventstream.html
    """

    content_type = "application/vnd.amazon.eventstream"

    def frame(self, record: Record, *, position: int, line_end: bytes) -> bytes:
        name = record.event or b""
        kind = b"exception" if name.endswith(b"Exception") else b"event"
        headers = _pack_headers(
            (
                (b":" + kind + b"-type", name),
                (b":content-type", b"application/json"),
                (b":message-type", kind),
            )
        )
        total = 12 + len(headers) + len(record.data) + 4
        prelude = struct.pack("!II", total, len(headers))
        message = prelude + struct.pack("!I", crc32(prelude)) + headers + record.data
        return message + struct.pack("!I", crc32(message))

    def comment(self, line_end: bytes) -> bytes:
        return b""

    def end(self, count: int) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Plain:
    """The records' bytes as they are: sound."""

    content_type: str

    def frame(self, record: Record, *, position: int, line_end: bytes) -> bytes:
        return record.data

    def comment(self, line_end: bytes) -> bytes:
        return b""

    def end(self, count: int) -> bytes:
        return b""


def _pack_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!BH", HEADER_IS_TEXT, len(value)) + value
        for name, value in headers
    )
