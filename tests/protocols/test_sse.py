"""The SSE decoder against the standard's rules, and against a plain reading of them."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.inference.canonical import sse
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.canonical.surrogates import mend_whole
from tests.protocols.cases import portions, records_of


def record(data: bytes, event: str = "") -> SseRecord:
    return SseRecord(event, data)


@pytest.mark.parametrize(
    ("stream", "records"),
    [
        (b"data: a\n\ndata: b\n\n", [record(b"a"), record(b"b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [record(b"a"), record(b"b")]),
        (b"data: a\r\rdata: b\r\r", [record(b"a"), record(b"b")]),
        (b"event: ping\ndata: {}\n\n", [record(b"{}", "ping")]),
        (b"data: {}\nevent: late\n\n", [record(b"{}", "late")]),
        (b"data: a\ndata: b\n\n", [record(b"a\nb")]),
        (b"data:a\n\n", [record(b"a")]),
        (b"data:  a\n\n", [record(b" a")]),
        (b"data\n\n", [record(b"")]),
        (b"data:\n\n", [record(b"")]),
        (b": comment\n\n: again\ndata: a\n\n", [record(b"a")]),
        (b"event: nothing\n\n", []),
        (b"id: 7\nretry: 10\nunknown: x\ndata: a\n\n", [record(b"a")]),
        (b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [record(b"a"), record(b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [record(b"a")]),
        ("data: a\u2028b\u2029c\x85d\n\n".encode(), [record("a\u2028b\u2029c\x85d".encode())]),
        (b"data: a: b\n\n", [record(b"a: b")]),
        (b"data: a\n\ndata: left", [record(b"a"), record(b"left")]),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_decoder_follows_the_standard(stream: bytes, records: list[SseRecord], size: int):
    assert records_of(portions(stream, size)) == records


def test_record_is_not_late():
    decoder = SseDecoder()

    assert decoder.feed(b"data: a\r\n\r") == [record(b"a")]
    assert decoder.feed(b"\ndata: b\n\n") == [record(b"b")]


def test_record_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "MAX_RECORD_BYTES", 1000)
    decoder = SseDecoder()

    decoder.feed(b"data: " + b"x" * 900)

    with pytest.raises(MalformedUpstream):
        decoder.feed(b"x" * 100)


def test_many_short_records_are_not_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sse, "MAX_RECORD_BYTES", 10)

    assert len(SseDecoder().feed(b"data: a\n\n" * 50)) == 50


_LINES = st.sampled_from(
    [
        b"data: x",
        b"data:y",
        b"data",
        b"event: e",
        b": c",
        b"",
        b"",
        b"id: 1",
        "data: \u2028é".encode(),
    ]
)


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(_LINES, max_size=20), ends=st.data())
def test_decoder_agrees_with_a_plain_reading(lines: list[bytes], ends: st.DataObject):
    line_end = ends.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    stream = b"".join(line + line_end for line in [*lines, b""])
    size = ends.draw(st.integers(1, 40))

    assert records_of(portions(stream, size)) == _plain_reading(lines)


def _plain_reading(lines: list[bytes]) -> list[SseRecord]:
    records: list[SseRecord] = []
    event = ""
    data: list[bytes] = []
    for line in [*lines, b""]:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                records.append(SseRecord(event, b"\n".join(data)))
            event, data = "", []
        elif name == b"data":
            data.append(value)
        elif name == b"event":
            event = value.decode()
    return records


@given(data=st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_encoded_record_decodes_to_itself(data: str):
    encoded = encode_record(data.encode(), event="e") + encode_record(data.encode())

    assert records_of([encoded]) == [record(data.encode(), "e"), record(data.encode())]


def said(*texts: str) -> bytes:
    return b"".join(b'data: {"a":"%b"}\n\n' % text.encode() for text in texts)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([r"a\ud83c", r"\udf89b"], ["a🎉", "b"], id="cut"),
        pytest.param([r"\uD83C", r"\uDF89"], ["🎉", ""], id="capitals"),
        pytest.param([r"\ud83c", r"\udf89\ud83c", r"\udf89"], ["🎉", "🎉", ""], id="twice"),
        pytest.param([r"\ud83c\udf89"], ["🎉"], id="whole"),
        pytest.param([r"a\ud83c"], ["a\ufffd"], id="last"),
        pytest.param([r"a\ud83c", "b"], ["a\ufffd", "b"], id="other half is missing"),
        pytest.param([r"a\ud83cb", r"\udf89"], ["a\ufffdb", "\ufffd"], id="inside"),
        pytest.param([r"\\ud83c", r"\\udf89"], [r"\ud83c", r"\udf89"], id="escaped backslash"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_characters_that_were_cut_in_two_are_joined(
    texts: list[str], expected: list[str], size: int
):
    decoder = SseDecoder()
    records = [record for piece in portions(said(*texts), size) for record in decoder.feed(piece)]

    records += decoder.flush()

    assert [orjson.loads(record.data)["a"] for record in records] == expected
    assert decoder.flush() == []


def test_characters_that_were_cut_in_two_under_two_names_are_joined():
    decoder = SseDecoder()
    halves = [rb'{"a":"\ud83c","b":"\ud83c"}', rb'{"a":"\udf89","b":"\udf89"}']

    first, second = decoder.feed(b"".join(b"data: " + half + b"\n\n" for half in halves))

    assert orjson.loads(first.data) == {"a": "🎉", "b": "🎉"}
    assert orjson.loads(second.data) == {"a": "", "b": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"a\ud83c", "a\ufffd"),
        (r"\udf89b", "\ufffdb"),
        (r"a\uD83Cb\ud83c\udf89", "a\ufffdb🎉"),
        (r"\\ud83c", r"\ud83c"),
        ("plain", "plain"),
    ],
)
def test_halves_in_a_whole_answer_are_marked(text: str, expected: str):
    body = b'{"a":"%b","b":"%b"}' % (text.encode(), text.encode())

    assert orjson.loads(mend_whole(body)) == {"a": expected, "b": expected}
