"""Proof that the books are right: what ``manage.py verify_ledger`` prints and the nightly job checks."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.billing.models import (
    AccountKind,
    Balance,
    BudgetWindow,
    CreditLot,
    EntryLine,
    Hold,
    JournalEntry,
)
from apps.billing.selectors import EXPIRING
from apps.billing.services.ledger_budgets import with_truth
from apps.billing.services.ledger_portable import SPEND_ORDER
from apps.common import clock
from apps.common.money import format_usd

STILL_PROVED = datetime.timedelta(days=2)
"""After a window's end; what it was no longer matters to anybody."""


@dataclass(frozen=True, slots=True)
class Verification:
    entries: int
    organizations: int
    open_holds: int
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        return not self.problems


def verify(*organizations: int) -> Verification:
    """Σ of each entry = 0, Σ of the lines = balances, Σ of the holds = held, no hold older than its expiry,
    and the windows of budgets = the entries and holds of their time.

    Of these organisations, or of all. Each proof is one query, so it sees one moment of the books without a lock:
    settlements go on meanwhile.
    """
    chosen = Q(organization_id__in=organizations) if organizations else Q()
    entries = JournalEntry.objects.filter(chosen)
    balances = Balance.objects.filter(chosen)
    holds = Hold.objects.filter(chosen)
    windows = BudgetWindow.objects.filter(
        Q(budget__organization_id__in=organizations) if organizations else Q()
    )
    problems = [
        *_unbalanced(entries),
        *_wrong(balances),
        *_without_lot(balances),
        *_stale(holds),
        *_wrong_windows(windows),
    ]
    return Verification(
        entries=entries.count(),
        organizations=balances.count(),
        open_holds=holds.count(),
        problems=tuple(problems),
    )


def _unbalanced(entries: QuerySet[JournalEntry]) -> list[str]:
    """An entry without lines has no sum at all, which is not zero either."""
    unbalanced = (
        entries.annotate(total=Sum("lines__amount"))
        .exclude(total__isnull=False, total=0)
        .values_list("reference", "total")
    )
    return [
        f"entry {reference} has no lines"
        if total is None
        else f"entry {reference} sums to {format_usd(total)}, not zero"
        for reference, total in unbalanced
    ]


def _wrong(balances: QuerySet[Balance]) -> list[str]:
    sums = {f"{kind}_lines": _sum_of_lines(kind) for kind in SPEND_ORDER}
    rows = balances.annotate(**sums, holds=_sum_of_holds()).exclude(
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


def _without_lot(balances: QuerySet[Balance]) -> list[str]:
    """What the lots still have is what the bucket has, and what was spent of it since the last booking."""
    sums = {f"{kind}_lots": _sum_of_lots(kind) for kind in EXPIRING}
    short = Q()
    for kind in EXPIRING:
        short |= Q(**{f"{kind}_lots__lt": F(kind.value)})
    return [
        f"organisation {row.pk}: {kind} is {format_usd(getattr(row, kind))}, "
        f"its lots have {format_usd(getattr(row, f'{kind}_lots'))}"
        for row in balances.annotate(**sums).filter(short)
        for kind in EXPIRING
        if getattr(row, f"{kind}_lots") < getattr(row, kind)
    ]


def _wrong_windows(windows: QuerySet[BudgetWindow]) -> list[str]:
    """Of the budgets in force, as long as a request can still be under way in the window."""
    recent = windows.filter(budget__ended_at=None, ends_at__gt=clock.now() - STILL_PROVED)
    wrong = with_truth(recent).exclude(spent=F("true_spent"), held=F("true_held"))
    return [
        f"window {row.pk} of budget {row.budget_id}: {format_usd(row.spent)} spent and {format_usd(row.held)} held, "
        f"its entries sum to {format_usd(row.true_spent)} and its holds to {format_usd(row.true_held)}"
        for row in wrong
    ]


def _sum_of_lots(kind: AccountKind) -> Coalesce:
    lots = CreditLot.objects.filter(organization_id=OuterRef("organization_id"), bucket=kind)
    total = lots.order_by().values("organization_id").annotate(total=Sum("remaining"))
    return Coalesce(Subquery(total.values("total")), Value(0), output_field=BigIntegerField())


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


def _stale(holds: QuerySet[Hold]) -> list[str]:
    """The sweep runs every half lease: a hold that is a whole lease past its expiry was missed by it."""
    stale = holds.filter(expires_at__lt=clock.now() - settings.HOLD_LEASE)
    return [
        f"hold {hold.pk} expired at {hold.expires_at:%Y-%m-%d %H:%M:%S} and is still open"
        for hold in stale
    ]
