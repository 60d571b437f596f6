"""Rating: usage times rates, in integers, rounded once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, fields, replace

from apps.billing.services.rating import cost, list_price, quote
from apps.common.usage import TOKEN_BUCKETS, Rates, Usage

TOKENS = st.integers(min_value=0, max_value=20_000_000)
NANO_PER_MILLION = st.integers(min_value=0, max_value=10**12)
USAGES = st.builds(Usage, **dict.fromkeys(TOKEN_BUCKETS, TOKENS))
RATES = st.builds(
    Rates, **dict.fromkeys(TOKEN_BUCKETS, NANO_PER_MILLION), request=st.integers(0, 10**9)
)
FREE = Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, reasoning=0)
# $3 and $15 a million, cache at a tenth, writes at 1.25 and 2 times: a large model of today.
LARGE = Rates(
    input=3_000_000_000,
    output=15_000_000_000,
    cache_read=300_000_000,
    cache_write_5m=3_750_000_000,
    cache_write_1h=6_000_000_000,
    reasoning=15_000_000_000,
)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(input=1), 3_000),
        (Usage(output=1), 15_000),
        (Usage(input=1_000_000), 3_000_000_000),
        (Usage(input=12, output=34), 12 * 3_000 + 34 * 15_000),
        (Usage(cache_read=1_000, cache_write_5m=10, cache_write_1h=10), 300_000 + 37_500 + 60_000),
        (Usage(output=5, reasoning=7), 12 * 15_000),
    ],
)
def test_cost_is_tokens_times_price_when_rated(usage, nano):
    assert cost(usage, LARGE).total == nano


@pytest.mark.parametrize(("tokens", "nano"), [(1, 0), (499_999, 0), (500_000, 1), (1_500_000, 2)])
def test_cost_is_rounded_half_up_when_below_a_nano_dollar(tokens, nano):
    assert cost(Usage(input=tokens), replace(FREE, input=1)).total == nano


def test_cost_is_rounded_once_when_every_bucket_has_a_rest():
    rates = replace(FREE, input=400_000, output=400_000, reasoning=400_000)

    found = cost(Usage(input=1, output=1, reasoning=1), rates)

    assert (found.input, found.output, found.reasoning) == (0, 0, 0)
    assert found.total == 1


@given(RATES)
def test_cost_is_the_request_price_alone_when_nothing_was_used(rates):
    assert cost(Usage(), rates).total == rates.request


@given(USAGES, RATES)
def test_cost_is_the_exact_sum_rounded_half_up_when_rated(usage, rates):
    exact = sum(Fraction(getattr(usage, b) * getattr(rates, b), 10**6) for b in TOKEN_BUCKETS)

    found = cost(usage, rates)

    assert found.total == (exact + Fraction(1, 2)) // 1 + rates.request
    assert all(type(value) is int and value >= 0 for value in asdict(found).values())


@given(USAGES, RATES)
def test_parts_differ_from_the_total_by_their_rounding_when_added(usage, rates):
    found = cost(usage, rates)
    parts = [field.name for field in fields(found) if field.name != "total"]

    assert abs(sum(getattr(found, part) for part in parts) - found.total) <= 3


@given(USAGES, RATES, st.sampled_from(TOKEN_BUCKETS), TOKENS)
def test_cost_never_falls_when_more_is_used(usage, rates, bucket, more):
    larger = replace(usage, **{bucket: getattr(usage, bucket) + more})

    assert cost(larger, rates).total >= cost(usage, rates).total


@given(USAGES, RATES, st.sampled_from((*TOKEN_BUCKETS, "request")), NANO_PER_MILLION)
def test_cost_never_falls_when_a_price_rises(usage, rates, bucket, more):
    dearer = replace(rates, **{bucket: getattr(rates, bucket) + more})

    assert cost(usage, dearer).total >= cost(usage, rates).total


@given(USAGES, RATES, TOKENS, TOKENS)
def test_quote_covers_the_cost_when_usage_stays_within_it(usage, rates, spare_input, spare_output):
    quoted = quote(
        replace(usage, input=usage.input + spare_input, output=usage.output + spare_output), rates
    )

    assert quoted >= cost(usage, rates).total


@given(USAGES, RATES, st.integers(0, 10_000))
def test_fee_is_the_share_of_the_exact_price_rounded_half_up_once(usage, rates, share_bp):
    found = cost(usage, replace(rates, share_bp=share_bp))

    exact = sum(
        Fraction(getattr(usage, bucket) * getattr(rates, bucket), 10**6) for bucket in TOKEN_BUCKETS
    )
    fee = (exact + rates.request) * Fraction(share_bp, 10_000)
    assert found.total == (fee + Fraction(1, 2)).__floor__()
    assert list_price(usage, replace(rates, share_bp=share_bp)) == cost(usage, rates).total


@given(USAGES, RATES, st.integers(0, 10_000))
def test_quote_covers_the_fee_as_it_covers_the_price(usage, rates, share_bp):
    own = replace(rates, share_bp=share_bp)

    assert cost(usage, own).total <= quote(usage, own) <= quote(usage, rates)


@pytest.mark.parametrize(
    ("share_bp", "nano"), [(0, 0), (1, 0), (5_000, 1), (4_999, 0), (10_000, 1)]
)
def test_fee_of_one_nano_dollar_is_rounded_half_up(share_bp, nano):
    rates = replace(FREE, input=10**6, share_bp=share_bp)

    assert cost(Usage(input=1), rates).total == nano
