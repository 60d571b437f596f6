"""How the network cuts a stream changes nothing."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.cases import CASES, SSE_CASES, WIRES, Case, encode_stream, events_of, portions


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_events_and_client_bytes_do_not_depend_on_portions(case: Case, size: int):
    whole = events_of(case.wire, [case.stream])

    cut = events_of(case.wire, portions(case.stream, size))

    assert cut == whole
    for wire in WIRES:
        assert encode_stream(wire, cut) == encode_stream(wire, whole)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["crlf", "cr"])
@pytest.mark.parametrize("size", [1, 3, 4096])
@pytest.mark.parametrize("case", SSE_CASES, ids=str)
def test_events_do_not_depend_on_line_ends(case: Case, size: int, line_end: bytes):
    stream = case.stream.replace(b"\n", line_end)

    assert events_of(case.wire, portions(stream, size)) == events_of(case.wire, [case.stream])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_events_do_not_depend_on_random_splits(data: st.DataObject):
    case = data.draw(st.sampled_from(CASES))
    stream = case.stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]

    assert events_of(case.wire, chunks) == events_of(case.wire, [stream])


@pytest.mark.parametrize("case", SSE_CASES, ids=str)
def test_stream_without_its_last_blank_line_is_whole(case: Case):
    assert events_of(case.wire, [case.stream.rstrip(b"\n")]) == events_of(case.wire, [case.stream])


@pytest.mark.parametrize("case", [case for case in CASES if case.wire == "openai_chat"], ids=str)
def test_done_marker_is_not_required(case: Case):
    stream = case.stream.replace(b"data: [DONE]\n\n", b"")

    assert events_of(case.wire, [stream]) == events_of(case.wire, [case.stream])
