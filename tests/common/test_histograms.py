"""Histograms: percentiles of any sum of them are near the exact ones, and what is written is what is read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.histograms import (
    RELATIVE_ERROR,
    bucket_of,
    decode,
    encode,
    pack,
    percentile,
    unpack,
    value_of,
)

milliseconds = st.integers(1, 2**31 - 1) | st.integers(1, 500)


def histogram_of(times):
    return pack([(bucket_of(time), 1) for time in times])


@given(milliseconds)
def test_a_bucket_tells_of_each_of_its_times_within_the_error(time):
    assert abs(value_of(bucket_of(time)) - time) <= (RELATIVE_ERROR + 1e-9) * time


@given(st.lists(st.lists(milliseconds, max_size=30), max_size=5), st.integers(1, 100))
def test_percentile_of_a_sum_is_that_of_all_its_times_within_the_error(parts, share):
    times = sorted(time for part in parts for time in part)
    told = percentile(sum(map(histogram_of, parts)), share)
    if not times:
        assert told is None
        return
    exact = times[math.ceil(share * len(times) / 100) - 1]
    assert abs(told - exact) <= (RELATIVE_ERROR + 1e-9) * exact


@given(st.lists(st.dictionaries(st.integers(0, 230), st.integers(1, 2**39 - 1), max_size=8), max_size=4))  # fmt: skip
def test_what_is_written_is_read_also_when_many_stand_side_by_side(parts):
    histograms = [pack(part.items()) for part in parts]
    for histogram, part in zip(histograms, parts, strict=True):
        assert dict(unpack(histogram)) == part
        assert decode(encode(histogram)) == histogram
    assert decode(" ".join(map(encode, histograms))) == sum(histograms)


def test_a_trillion_of_a_bucket_stay_in_it():
    assert list(unpack(pack([(3, 2**40 - 1), (4, 1)]))) == [(3, 2**40 - 1), (4, 1)]


@pytest.mark.parametrize("time", [0, 1])
def test_what_took_a_millisecond_or_less_is_one(time):
    assert value_of(bucket_of(time)) == 1
