"""JSON that is read to be written again."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common import json

plain = st.recursive(
    st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(plain)
def test_reads_what_orjson_reads_when_no_integer_is_long(value):
    raw = orjson.dumps(value)

    assert json.loads(raw) == orjson.loads(raw)


@given(st.integers())
def test_integer_comes_out_with_its_digits_whatever_its_length(number):
    raw = b'{"a":[%d,"%d"]}' % (number, number)

    assert orjson.dumps(json.loads(raw)) == raw


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63), 10**18, -(10**18)])
def test_integer_is_a_number_when_64_bits_hold_it(number):
    assert json.loads(b"%d" % number) == number


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "1" * 308])
def test_integer_is_a_fragment_when_64_bits_cannot_hold_it(digits):
    (found,) = json.loads(f"[{digits}]".encode())

    assert isinstance(found, orjson.Fragment)
    assert orjson.dumps(found) == digits.encode()


def test_fraction_and_text_are_themselves_when_they_have_many_digits():
    raw = b'[0.1234567890123456789012345, 1e10, "12345678901234567890123"]'

    found = json.loads(raw)

    assert math.isclose(found[0], 0.12345678901234568)
    assert found[1:] == [1e10, "12345678901234567890123"]


@pytest.mark.parametrize(
    "raw", [b"[NaN, 10000000000000000000000]", b"1" * 400, b"[10000000000000000000000", b""]
)
def test_refuses_what_is_not_json_also_when_an_integer_is_long(raw):
    with pytest.raises(ValueError):
        json.loads(raw)
