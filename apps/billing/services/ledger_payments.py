"""The ledger's entries about payments: credit that was bought, and credit whose money went back.

Bought credit and the bonus are one bucket, so that a refund takes both in proportion. What had been spent already is written off.
"""

from dataclasses import dataclass

from django.db import transaction

from apps.billing.models import AccountKind, Balance, EntryKind
from apps.billing.services import ledger
from apps.billing.services.values import Posting


@dataclass(frozen=True, slots=True)
class Parts:
    """What of an order a sum of money stands for, in nano-USD: ``money = credit + fee - bonus``."""

    money: int
    fee: int
    bonus: int

    @property
    def credit(self) -> int:
        """The bonus included."""
        return self.money - self.fee + self.bonus


@dataclass(frozen=True, slots=True)
class Taken:
    """Nano-USD."""

    taken: int
    uncovered: int


def credit_payment(organization_id: int, parts: Parts, *, reference: str, memo: str) -> bool:
    """Give what was paid for. False when the reference was already written."""
    return ledger.post(
        Posting(
            reference=reference,
            kind=EntryKind.PAYMENT,
            organization_id=organization_id,
            lines=_lines(
                (AccountKind.PURCHASED, parts.credit),
                (AccountKind.STRIPE_CLEARING, -parts.money),
                (AccountKind.FEES, parts.fee),
                (AccountKind.PROMO_EXPENSE, -parts.bonus),
            ),
            memo=memo,
        )
    )


def spare_credit(organization_id: int) -> int:
    """Purchased credit that no request has on hold. The caller's transaction keeps it so."""
    balance = Balance.objects.select_for_update().get(pk=organization_id)
    return max(0, min(balance.purchased, balance.available))


@transaction.atomic
def take_back(
    organization_id: int, parts: Parts, *, kind: EntryKind, reference: str, memo: str
) -> Taken:
    """Take the credit whose money went back, as far as it is there; never below zero, never what is on hold."""
    taken = min(parts.credit, spare_credit(organization_id))
    uncovered = parts.credit - taken
    ledger.post(
        Posting(
            reference=reference,
            kind=kind,
            organization_id=organization_id,
            lines=_lines(
                (AccountKind.PURCHASED, -taken),
                (AccountKind.WRITTEN_OFF, -uncovered),
                (AccountKind.STRIPE_CLEARING, parts.money),
                (AccountKind.FEES, -parts.fee),
                (AccountKind.PROMO_EXPENSE, parts.bonus),
            ),
            memo=memo,
        )
    )
    return Taken(taken, uncovered)


def give_back(
    organization_id: int,
    parts: Parts,
    taken: Taken,
    *,
    kind: EntryKind,
    reference: str,
    memo: str,
) -> bool:
    """Oppose ``take_back``: the refund failed, or the dispute was won. False when it was given back already."""
    return ledger.post(
        Posting(
            reference=reference,
            kind=kind,
            organization_id=organization_id,
            lines=_lines(
                (AccountKind.PURCHASED, taken.taken),
                (AccountKind.WRITTEN_OFF, taken.uncovered),
                (AccountKind.STRIPE_CLEARING, -parts.money),
                (AccountKind.FEES, parts.fee),
                (AccountKind.PROMO_EXPENSE, -parts.bonus),
            ),
            memo=memo,
        )
    )


def _lines(*lines: tuple[AccountKind, int]) -> tuple[tuple[AccountKind, int], ...]:
    """Those that are not zero: the journal has no empty lines."""
    return tuple(line for line in lines if line[1])
