"""Terms: models as an organisation with price terms sees them, so that everything that reads rates agrees. Pure.

Hosts that are asked with the organisation's own key are left as they are: their provider bills the price, and the routing fee is the same
for everybody.
"""

import datetime
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache

from apps.catalog.client_rates import at_terms
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot, Terms


def in_force(rows: Iterable[Terms], now: datetime.datetime) -> tuple[Terms, ...]:
    """The most specific first."""
    now_valid = [
        row
        for row in rows
        if row.valid_from <= now and (row.valid_until is None or now < row.valid_until)
    ]
    return tuple(sorted(now_valid, key=_specificity, reverse=True))


def _specificity(row: Terms) -> tuple[bool, bool, int, datetime.datetime, int]:
    letters = len(row.model_pattern.replace("*", ""))
    return (bool(row.model_pattern), bool(row.provider), letters, row.valid_from, row.id)


def basis_points(found: Iterable[Terms], *, provider: str, model_id: str) -> int:
    """Of terms ``in_force``: what the first that fits adds; 0 when none does."""
    name = model_id.lower()
    for row in found:
        if row.provider in ("", provider) and (
            not row.model_pattern or fnmatchcase(name, row.model_pattern)
        ):
            return row.basis_points
    return 0


@lru_cache(maxsize=1024)
def see(model: ModelSnapshot, found: tuple[Terms, ...]) -> ModelSnapshot:
    """The model at the prices of these terms. Made once for each: a snapshot never changes."""
    offerings = [_priced(offering, found) for offering in model.offerings]
    own = [offering for offering in offerings if offering.provider.own_key]
    ours = [offering for offering in offerings if not offering.provider.own_key]
    ours.sort(key=lambda offering: offering.preference)
    return replace(model, offerings=(*own, *ours))


def _priced(offering: OfferingSnapshot, found: tuple[Terms, ...]) -> OfferingSnapshot:
    provider = offering.provider
    added = basis_points(found, provider=provider.slug, model_id=offering.model_id)
    if provider.own_key or not added:
        return offering
    return replace(offering, rates=at_terms(offering.rates, basis_points=added))
