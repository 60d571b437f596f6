"""Amounts of price lists: every way to write one, every unit, exactly."""

from decimal import Decimal

import pytest

from apps.catalog.providers.amounts import (
    FACTORS,
    ListedPrice,
    Unit,
    nano_amounts,
    parse_amount,
    to_nano,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3e-07", "0.0000003"),
        ("0.00000015", "0.00000015"),
        (Decimal("3E-7"), "0.0000003"),
        (3, "3"),
        ("$1,234.5", "1234.5"),
        (" $0.10 ", "0.10"),
        ("-1", "-1"),
        ({"amount": 850, "scale": 9, "currency": "USD"}, "0.00000085"),
        ({"amount": "850", "scale": -9}, "0.00000085"),
        ({"amount": 2}, "2"),
    ],
)
def test_amount_is_read_when_written_in_any_way(written, meant):
    assert parse_amount(written) == Decimal(meant)


@pytest.mark.parametrize(
    "written", [None, "", "free", True, False, "NaN", "Infinity", [], {}, {"scale": 9}, "1.2.3"]
)
def test_amount_is_unknown_when_it_says_nothing(written):
    assert parse_amount(written) is None


def test_amount_is_refused_when_read_as_a_float():
    with pytest.raises(TypeError):
        parse_amount(3e-07)


@pytest.mark.parametrize(
    ("amount", "unit", "nano"),
    [
        ("3e-07", Unit.PER_TOKEN, 300_000_000),
        ("0.0003", Unit.PER_1K, 300_000_000),
        ("0.3", Unit.PER_1M, 300_000_000),
        ("0.00003", Unit.CENTS_PER_TOKEN, 300_000_000),
        ("30", Unit.CENTS_PER_1M, 300_000_000),
        ("3000", Unit.CENTS_PER_100M, 300_000_000),
        ("3000", Unit.BASIS_POINTS_PER_1M, 300_000_000),
        ("0.04", Unit.PER_IMAGE, 40_000_000),
        ("4", Unit.CENTS_PER_IMAGE, 40_000_000),
        ("0.0001", Unit.PER_SECOND, 100_000),
        ("0.01", Unit.CENTS_PER_SECOND, 100_000),
        ("0.006", Unit.PER_MINUTE, 100_000),
        ("0.000015", Unit.PER_CHARACTER, 15_000_000_000),
        ("15", Unit.PER_1M_CHARACTERS, 15_000_000_000),
        ("0.002", Unit.PER_SEARCH, 2_000_000),
        ("0.01", Unit.PER_REQUEST, 10_000_000),
        ("2.50", Unit.PER_HOUR, None),
        ("0.000000000000001", Unit.PER_TOKEN, 1),
        ("-1", Unit.PER_TOKEN, None),
        ("3", Unit.PER_TOKEN, None),
    ],
)
def test_amount_becomes_nano_dollars_when_its_unit_is_known(amount, unit, nano):
    assert to_nano(ListedPrice("input", Decimal(amount), unit)) == nano


def test_every_unit_but_the_hour_has_a_factor_when_compared():
    assert set(Unit) - set(FACTORS) == {Unit.PER_HOUR}


def test_first_number_counts_when_a_bucket_has_two():
    found = [
        ListedPrice("input", Decimal(9), Unit.PER_HOUR),
        ListedPrice("input", Decimal(1), Unit.PER_1M),
        ListedPrice("input", Decimal(2), Unit.PER_1M),
    ]

    assert nano_amounts(found) == {"input": 1_000_000_000}


@pytest.mark.parametrize("amount", ["1e999999", "-1e999999", "1e-999999"])
def test_nothing_overflows_when_a_number_is_absurd(amount):
    with pytest.raises(ValueError, match="no list can mean"):
        parse_amount(amount)
    assert to_nano(ListedPrice("input", Decimal(amount), Unit.PER_TOKEN)) is None
