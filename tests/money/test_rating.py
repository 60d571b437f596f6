"""Rating: usage times rates, in integers, rounded once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, fields, replace

from apps.billing.services.rating import cost, list_price, quote
from apps.catalog.client_rates import at_terms, house_rates, marked_up
from apps.catalog.models import AMOUNTS, TIER_PRICES
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


AMOUNT = st.integers(0, 10**11)
TIERS = st.lists(
    st.fixed_dictionaries({"above": st.integers(1, 10**6), **dict.fromkeys(TIER_PRICES, AMOUNT)}),
    max_size=3,
    unique_by=lambda tier: tier["above"],
).map(lambda tiers: sorted(tiers, key=lambda tier: tier["above"]))
HOUSE = st.builds(
    house_rates, st.just(7), st.lists(AMOUNT, min_size=len(AMOUNTS), max_size=len(AMOUNTS)), TIERS
)
MARKUP_PPM = st.integers(0, 2_000_000)
TERMS_BP = st.integers(-9_999, 100_000)
CLIENT = st.builds(
    lambda rates, ppm, bp: at_terms(marked_up(rates, markup_ppm=ppm), basis_points=bp),
    HOUSE,
    MARKUP_PPM,
    TERMS_BP,
)
LONG = house_rates(
    7,
    [LARGE.input, LARGE.output, *[0] * (len(AMOUNTS) - 2)],
    [
        {"above": 200_000, **dict.fromkeys(TIER_PRICES, 0), "input": 2 * LARGE.input, "output": 20_000_000_000},
        {"above": 500_000, **dict.fromkeys(TIER_PRICES, 0), "input": 4 * LARGE.input, "output": 30_000_000_000},
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(input=200_000, output=10), 200_000 * 3_000 + 10 * 15_000),
        (Usage(input=200_001, output=10), 200_001 * 6_000 + 10 * 20_000),
        (Usage(input=500_001, output=10), 500_001 * 12_000 + 10 * 30_000),
        (Usage(input=1, cache_read=200_000), 6_000),
        (Usage(input=1, cache_write_1h=100_000, audio_input=100_000), 6_000),
        (Usage(input=200_000, output=300_000), 200_000 * 3_000 + 300_000 * 15_000),
    ],
    ids=["at the threshold", "above it", "above the next", "cached counts", "written counts", "output does not"],
)  # fmt: skip
def test_all_of_a_request_costs_what_its_tier_says_once_the_input_is_longer(usage, nano):
    assert cost(usage, LONG).total == nano


@given(USAGES, CLIENT)
def test_cost_is_the_exact_sum_at_the_rates_of_the_tier(usage, rates):
    reached = [tier.rates for tier in rates.tiers if usage.total_input > tier.above]
    own = reached[-1] if reached else rates

    exact = sum(Fraction(getattr(usage, b) * getattr(own, b), 10**6) for b in TOKEN_BUCKETS)
    assert cost(usage, rates).total == (exact + Fraction(1, 2)) // 1 + own.request


@given(USAGES, CLIENT, TOKENS, TOKENS)
def test_quote_covers_the_cost_at_every_tier_when_usage_stays_within_it(
    usage, rates, spare_input, spare_output
):
    expected = replace(usage, input=usage.input + spare_input, output=usage.output + spare_output)

    assert quote(expected, rates) >= cost(usage, rates).total


@given(TOKENS, TOKENS, AMOUNT, AMOUNT, TIERS, MARKUP_PPM, TERMS_BP)
def test_quote_is_the_settlement_when_every_bucket_costs_the_same(
    read, written, input_price, output_price, tiers, markup_ppm, terms_bp
):
    """Of input, and of output: what is the dearest bucket is then no question. Tiers that rise, as they do."""
    tiers = [
        {**tier, **same(input_price * (n + 2), output_price * (n + 2))}
        for n, tier in enumerate(tiers)
    ]
    base = same(input_price, output_price)
    house = house_rates(7, [base.get(name, 0) for name in AMOUNTS], tiers)
    rates = at_terms(marked_up(house, markup_ppm=markup_ppm), basis_points=terms_bp)
    usage = Usage(input=read, output=written)

    assert quote(usage, rates) == cost(usage, rates).total
    assert (rates.price_id, rates.markup_ppm, rates.terms_bp) == (7, markup_ppm, terms_bp)


def same(input_price, output_price):
    outputs = ("output", "reasoning", "audio_output")
    return {name: output_price if name in outputs else input_price for name in TIER_PRICES}


@given(HOUSE, MARKUP_PPM, TERMS_BP)
def test_every_rate_is_rounded_half_up_after_each_of_the_two_steps(house, markup_ppm, terms_bp):
    found = at_terms(marked_up(house, markup_ppm=markup_ppm), basis_points=terms_bp)

    def expected(amount):
        marked = (Fraction(amount * (10**6 + markup_ppm), 10**6) + Fraction(1, 2)) // 1
        return (Fraction(marked * (10**4 + terms_bp), 10**4) + Fraction(1, 2)) // 1

    pairs = [(house, found), *zip((t.rates for t in house.tiers), (t.rates for t in found.tiers), strict=True)]  # fmt: skip
    for before, after in pairs:
        assert all(getattr(after, n) == expected(getattr(before, n)) for n in AMOUNTS)


@given(USAGES, HOUSE, st.integers(0, 10_000))
def test_a_tier_has_the_share_of_its_rates(usage, rates, share_bp):
    own = replace(rates, share_bp=share_bp)

    assert own.at(usage.total_input).share_bp == share_bp
    assert cost(usage, own).total <= cost(usage, rates).total
