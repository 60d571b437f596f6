"""Budgets: making, changing and ending them, why one refuses, and telling that one is nearly used up.

The windows themselves are ``ledger_budgets.py``'s.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery

from apps.accounts import notices
from apps.accounts.notices import BudgetReached
from apps.billing.models import Budget as Budget
from apps.billing.models import BudgetAlert, BudgetWindow
from apps.billing.models import Period as Period
from apps.billing.models.budget import MOST_ALERTS as MOST_ALERTS
from apps.billing.models.budget import check_alerts as check_alerts
from apps.billing.models.budget import usual_alerts as usual_alerts
from apps.billing.services.known_budgets import Spender
from apps.billing.services.ledger_budgets import open_window
from apps.common import clock
from apps.common.db import to_iso
from apps.common.errors import BudgetExceeded
from apps.common.money import format_usd, nano_to_usd


def make(
    organization_id: int,
    *,
    period: Period,
    amount: int,
    is_hard: bool,
    alerts: list[int],
    api_key_id: int | None = None,
    member_id: int | None = None,
) -> Budget:
    """``amount`` in nano-USD. It counts what has been spent since the period began."""
    return Budget.objects.create(
        organization_id=organization_id,
        api_key_id=api_key_id,
        member_id=member_id,
        period=period,
        amount=amount,
        is_hard=is_hard,
        alerts=alerts,
    )


def change(budget: Budget, *, amount: int, is_hard: bool, alerts: list[int]) -> None:
    budget.amount, budget.is_hard, budget.alerts = amount, is_hard, alerts
    budget.save(update_fields=["amount", "is_hard", "alerts", "updated_at"])


def end(budget: Budget) -> None:
    """It limits nothing any more; its windows stay, for the requests under way."""
    if budget.ended_at is None:
        budget.ended_at = clock.now()
        budget.save(update_fields=["ended_at", "updated_at"])


def of(organization_id: int) -> list[Budget]:
    """Those in force."""
    return list(Budget.objects.filter(organization_id=organization_id, ended_at=None))


def find(organization_id: int, budget_id: int) -> Budget | None:
    return Budget.objects.filter(
        organization_id=organization_id, pk=budget_id, ended_at=None
    ).first()


def limiting(spender: Spender) -> list[Budget]:
    return [
        budget
        for budget in of(spender.organization_id)
        if budget.api_key_id in (None, spender.api_key_id)
        and budget.member_id in (None, spender.member_id)
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a budget now; nano-USD."""

    spent: int
    held: int
    remaining: int
    starts_at: datetime.datetime
    resets_at: datetime.datetime


def standing_of(budget: Budget, now: datetime.datetime) -> Standing:
    window = budget.windows.filter(starts_at__lte=now, ends_at__gt=now).first() or open_window(
        budget.pk, now
    )
    return Standing(
        spent=window.spent,
        held=window.held,
        remaining=max(0, budget.amount - window.spent - window.held),
        starts_at=window.starts_at,
        resets_at=window.ends_at,
    )


def refusal(windows: Iterable[int], amount: int) -> BudgetExceeded:
    """Which hard budget leaves least, and when it starts again."""
    found = BudgetWindow.objects.select_related("budget").filter(
        pk__in=list(windows), budget__is_hard=True, budget__ended_at=None
    )
    tightest = min(found, key=lambda w: w.budget.amount - w.spent - w.held, default=None)
    if tightest is None:  # it was changed at this moment
        return BudgetExceeded("A budget had no room for this request. Nothing was charged.")
    budget = tightest.budget
    left = max(0, budget.amount - tightest.spent - tightest.held)
    return BudgetExceeded(
        f"This request may cost {format_usd(amount)}; the {budget.get_period_display().split(':')[0].lower()}'s "
        f"budget of the {budget.whose} is {format_usd(budget.amount)}, of which {format_usd(tightest.spent)} is spent "
        f"and {format_usd(tightest.held)} on hold. It starts again at {to_iso(tightest.ends_at)}.",
        details={
            "budget_id": budget.pk,
            "needed_usd": nano_to_usd(amount),
            "limit_usd": nano_to_usd(budget.amount),
            "spent_usd": nano_to_usd(tightest.spent),
            "held_usd": nano_to_usd(tightest.held),
            "remaining_usd": nano_to_usd(left),
            "resets_at": to_iso(tightest.ends_at),
        },
    )


@dataclass(frozen=True, slots=True)
class Told:
    budget: Budget
    percent: int
    spent: int


def tell_alerts(now: datetime.datetime) -> list[Told]:
    """The highest percentage of each window that spending has reached since the last time; what it passed on the way is not told."""
    former = BudgetAlert.objects.filter(window=OuterRef("pk")).order_by("-percent")
    windows = (
        BudgetWindow.objects.filter(
            Q(budget__ended_at=None), spent__gt=0, ends_at__gt=now - datetime.timedelta(days=1)
        )
        .annotate(told=Subquery(former.values("percent")[:1]))
        .filter(Q(told=None) | Q(told__lt=100))
        .filter(spent__gte=F("budget__amount") / 100)
        .select_related("budget")
    )
    told = []
    for window in windows:
        reached = [
            percent
            for percent in set(window.budget.alerts)
            if window.spent * 100 >= percent * window.budget.amount
        ]
        highest = max(reached, default=0)
        if highest > (window.told or 0) and _tell(window, highest, reached, now):
            told.append(Told(window.budget, highest, window.spent))
    return told


@transaction.atomic
def _tell(window: BudgetWindow, percent: int, reached: list[int], now: datetime.datetime) -> bool:
    """False when another job has done it."""
    found = {"spent": window.spent, "created_at": now}
    _, is_new = BudgetAlert.objects.get_or_create(window=window, percent=percent, defaults=found)
    if is_new:
        for passed in reached:
            BudgetAlert.objects.get_or_create(window=window, percent=passed, defaults=found)
        _write_to(window, percent)
    return is_new


def _write_to(window: BudgetWindow, percent: int) -> None:
    budget = window.budget
    notices.notify(
        budget.organization_id,
        BudgetReached(
            subject=f"the {budget.whose}",
            window=str(budget.period),
            percent=percent,
            amount_nano_usd=budget.amount,
            spent_nano_usd=window.spent,
            starts_again_at=window.ends_at,
            is_hard=budget.is_hard,
        ),
        reference=f"budget:{window.pk}:{percent}",
    )
