"""Dollars in and out: parsed exactly, kept as whole nano-dollars, shown exactly."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.common.money import NANO_PER_USD, divide_half_up, format_usd, nano_to_usd, usd_to_nano

NANO = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@pytest.mark.parametrize(
    ("dollars", "nano"),
    [
        ("0", 0),
        ("1", 1_000_000_000),
        (3, 3_000_000_000),
        ("0.000000001", 1),
        ("-2.5", -2_500_000_000),
        (Decimal("0.15"), 150_000_000),
        ("1e-9", 1),
        ("0.1", 100_000_000),
    ],
)
def test_amount_is_exact_when_parsed(dollars, nano):
    assert usd_to_nano(dollars) == nano


@pytest.mark.parametrize(
    ("dollars", "nano"), [("0.0000000004", 0), ("0.0000000005", 1), ("-0.0000000005", -1)]
)
def test_amount_is_rounded_half_up_when_finer_than_a_nano_dollar(dollars, nano):
    assert usd_to_nano(dollars) == nano


@pytest.mark.parametrize("text", ["", "ten", "1,5", "NaN", "Infinity", "-Infinity", "0x10"])
def test_amount_is_refused_when_it_is_not_a_number(text):
    with pytest.raises(ValueError, match="not an amount of dollars"):
        usd_to_nano(text)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (21_450, "$0.00002145"),
        (1_500_000_000, "$1.50"),
        (-1_000_000_000, "-$1.00"),
        (1_234_567_000_000_000, "$1,234,567.00"),
    ],
)
def test_amount_shows_every_digit_when_formatted(nano, text):
    assert format_usd(nano) == text


@given(NANO)
def test_amount_is_the_same_when_formatted_and_parsed(nano):
    assert usd_to_nano(format_usd(nano).replace("$", "").replace(",", "")) == nano


@given(st.integers(min_value=0, max_value=2**23 * NANO_PER_USD))
@example(4_503_599_627_370_491)  # a client that multiplies floats is one nano-dollar off
def test_amount_is_the_same_when_sent_as_json_number(nano):
    """To whoever reads its digits, up to eight million dollars: doubles are less than a nano-dollar apart there."""
    assert Decimal(json.dumps(nano_to_usd(nano))) * NANO_PER_USD == nano


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(0, 7, 0), (1, 2, 1), (1, 3, 0), (2, 3, 1), (499_999, 10**6, 0), (500_000, 10**6, 1)],
)
def test_division_rounds_half_up_when_there_is_a_rest(numerator, denominator, quotient):
    assert divide_half_up(numerator, denominator) == quotient


@given(st.integers(min_value=0), st.integers(min_value=1))
def test_division_is_off_by_half_at_most_when_rounded(numerator, denominator):
    error = 2 * (divide_half_up(numerator, denominator) * denominator - numerator)

    assert -denominator < error <= denominator
