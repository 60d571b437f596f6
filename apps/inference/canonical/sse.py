"""Server-sent events at byte level: an incremental decoder and a one-line encoder.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
Works on bytes because text helpers split lines on U+2028 and friends, which are legal inside JSON strings.
Only ``event`` and ``data`` are kept: no provider uses ``id`` or ``retry``.
"""

import msgspec

from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.surrogates import has_surrogates, join, mend

MAX_RECORD_BYTES = 16 * 1024 * 1024

_NEWLINE = 0x0A
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseRecord(msgspec.Struct, frozen=True, gc=False):
    """A msgspec struct, because a frozen dataclass takes seven times as long to make (measured on 3.11)."""

    event: str
    """Empty when the record names none."""
    data: bytes


class SseDecoder:
    """Bytes in any portions to records. One instance per stream."""

    __slots__ = ("_after_cr", "_at_start", "_carry", "_half", "_scanned")

    def __init__(self) -> None:
        self._carry = bytearray()
        """The record that has begun and not ended."""
        self._scanned = 0
        """How much of the carry is known to hold no record end."""
        self._at_start = True
        self._after_cr = False
        self._half: SseRecord | None = None
        """A record that ends in half a character; the next one brings the rest."""

    def feed(self, chunk: bytes) -> list[SseRecord]:
        """The records that end in this chunk. Raises MalformedUpstream when one grows past the bound."""
        if self._at_start:
            chunk = self._without_mark(chunk)
        if self._after_cr or chunk.find(b"\r") >= 0:  # twice as fast as ``in``
            chunk = self._with_plain_newlines(chunk)
        if self._carry:
            return self._feed_carry(chunk)
        if chunk.endswith(b"\n\n"):
            return self._records(chunk)
        return self._records_and_rest(chunk)

    def flush(self) -> list[SseRecord]:
        """The record that the stream ended in, for hosts that leave out the last blank line.

        A record cut in half comes out too; its data then fails to parse, as it should.
        """
        rest = bytes(self._carry)
        self._carry.clear()
        self._scanned = 0
        records = self._records(rest + b"\n\n")
        if self._half is not None:
            data, _ = join(self._half.data, b"")
            records.append(SseRecord(self._half.event, data))
            self._half = None
        return records

    def _feed_carry(self, chunk: bytes) -> list[SseRecord]:
        self._carry += chunk
        if self._carry.find(b"\n\n", self._scanned) < 0:
            # The carry may end in the first half of a record's end.
            self._scanned = max(0, len(self._carry) - 1)
            self._check_bound()
            return []
        text = bytes(self._carry)
        self._carry.clear()
        return self._records_and_rest(text)

    def _records_and_rest(self, text: bytes) -> list[SseRecord]:
        """The whole records of a text; what follows the last of them is carried over."""
        end = text.rfind(b"\n\n")
        begun = 0 if end < 0 else end + 2
        self._carry += text[begun:]
        self._scanned = max(0, len(self._carry) - 1)
        self._check_bound()
        return self._records(text[:begun])

    def _records(self, text: bytes) -> list[SseRecord]:
        records = _records(text)
        if self._half is None and not has_surrogates(text):
            return records
        whole: list[SseRecord] = []
        for record in records:
            event, data = record.event, record.data
            if self._half is not None:
                earlier, data = join(self._half.data, data)
                whole.append(SseRecord(self._half.event, earlier))
                self._half = None
            data, is_half = mend(data)
            if is_half:
                self._half = SseRecord(event, data)
            else:
                whole.append(SseRecord(event, data))
        return whole

    def _check_bound(self) -> None:
        if len(self._carry) > MAX_RECORD_BYTES:
            raise MalformedUpstream(f"an SSE record is longer than {MAX_RECORD_BYTES} bytes")

    def _without_mark(self, chunk: bytes) -> bytes:
        begun = bytes(self._carry) + chunk
        self._carry.clear()
        if len(begun) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(begun):
            self._carry += begun
            return b""
        self._at_start = False
        return begun.removeprefix(_BYTE_ORDER_MARK)

    def _with_plain_newlines(self, chunk: bytes) -> bytes:
        """CRLF and CR as LF. A CR at the chunk's end counts at once; an LF that follows it is skipped."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def on_one_line(data: bytes) -> bytes:
    """JSON that a host may have written over several lines of ``data``, of which many clients read only the first.

    Its line ends mean nothing: what has been read as JSON has none inside of strings (RFC 8259, section 7).
    """
    return data if data.find(b"\n") < 0 else data.replace(b"\n", b" ")


def encode_record(data: bytes, event: str | None = None) -> bytes:
    """One record of JSON, or of a marker."""
    data = on_one_line(data)
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def _records(text: bytes) -> list[SseRecord]:
    """Records of a text that ends with a blank line.

    The first two branches are the two shapes that providers really send; every stream passes here, so they search for
    single bytes only, which is four times as fast as for pairs. The third follows the standard.
    """
    found: list[SseRecord] = []
    start, size = 0, len(text)
    while start < size:
        if text.startswith(b"data: ", start):
            end = text.find(b"\n", start)
            if text[end + 1] == _NEWLINE:
                found.append(SseRecord("", text[start + 6 : end]))
                start = end + 2
                continue
        elif text.startswith(b"event: ", start):
            event_end = text.find(b"\n", start)
            end = text.find(b"\n", event_end + 1)
            if text.startswith(b"data: ", event_end + 1) and text[end + 1] == _NEWLINE:
                event = text[start + 7 : event_end].decode("utf-8", "replace")
                found.append(SseRecord(event, text[event_end + 7 : end]))
                start = end + 2
                continue
        end = text.find(b"\n\n", start)
        if end < 0:
            break
        if (record := _read_lines(text[start:end])) is not None:
            found.append(record)
        start = end + 2
    return found


def _read_lines(piece: bytes) -> SseRecord | None:
    """None when the piece has no data, as comments that keep a connection alive."""
    event = ""
    data: list[bytes] = []
    for line in piece.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ").decode("utf-8", "replace")
    if not data:
        return None
    return SseRecord(event, data[0] if len(data) == 1 else b"\n".join(data))
