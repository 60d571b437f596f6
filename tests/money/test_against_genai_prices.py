"""Our rating beside genai-prices' own calculator, on every model of its book that we bill: the same to the nano-dollar, or for a reason
that is named here and proven, by giving the book's price what the rule says and comparing again."""

import random
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

import pytest
from genai_prices import data_snapshot
from genai_prices import types as book

from apps.billing.services.rating import cost
from apps.catalog.client_rates import house_rates
from apps.catalog.models import AMOUNTS
from apps.catalog.services.offers import CACHE_WRITES
from apps.catalog.services.price_book import _why_not_billable, _why_skipped, amounts_of
from apps.common import clock
from apps.common.usage import Usage

DRAWS = 4
"""Of usage for each model: one in its base, one in each tier as far as there are so many, the rest anywhere."""
LONGEST = 2_000_000


def priced_models():
    now = clock.now()
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models:
            if _why_skipped(model):
                continue
            prices = model.get_prices(now)
            if not _why_not_billable(prices):
                yield provider.id, model.id, prices


def thresholds(prices):
    tiers = [value for value in vars(prices).values() if isinstance(value, book.TieredPrices)]
    return sorted({tier.start for value in tiers for tier in value.tiers})


def draw(seed, prices):
    """Usages with a total input just at, just above and far from each threshold."""
    chance = random.Random(seed)
    totals = [n + more for n in thresholds(prices) for more in (0, 1)]
    totals += [chance.randrange(LONGEST) for _ in range(DRAWS)]
    for total in totals:
        cuts = sorted(chance.randrange(total + 1) for _ in range(3))
        parts = [b - a for a, b in zip([0, *cuts], [*cuts, total], strict=True)]
        yield Usage(
            input=parts[0],
            cache_read=parts[1],
            cache_write_5m=parts[2],
            cache_write_1h=parts[3],
            output=chance.randrange(100_000),
            reasoning=chance.randrange(100_000),
        )


def theirs(prices, usage):
    """Nano-USD by the book's calculator, which counts buckets inside their whole."""
    writes = usage.cache_write_5m + usage.cache_write_1h
    found = prices.calc_price(
        book.Usage(
            input_tokens=usage.total_input,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=writes,
            cache_write_5m_tokens=usage.cache_write_5m,
            cache_write_1h_tokens=usage.cache_write_1h,
            output_tokens=usage.total_output,
            output_reasoning_tokens=usage.reasoning,
        )
    )
    nano = found["total_price"] * 10**9
    return int(nano.to_integral_value(rounding=ROUND_HALF_UP))


def ours(prices, model_id, usage):
    amounts = amounts_of(prices, model_id)
    kept = amounts.as_json()
    rates = house_rates(1, [kept[name] for name in AMOUNTS], kept.get("tiers"))
    return cost(usage, rates).total


def scaled(price, percent):
    if isinstance(price, book.TieredPrices):
        tiers = [book.Tier(start=t.start, price=scaled(t.price, percent)) for t in price.tiers]
        return book.TieredPrices(base=scaled(price.base, percent), tiers=tiers)
    return price * percent / 100


def with_vendors_writes(prices, model_id):
    """What the book leaves out of writing to a cache, its vendor says: offers.CACHE_WRITES."""
    factors = CACHE_WRITES.get(model_id.partition("/")[0])
    if factors is None:
        return prices
    known = dict(vars(prices))
    short, long = (scaled(known["input_mtok"], Decimal(percent)) for percent in factors)
    written = known.get("cache_write_5m_mtok") or known.get("cache_write_mtok") or short
    known["cache_write_mtok"] = written
    known["cache_write_1h_mtok"] = known.get("cache_write_1h_mtok") or long
    return book.ModelPrice(**known)


def in_whole_nanos(prices, _model_id):
    """A price row holds whole nano-dollars for a million tokens; a few of the book's prices are thirds of a cent."""

    def whole(price):
        if isinstance(price, book.TieredPrices):
            tiers = [book.Tier(start=t.start, price=whole(t.price)) for t in price.tiers]
            return book.TieredPrices(base=whole(price.base), tiers=tiers)
        return price.quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)

    return book.ModelPrice(**{n: whole(v) for n, v in vars(prices).items() if v is not None})


RULES = {
    "writes are the vendor's": with_vendors_writes,
    "rates are whole nano-dollars": in_whole_nanos,
}


@pytest.fixture(scope="module")
def compared():
    """What each pair came to: "equal", or the name of the rule after which it was."""
    found: Counter[str] = Counter()
    unexplained = []
    for provider, model, prices in priced_models():
        vendor = "anthropic" if "claude" in model else provider
        model_id = f"{vendor}/{model}"
        for usage in draw(f"{provider}/{model}", prices):
            own = ours(prices, model_id, usage)
            if own == theirs(prices, usage):
                found["equal"] += 1
                continue
            for name, apply in RULES.items():
                if own == theirs(apply(prices, model_id), usage):
                    found[name] += 1
                    break
            else:
                unexplained.append((provider, model, usage, own, theirs(prices, usage)))
    return found, unexplained


def test_every_difference_from_the_books_calculator_has_a_name(compared):
    found, unexplained = compared

    assert unexplained == []
    assert found.total() >= 1_000


def test_most_pairs_are_equal_and_every_rule_is_needed(compared):
    found, _ = compared

    assert found["equal"] > 0.9 * found.total()
    assert all(found[name] for name in RULES)


def test_tiers_are_among_what_was_compared():
    tiered = [prices for _, _, prices in priced_models() if thresholds(prices)]

    assert len(tiered) > 50
    assert any(len(thresholds(prices)) > 1 for prices in tiered)
