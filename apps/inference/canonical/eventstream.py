"""Amazon's binary event stream: an incremental decoder and a one-message encoder.

    total length 4 | headers' length 4 | CRC of these 8 bytes 4 | headers | payload | CRC of all before 4

https://smithy.io/2.0/aws/amazon-eventstream.html (2026-11-21). Numbers are big-endian. A record is named by ``:event-type``,
or by ``:exception-type`` or ``:error-code`` when the stream has failed; its data are the payload.
"""

import struct
from binascii import crc32

import orjson

from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import MAX_RECORD_BYTES, SseRecord

_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_PRELUDE_BYTES = _LENGTHS.size + _CRC.size
_LEAST_BYTES = _PRELUDE_BYTES + _CRC.size
_STRING = 7
_SIZED = frozenset({6, _STRING})
"""Types of header values, bytes and strings, whose length goes before them."""
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""true, false, byte, short, integer, long, timestamp, UUID."""
_NAMES = (":exception-type", ":error-code", ":event-type")


class EventStreamDecoder:
    """Bytes in any portions to records. One instance per stream."""

    __slots__ = ("_carry",)

    def __init__(self) -> None:
        self._carry = bytearray()

    def feed(self, chunk: bytes) -> list[SseRecord]:
        """The messages that end in this chunk. Raises MalformedUpstream when a checksum or a length is wrong."""
        self._carry += chunk
        records: list[SseRecord] = []
        start = 0
        while (size := self._size_at(start)) is not None and start + size <= len(self._carry):
            records.append(_read_message(bytes(self._carry[start : start + size])))
            start += size
        del self._carry[:start]
        return records

    def flush(self) -> list[SseRecord]:
        """Always empty: a message has no other end than its last byte. Raises MalformedUpstream when one was cut."""
        if self._carry:
            raise MalformedUpstream("the event stream ended in the middle of a message")
        return []

    def _size_at(self, start: int) -> int | None:
        """How long the message is that begins here; None when its prelude is not there yet."""
        prelude = bytes(self._carry[start : start + _PRELUDE_BYTES])
        if len(prelude) < _PRELUDE_BYTES:
            return None
        size, headers_size = _LENGTHS.unpack_from(prelude)
        (expected,) = _CRC.unpack_from(prelude, _LENGTHS.size)
        if crc32(prelude[: _LENGTHS.size]) != expected:
            raise MalformedUpstream("the checksum of an event's prelude is wrong")
        if not headers_size + _LEAST_BYTES <= size <= MAX_RECORD_BYTES:
            raise MalformedUpstream(f"an event cannot be {size} bytes long")
        return int(size)


def encode_message(payload: bytes, *, event: str, is_exception: bool = False) -> bytes:
    """One message with a JSON payload."""
    kind = "exception" if is_exception else "event"
    headers = b"".join(
        _encode_header(name, value)
        for name, value in (
            (f":{kind}-type", event),
            (":content-type", "application/json"),
            (":message-type", kind),
        )
    )
    lengths = _LENGTHS.pack(_LEAST_BYTES + len(headers) + len(payload), len(headers))
    body = lengths + _CRC.pack(crc32(lengths)) + headers + payload
    return body + _CRC.pack(crc32(body))


def _encode_header(name: str, value: str) -> bytes:
    text = value.encode()
    return bytes([len(name)]) + name.encode() + bytes([_STRING]) + _SHORT.pack(len(text)) + text


def _read_message(message: bytes) -> SseRecord:
    end = len(message) - _CRC.size
    (expected,) = _CRC.unpack_from(message, end)
    if crc32(message[:end]) != expected:
        raise MalformedUpstream("the checksum of an event is wrong")
    _, headers_size = _LENGTHS.unpack_from(message)
    begun = _PRELUDE_BYTES + headers_size
    try:
        headers = _read_headers(message[_PRELUDE_BYTES:begun])
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as wrong:
        raise MalformedUpstream(f"the headers of an event cannot be read: {wrong!r}") from wrong
    name = next((headers[name] for name in _NAMES if name in headers), "")
    payload = message[begun:end]
    if ":error-code" in headers:  # an error without a payload: its text is a header as well
        payload = orjson.dumps({"message": headers.get(":error-message", "")})
    return SseRecord(name, payload)


def _read_headers(raw: bytes) -> dict[str, str]:
    """Those that are strings; the others are stepped over."""
    found: dict[str, str] = {}
    at = 0
    while at < len(raw):
        name_end = at + 1 + raw[at]
        name, kind = raw[at + 1 : name_end].decode(), raw[name_end]
        at = name_end + 1
        size = _FIXED_BYTES[kind] if kind not in _SIZED else _SHORT.unpack_from(raw, at)[0]
        at += _SHORT.size if kind in _SIZED else 0
        if at + size > len(raw):
            raise IndexError(name)
        if kind == _STRING:
            found[name] = raw[at : at + size].decode()
        at += size
    return found
