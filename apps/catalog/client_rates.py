"""What clients pay: the one way from a price row to ``Rates``. Pure, integers; each step rounds every rate half up.

    price row ──► house rates ──► + the provider's mark-up ──► + the organisation's terms

Who knows the row and the two numbers, which a request record names, can compute a bill again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from apps.catalog.models import AMOUNTS
from apps.common.money import divide_half_up
from apps.common.usage import WHOLE_BP, Rates, Tier

PPM = 1_000_000


def house_rates(
    price_id: int, amounts: Iterable[int], tiers: Iterable[Mapping[str, int]] | None
) -> Rates:
    """What the provider takes of the house; ``amounts`` in the order of ``AMOUNTS``."""
    named: dict[str, Any] = dict(zip(AMOUNTS, amounts, strict=True))
    base = Rates(**named, price_id=price_id)
    if not tiers:
        return base
    return replace(base, tiers=tuple(_tier(base, tier) for tier in tiers))


def _tier(base: Rates, tier: Mapping[str, int]) -> Tier:
    own = {name: amount for name, amount in tier.items() if name != "above"}
    return Tier(tier["above"], replace(base, **own))


def marked_up(rates: Rates, *, markup_ppm: int) -> Rates:
    """With what is added at its provider."""
    return _scaled(rates, PPM + markup_ppm, PPM, markup_ppm=markup_ppm) if markup_ppm else rates


def at_terms(rates: Rates, *, basis_points: int) -> Rates:
    """With what an organisation has agreed on."""
    if not basis_points:
        return rates
    return _scaled(rates, WHOLE_BP + basis_points, WHOLE_BP, terms_bp=basis_points)


def _scaled(rates: Rates, numerator: int, denominator: int, **named: int) -> Rates:
    changed: dict[str, Any] = {
        name: divide_half_up(amount * numerator, denominator)
        for name in AMOUNTS
        if (amount := getattr(rates, name))
    }
    tiers = tuple(
        Tier(tier.above, _scaled(tier.rates, numerator, denominator, **named))
        for tier in rates.tiers
    )
    return replace(rates, **changed, **named, tiers=tiers)
