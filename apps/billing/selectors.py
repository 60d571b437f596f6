"""Reading balances."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.billing.models import AccountKind, Balance, CreditLot, EntryLine, Hold, Trial
from apps.common import clock

EXPIRING = (AccountKind.ALLOWANCE, AccountKind.PROMO)
"""The buckets whose credit comes in lots, in the order in which they are spent."""


@dataclass(frozen=True, slots=True)
class Credit:
    """An organisation's credit in nano-USD."""

    allowance: int
    promo: int
    purchased: int
    held: int

    @property
    def total(self) -> int:
        return self.allowance + self.promo + self.purchased

    @property
    def available(self) -> int:
        return self.total - self.held


def credit_of(organization_id: int) -> Credit:
    """Raises Balance.DoesNotExist for an organisation that does not exist; every other one has a balance."""
    balance = Balance.objects.get(pk=organization_id)
    return Credit(
        allowance=balance.allowance,
        promo=balance.promo,
        purchased=balance.purchased,
        held=balance.held,
    )


def has_books(organization_id: int) -> bool:
    """Whether there is such an organisation."""
    return Balance.objects.filter(pk=organization_id).exists()


@dataclass(frozen=True, slots=True)
class Expiring:
    """Credit that expires together, in nano-USD."""

    bucket: str
    amount: int
    expires_at: datetime.datetime | None
    reference: str
    """Of the entry that it came with."""


def expiring_credit(organization_id: int) -> list[Expiring]:
    """What is left of each lot now, in the order in which it will be spent."""
    balance = Balance.objects.get(pk=organization_id)
    return [
        Expiring(kind.value, lot.remaining - part, lot.expires_at, lot.reference)
        for kind in EXPIRING
        for lot, part in split_spending(
            open_lots(organization_id, kind), balance=getattr(balance, kind.value)
        )
        if lot.remaining > part
    ]


def open_lots(organization_id: int, kind: AccountKind) -> QuerySet[CreditLot]:
    """Those that had credit left when spending was last booked, the one that expires soonest first."""
    return CreditLot.objects.filter(
        organization_id=organization_id, bucket=kind.value, remaining__gt=0
    )


def split_spending(lots: Iterable[CreditLot], *, balance: int) -> Iterator[tuple[CreditLot, int]]:
    """Each lot with what has been spent of it since, when the bucket has so much now."""
    waiting = list(lots)
    spent = sum(lot.remaining for lot in waiting) - balance
    for lot in waiting:
        part = min(spent, lot.remaining)
        spent -= part
        yield lot, part


def is_on_hold(request_id: str) -> bool:
    """Whether the request is still under way, or its settlement is."""
    return Hold.objects.filter(pk=request_id).exists()


def has_purchased(organization_id: int) -> bool:
    """Whether it ever had credit that was paid for."""
    return EntryLine.objects.filter(
        account__organization_id=organization_id, account__kind=AccountKind.PURCHASED
    ).exists()


def find_trial(organization_id: int) -> Trial | None:
    return Trial.objects.select_related("offer").filter(organization_id=organization_id).first()


def trial_that_ended(organization_id: int) -> datetime.datetime | None:
    """When its trial ended, if that was all the credit that it ever had; else None."""
    trial = Trial.objects.filter(organization_id=organization_id).first()
    if trial is None:
        return None
    ended = trial.ended_at or trial.ends_at
    if ended > clock.now():
        return None
    lots = CreditLot.objects.filter(organization_id=organization_id)
    if lots.exclude(reference=trial.reference).exists() or has_purchased(organization_id):
        return None
    return ended
