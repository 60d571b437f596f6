"""Absence: what a provider's list no longer names is withdrawn after the third list in a row, and back when it is named.

Whether an offering is on is the operator's and is not touched. What an operator or staff priced is theirs too: a list
need not know it.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, QuerySet

from apps.catalog.models import Offering, PriceSource, Provider
from apps.catalog.selectors import prices_in_force
from apps.catalog.snapshots import DATED
from apps.common import clock

PATIENCE = 3
"""Lists in a row."""
BATCH = 500
FEWEST_TO_COMPARE = 5
"""A list that names none of at least so many offerings spells names in another way than we ask by: nothing is missing from it."""
THEIRS = (PriceSource.MANUAL, PriceSource.STAFF, PriceSource.SANDBOX)


@dataclass(frozen=True, slots=True)
class Gone:
    withdrawn: int
    restored: int


@transaction.atomic
def count(provider: Provider, seen: Set[str], *, complete: bool) -> Gone:
    """Compare with a new list. One that is not ``complete`` can only bring back. Writes only what changes."""
    names = {name.lower() for name in seen}
    names |= {DATED.sub("", name) for name in names}
    theirs = set(
        prices_in_force(clock.now())
        .filter(offering__provider=provider, source__in=THEIRS)
        .values_list("offering_id", flat=True)
    )
    missing: list[int] = []
    back: list[int] = []
    named = 0
    offered = Offering.objects.filter(provider=provider)
    for pk, name, is_missing, withdrawn_at in offered.values_list(
        "pk", "upstream_model", "missing", "withdrawn_at"
    ).iterator():
        if name.lower() in names:
            named += 1
            back += [pk] if is_missing or withdrawn_at else []
        elif complete and pk not in theirs and not withdrawn_at:
            missing.append(pk)
    if not named and len(missing) >= FEWEST_TO_COMPARE:
        missing = []
    restored = sum(rows.update(missing=0, withdrawn_at=None) for rows in _in_batches(back))
    for rows in _in_batches(missing):
        rows.update(missing=F("missing") + 1)
    return Gone(withdrawn=_withdraw(provider), restored=restored)


@transaction.atomic
def count_again(provider: Provider) -> int:
    """The list is the one of the last time: what was missing is missing again. How many are withdrawn by it."""
    pending = Offering.objects.filter(provider=provider, missing__gt=0, withdrawn_at=None)
    if not pending.exists():
        return 0
    pending.update(missing=F("missing") + 1)
    return _withdraw(provider)


def _withdraw(provider: Provider) -> int:
    """Asks before it writes: PostgreSQL counts an epoch for an UPDATE that finds no row, too."""
    gone = Offering.objects.filter(provider=provider, missing__gte=PATIENCE, withdrawn_at=None)
    return gone.update(withdrawn_at=clock.now()) if gone.exists() else 0


def _in_batches(ids: list[int]) -> Iterable[QuerySet[Offering]]:
    return (
        Offering.objects.filter(pk__in=ids[start : start + BATCH])
        for start in range(0, len(ids), BATCH)
    )
