"""Why a price looks like a mistake: by itself, compared with what it was, and with what the other hosts of the model take."""

import statistics
from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings

from apps.catalog.differences import Difference, differences
from apps.catalog.models import Offering, Price
from apps.catalog.providers.plausible import beneath_bounds, beyond_bounds
from apps.catalog.services.offers import Amounts
from apps.common.money import format_usd
from apps.common.usage import WHOLE_BP

SUSPICIOUS_FACTOR = 10
"""Off the other hosts, and of a tier over the price below all tiers."""
COMPARED = ("input", "output", "images", "characters", "seconds", "searches")

Medians = dict[str, int]


class Neighbours:
    """Prices in force or just found, to compare one host of a model with the others."""

    def __init__(self, priced: Iterable[tuple[Offering, Price | Amounts]]) -> None:
        self._by_model: dict[str, list[tuple[str, Price | Amounts]]] = defaultdict(list)
        for offering, price in priced:
            if not offering.variant:
                self._by_model[offering.model_id].append((offering.provider_id, price))

    def of(self, offering: Offering) -> Medians:
        """The median of each amount over the other providers that take one; empty when there is no other provider."""
        others = [
            price
            for provider, price in self._by_model[offering.model_id]
            if provider != offering.provider_id
        ]
        medians: Medians = {}
        for name in COMPARED:
            amounts = [amount for price in others if (amount := getattr(price, name))]
            if amounts:
                medians[name] = int(statistics.median(amounts))
        return medians


def suspicion(
    former: Amounts | None,
    found: Amounts,
    medians: Medians,
    *,
    makes: Iterable[str] = (),
    may_be_free: bool = False,
    zero_is_free: bool = False,
) -> str:
    """Why the numbers look like a mistake; empty when they do not. ``makes``: the model's output modalities.
    ``zero_is_free``: nothing for one of input and output is meant.

    A price that was far from the other hosts before and was believed may stay there. One that nothing costs waits
    even where there is no other host to compare it with.
    """
    kinds = tuple(makes)
    reason = _beyond(found, kinds)
    if reason and not (former and _beyond(former, kinds)):
        return reason
    if former is not None and (reason := changed_too_much(former, found)):
        return reason
    reason = _beneath(found, kinds, zero_is_free=zero_is_free or may_be_free)
    if reason and not (former and _beneath(former, kinds, zero_is_free=zero_is_free)):
        return reason
    if former is not None and off_the_median(former, medians):
        return ""
    return "" if may_be_free else off_the_median(found, medians)


def _beyond(found: Amounts, kinds: tuple[str, ...]) -> str:
    """Beyond what is ever sold, or with a tier that is beyond the price below it."""
    if reason := beyond_bounds(found.numbers, kinds):
        return reason
    for tier in found.tiers:
        if reason := beyond_bounds(tier.numbers, kinds):
            return reason
        for name, amount in tier.numbers.items():
            if not is_near(getattr(found, name), amount):
                return f"a tier more than {SUSPICIOUS_FACTOR} times off its base ({name}: {format_usd(amount)})"
    return ""


def _beneath(price: Amounts, kinds: tuple[str, ...], *, zero_is_free: bool) -> str:
    return beneath_bounds(price.input, price.output, kinds, zero_is_free=zero_is_free)


def changed_too_much(former: Amounts, found: Amounts) -> str:
    """Tiers that a price gets for the first time are judged by its base alone."""
    for change in differences(former.as_json(), found.as_json()):
        if change.above and not former.tiers:
            continue
        if reason := _too_much(change):
            return reason
    return ""


def _too_much(change: Difference) -> str:
    old, new = change.former or 0, change.found or 0
    told = f"({change.name}: {format_usd(old)} before, {format_usd(new)} now)"
    if old and not new:
        return f"zero where it was not {told}"
    if abs(new - old) * WHOLE_BP > old * settings.PRICE_CHANGE_BP:
        return f"more than {settings.PRICE_CHANGE_BP / 100:g} % different {told}"
    return ""


def off_the_median(found: Amounts, medians: Medians) -> str:
    """Hosts may bill one model by different units: what this one does not take is only compared when it takes nothing."""
    takes_nothing = not any(found.numbers.values())
    by_tokens = bool(found.input or found.output) or takes_nothing
    for name, median in medians.items():
        own = getattr(found, name)
        compared = by_tokens if name in {"input", "output"} else own or takes_nothing
        if compared and not is_near(median, own):
            return (
                f"more than {SUSPICIOUS_FACTOR} times off the median of the other hosts "
                f"({name}: {format_usd(median)} there, {format_usd(own)} here)"
            )
    return ""


def is_near(one: int, other: int) -> bool:
    return one <= other * SUSPICIOUS_FACTOR and other <= one * SUSPICIOUS_FACTOR
