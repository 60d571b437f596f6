"""Re-rating: what a request has been charged by now, and the opposing entry that makes it what it should have cost.

    settle:<request>                  what the request was charged when it ended
    rerate:<n>:<request>              its n-th re-rating; the same n twice is one write

The journal is the only record of it: what was booked for a request is the sum of the lines of these entries.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from django.db import transaction

from apps.billing.models import AccountKind, Balance, EntryKind, EntryLine, JournalEntry
from apps.billing.services import ledger
from apps.billing.services.ledger_portable import SPEND_ORDER
from apps.billing.services.values import Posting


@dataclass(slots=True)
class Booked:
    """Nano-USD that stand in the books for one request."""

    cost: int = 0
    """Charged or written off."""
    taken: dict[AccountKind, int] = field(default_factory=lambda: defaultdict(int))
    """By bucket of the organisation."""
    times: int = 0
    """How often it was re-rated."""

    @property
    def charged(self) -> int:
        return sum(self.taken.values())


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Nano-USD. ``before + difference`` is what the request costs now; all zero when nothing was written."""

    before: int
    difference: int = 0
    refunded: int = 0
    charged: int = 0
    written_off: int = 0
    """What the credit did not cover; negative for what had been written off and is not owed after all."""


def booked_for(request_ids: Collection[str]) -> Mapping[str, Booked]:
    """One for each, also for a request that has no entry."""
    found = {request_id: Booked() for request_id in request_ids}
    _add_lines({f"settle:{request_id}": booked for request_id, booked in found.items()})
    again = found
    while again:
        names = {f"rerate:{b.times + 1}:{request_id}": b for request_id, b in again.items()}
        seen = _add_lines(names)
        for name in seen:
            names[name].times += 1
        again = {name.split(":", 2)[2]: names[name] for name in seen}
    return found


def _add_lines(names: Mapping[str, Booked]) -> set[str]:
    """The references that there are."""
    lines = EntryLine.objects.filter(entry__reference__in=list(names)).order_by()
    for reference, kind, amount in lines.values_list("entry__reference", "account__kind", "amount"):
        if kind == AccountKind.REVENUE:
            names[reference].cost += amount
        elif kind in SPEND_ORDER:
            names[reference].taken[AccountKind(kind)] -= amount
    there = JournalEntry.objects.filter(reference__in=list(names)).order_by()
    return set(there.values_list("reference", flat=True))


def foresee(booked: Booked, *, cost: int, may_charge: bool, available: int) -> Adjustment:
    """What ``rerate`` would write."""
    difference = cost - booked.cost
    if difference < 0:
        refunded = max(0, booked.charged - cost)
        return Adjustment(booked.cost, difference, refunded, 0, difference + refunded)
    if not difference or not may_charge:
        return Adjustment(booked.cost)
    charged = min(difference, max(0, available))
    return Adjustment(booked.cost, difference, 0, charged, difference - charged)


@transaction.atomic
def rerate(
    request_id: str,
    organization_id: int,
    *,
    cost: int,
    price_id: int | None,
    may_charge: bool = False,
    memo: str = "",
) -> Adjustment:
    """Make ``cost`` what the request has cost. What was too much goes back to the buckets that paid it, the last spent first; what was
    too little is charged when it may be, as far as the credit that no request has on hold covers it, and the rest is written off.
    """
    balance = Balance.objects.select_for_update().get(pk=organization_id)
    booked = booked_for([request_id])[request_id]
    found = foresee(booked, cost=cost, may_charge=may_charge, available=balance.available)
    if not found.difference:
        return found
    changes = {
        **dict(_give_back(booked, found.refunded)),
        **{kind: -part for kind, part in _take(balance, found.charged)},
        AccountKind.REVENUE: found.difference,
        AccountKind.WRITTEN_OFF: -found.written_off,
    }
    ledger.post(
        Posting(
            reference=f"rerate:{booked.times + 1}:{request_id}",
            kind=EntryKind.ADJUSTMENT,
            organization_id=organization_id,
            lines=tuple((kind, amount) for kind, amount in changes.items() if amount),
            memo=memo,
            price_id=price_id,
        )
    )
    return found


def _give_back(booked: Booked, amount: int) -> Iterator[tuple[AccountKind, int]]:
    for kind in reversed(SPEND_ORDER):
        part = min(amount, max(0, booked.taken[kind]))
        amount -= part
        yield kind, part


def _take(balance: Balance, amount: int) -> Iterator[tuple[AccountKind, int]]:
    if not amount:
        return
    for kind in SPEND_ORDER:
        part = min(amount, getattr(balance, kind.value))
        amount -= part
        yield kind, part
