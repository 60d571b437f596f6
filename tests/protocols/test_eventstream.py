"""Amazon's binary framing: any portions, nothing damaged, and read by Amazon's own reader."""

import struct
from binascii import crc32
from typing import Any

import orjson
import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.eventstream import EventStreamDecoder, encode_message
from apps.inference.canonical.sse import SseRecord
from tests.protocols.cases import CASES, Case, encode_stream, events_of, portions

STREAM = encode_message(b'{"a":1}', event="first") + encode_message(b"", event="second")
RECORDS = [SseRecord("first", b'{"a":1}'), SseRecord("second", b"")]


def read(stream: bytes, size: int = 4096) -> list[SseRecord]:
    decoder = EventStreamDecoder()
    records = [record for piece in portions(stream, size) for record in decoder.feed(piece)]
    return records + decoder.flush()


def message(headers: bytes, payload: bytes = b"{}") -> bytes:
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return body + struct.pack(">I", crc32(body))


def header(name: str, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([kind]) + value


def string(name: str, value: str) -> bytes:
    return header(name, 7, struct.pack(">H", len(value)) + value.encode())


@pytest.mark.parametrize("size", [1, 2, 7, 11, 12, 13, 4096])
def test_records_do_not_depend_on_portions(size: int):
    assert read(STREAM, size) == RECORDS


@settings(max_examples=60, deadline=None)
@given(
    payloads=st.lists(st.binary(max_size=200), max_size=5),
    size=st.integers(1, 300),
)
def test_any_payload_survives(payloads: list[bytes], size: int):
    stream = b"".join(encode_message(payload, event="e") for payload in payloads)

    assert [record.data for record in read(stream, size)] == payloads


@pytest.mark.parametrize("place", range(len(STREAM)))
def test_no_flipped_bit_passes(place: int):
    damaged = bytearray(STREAM)
    damaged[place] ^= 0x10

    with pytest.raises(MalformedUpstream):
        read(bytes(damaged))


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_cut_stream_is_told_from_a_whole_one(cut: int):
    boundary = len(encode_message(b'{"a":1}', event="first"))

    if cut == boundary:
        assert read(STREAM[:cut]) == RECORDS[:1]
        return
    with pytest.raises(MalformedUpstream):
        read(STREAM[:cut])


def test_headers_of_every_type_are_stepped_over():
    headers = b"".join(
        [
            header("t", 0, b""),
            header("f", 1, b""),
            header("b", 2, b"1"),
            header("s", 3, b"12"),
            header("i", 4, b"1234"),
            header("l", 5, b"12345678"),
            header("raw", 6, b"\x00\x03abc"),
            header("when", 8, b"12345678"),
            header("uuid", 9, b"1234567890123456"),
            string(":event-type", "e"),
        ]
    )

    assert read(message(headers)) == [SseRecord("e", b"{}")]


def test_error_without_a_payload_has_its_text_in_a_header():
    headers = (
        string(":message-type", "error")
        + string(":error-code", "InternalFailure")
        + string(":error-message", 'a "b"')
    )

    [record] = read(message(headers, b""))

    assert record.event == "InternalFailure"
    assert orjson.loads(record.data) == {"message": 'a "b"'}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(header("x", 99, b""), id="a type that nobody knows"),
        pytest.param(header("x", 7, b"\x00\x09abc"), id="a value longer than the headers"),
        pytest.param(header("x", 7, b"\x00"), id="half a length"),
        pytest.param(b"\x09x", id="a name longer than the headers"),
        pytest.param(header("x", 7, b"\x00\x01\xff"), id="no UTF-8"),
    ],
)
def test_unreadable_headers_are_malformed(headers: bytes):
    with pytest.raises(MalformedUpstream):
        read(message(headers))


def test_a_length_beyond_reason_is_malformed_at_once():
    lengths = struct.pack(">II", 2**31, 0)

    with pytest.raises(MalformedUpstream):
        EventStreamDecoder().feed(lengths + struct.pack(">I", crc32(lengths)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_amazons_own_reader_reads_our_streams(case: Case):
    wire = Wire.BEDROCK_CONVERSE
    stream = encode_stream(wire, events_of(case.wire, [case.stream]))
    buffer = EventStreamBuffer()
    buffer.add_data(stream)

    found: list[tuple[Any, bytes]] = [
        (event.headers[":event-type"], event.payload) for event in buffer
    ]

    assert found == [(record.event, record.data) for record in read(stream)]
