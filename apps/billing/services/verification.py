"""Proof that the books are right: what ``manage.py verify_ledger`` prints and the nightly job checks."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Sum, Value
from django.db.models.functions import Coalesce

from apps.billing.models import Balance, EntryLine, Hold, JournalEntry
from apps.billing.services.ledger_portable import SPEND_ORDER
from apps.common import clock
from apps.common.money import format_usd


@dataclass(frozen=True, slots=True)
class Verification:
    entries: int
    organizations: int
    open_holds: int
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems


@transaction.atomic
def verify() -> Verification:
    """Σ of each entry = 0, Σ of the lines = balances, Σ of the holds = held, no hold older than its expiry."""
    problems = [*_unbalanced_entries(), *_wrong_balances(), *_stale_holds()]
    return Verification(
        entries=JournalEntry.objects.count(),
        organizations=Balance.objects.count(),
        open_holds=Hold.objects.count(),
        problems=tuple(problems),
    )


def _unbalanced_entries() -> list[str]:
    unbalanced = (
        JournalEntry.objects.annotate(total=Coalesce(Sum("lines__amount"), Value(0)))
        .exclude(total=0)
        .values_list("reference", "total")
    )
    empty = JournalEntry.objects.filter(lines=None).values_list("reference", flat=True)
    return [
        *(
            f"entry {reference} sums to {format_usd(total)}, not zero"
            for reference, total in unbalanced
        ),
        *(f"entry {reference} has no lines" for reference in empty),
    ]


def _wrong_balances() -> list[str]:
    """Balances are locked while their lines are added up, so that a settlement cannot fall between the two."""
    balances = Balance.objects.select_for_update().order_by("pk").in_bulk()
    sums: dict[tuple[int, str], int] = {
        (organization_id, kind): total
        for organization_id, kind, total in EntryLine.objects.filter(account__kind__in=SPEND_ORDER)
        .values_list("account__organization_id", "account__kind")
        .annotate(total=Sum("amount"))
    }
    held = dict(Hold.objects.values_list("organization_id").annotate(total=Sum("amount")))
    problems = []
    for pk, balance in balances.items():
        for kind in SPEND_ORDER:
            booked, lines = getattr(balance, kind), sums.get((pk, kind), 0)
            if booked != lines:
                problems.append(
                    f"organisation {pk}: {kind} is {format_usd(booked)}, its lines sum to {format_usd(lines)}"
                )
        if balance.held != held.get(pk, 0):
            problems.append(
                f"organisation {pk}: {format_usd(balance.held)} held, its holds sum to {format_usd(held.get(pk, 0))}"
            )
    return problems


def _stale_holds() -> list[str]:
    """The sweep runs every half lease: a hold that is a whole lease past its expiry was missed by it."""
    stale = Hold.objects.filter(expires_at__lt=clock.now() - settings.HOLD_LEASE)
    return [
        f"hold {hold.pk} expired at {hold.expires_at:%Y-%m-%d %H:%M:%S} and is still open"
        for hold in stale
    ]
