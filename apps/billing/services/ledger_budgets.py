"""Windows of budgets: opened from what the journal says, kept by holds and settlements from then on.

Everything here runs under the lock of the organisation's balance, as every hold and every settlement does.
"""

import datetime
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.billing.models import Balance, Budget, BudgetWindow, EntryKind, EntryLine, Hold, Period
from apps.billing.services.periods import period_at


@transaction.atomic
def open_window(budget_id: int, moment: datetime.datetime) -> BudgetWindow:
    """The window around ``moment``. One that is new begins with what has been spent and is held in it already.

    A change of the organisation's time zone holds from the next window on: each begins where the last one ends.
    """
    budget = Budget.objects.select_related("organization").get(pk=budget_id)
    Balance.objects.select_for_update().get(pk=budget.organization_id)
    known = budget.windows.filter(starts_at__lte=moment, ends_at__gt=moment).first()
    if known is not None:
        return known
    starts_at, ends_at = period_at(Period(budget.period), moment, budget.organization.zone)
    last = budget.windows.filter(ends_at__lte=moment).order_by("-ends_at").first()
    if last is not None:
        starts_at = max(starts_at, last.ends_at)
    window = BudgetWindow.objects.create(budget=budget, starts_at=starts_at, ends_at=ends_at)
    itself = BudgetWindow.objects.filter(pk=window.pk)
    truth: Any = with_truth(itself).get()
    window.spent, window.held = truth.true_spent, truth.true_held
    window.save(update_fields=["spent", "held"])
    under_way = list(
        Hold.objects.filter(
            _whose(budget),
            organization_id=budget.organization_id,
            created_at__gte=starts_at,
            created_at__lt=ends_at,
        )
    )
    for hold in under_way:
        hold.windows = [*(hold.windows or []), window.pk]
    Hold.objects.bulk_update(under_way, ["windows"])
    return window


def _whose(budget: Budget) -> Q:
    named = {"api_key_id": budget.api_key_id, "member_id": budget.member_id}
    return Q(**{name: pk for name, pk in named.items() if pk is not None})


def give_back(released: Sequence[Hold]) -> None:
    """What these holds, which are gone, had taken of their windows. The caller has locked the balances."""
    freed: dict[int, int] = {}
    for hold in released:
        for window in hold.windows or ():
            freed[window] = freed.get(window, 0) + hold.amount
    for window, amount in sorted(freed.items()):
        BudgetWindow.objects.filter(pk=window).update(held=F("held") - amount)


def with_truth(windows: QuerySet[BudgetWindow]) -> QuerySet[BudgetWindow, Any]:
    """Each with ``true_spent`` and ``true_held``: what the journal and the open holds say of it."""
    organization = OuterRef("budget__organization_id")
    lines = EntryLine.objects.filter(
        account__organization_id=organization,
        entry__organization_id=organization,
        entry__kind=EntryKind.SETTLEMENT,
        # No settlement comes before its hold: the index by time finds the entries.
        entry__created_at__gte=OuterRef("starts_at"),
    )
    spent = _total(lines, "entry__", Coalesce("entry__held_at", "entry__created_at"))
    holds = Hold.objects.filter(organization_id=organization)
    return windows.annotate(
        true_spent=Value(0) - spent, true_held=_total(holds, "", F("created_at"))
    )


def _total(rows: QuerySet[Any], prefix: str, moment: Coalesce | F) -> Coalesce:
    """The sum of the amounts whose moment and spender are the window's."""
    for name in ("api_key_id", "member_id"):
        own = Coalesce(F(f"{prefix}{name}"), Value(0))
        # A budget that names none has all of them.
        rows = rows.alias(**{f"of_{name}": own}).filter(
            **{f"of_{name}": Coalesce(OuterRef(f"budget__{name}"), own)}
        )
    total = (
        rows.alias(moment=moment)
        .filter(moment__gte=OuterRef("starts_at"), moment__lt=OuterRef("ends_at"))
        .order_by()
        .annotate(whole=Value(1))
        .values("whole")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    return Coalesce(Subquery(total), Value(0), output_field=BigIntegerField())
