"""Proof that the books are right: what ``manage.py verify_ledger`` prints and the nightly job checks."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.billing.models import AccountKind, Balance, EntryLine, Hold, JournalEntry
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


def verify() -> Verification:
    """Σ of each entry = 0, Σ of the lines = balances, Σ of the holds = held, no hold older than its expiry.

    Each proof is one query, so it sees one moment of the books without a lock: settlements go on meanwhile.
    """
    problems = [*_unbalanced_entries(), *_wrong_balances(), *_stale_holds()]
    return Verification(
        entries=JournalEntry.objects.count(),
        organizations=Balance.objects.count(),
        open_holds=Hold.objects.count(),
        problems=tuple(problems),
    )


def _unbalanced_entries() -> list[str]:
    """An entry without lines has no sum at all, which is not zero either."""
    unbalanced = (
        JournalEntry.objects.annotate(total=Sum("lines__amount"))
        .exclude(total__isnull=False, total=0)
        .values_list("reference", "total")
    )
    return [
        f"entry {reference} has no lines"
        if total is None
        else f"entry {reference} sums to {format_usd(total)}, not zero"
        for reference, total in unbalanced
    ]


def _wrong_balances() -> list[str]:
    sums = {f"{kind}_lines": _sum_of_lines(kind) for kind in SPEND_ORDER}
    rows = Balance.objects.annotate(**sums, holds=_sum_of_holds()).exclude(
        held=F("holds"), **{kind.value: F(f"{kind}_lines") for kind in SPEND_ORDER}
    )
    problems = []
    for row in rows:
        for kind in SPEND_ORDER:
            booked, lines = getattr(row, kind), getattr(row, f"{kind}_lines")
            if booked != lines:
                problems.append(
                    f"organisation {row.pk}: {kind} is {format_usd(booked)}, "
                    f"its lines sum to {format_usd(lines)}"
                )
        if row.held != row.holds:
            problems.append(
                f"organisation {row.pk}: {format_usd(row.held)} held, "
                f"its holds sum to {format_usd(row.holds)}"
            )
    return problems


def _sum_of_lines(kind: AccountKind) -> Coalesce:
    lines = EntryLine.objects.filter(
        account__organization_id=OuterRef("organization_id"), account__kind=kind
    )
    return _sum(lines.values("account_id"))


def _sum_of_holds() -> Coalesce:
    holds = Hold.objects.filter(organization_id=OuterRef("organization_id"))
    return _sum(holds.values("organization_id"))


def _sum(grouped: QuerySet[Any, Any]) -> Coalesce:
    total = grouped.annotate(total=Sum("amount")).values("total")
    return Coalesce(Subquery(total), Value(0), output_field=BigIntegerField())


def _stale_holds() -> list[str]:
    """The sweep runs every half lease: a hold that is a whole lease past its expiry was missed by it."""
    stale = Hold.objects.filter(expires_at__lt=clock.now() - settings.HOLD_LEASE)
    return [
        f"hold {hold.pk} expired at {hold.expires_at:%Y-%m-%d %H:%M:%S} and is still open"
        for hold in stale
    ]
