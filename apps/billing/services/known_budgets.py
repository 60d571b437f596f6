"""Budgets as the hot path sees them: who is limited by which, and the windows that are open now.

Amounts are not among them: what a budget leaves is read by the statement that places the hold.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.billing.models import Balance, Budget, BudgetEpoch, BudgetWindow
from apps.billing.services.ledger_budgets import open_window
from apps.common import clock
from apps.common.cache import Snapshot
from apps.common.db import run_db


@dataclass(frozen=True, slots=True)
class Spender:
    organization_id: int
    api_key_id: int | None = None
    member_id: int | None = None


@dataclass(frozen=True, slots=True)
class OpenWindow:
    id: int
    starts_at: datetime.datetime
    ends_at: datetime.datetime


@dataclass(frozen=True, slots=True)
class KnownBudget:
    id: int
    api_key_id: int | None
    member_id: int | None

    def applies_to(self, spender: Spender) -> bool:
        return (self.api_key_id is None or self.api_key_id == spender.api_key_id) and (
            self.member_id is None or self.member_id == spender.member_id
        )


@dataclass(slots=True)
class Budgets:
    """Of one organisation."""

    version: int
    """Which a hold must name."""
    budgets: list[KnownBudget] = field(default_factory=list)
    windows: dict[int, OpenWindow] = field(default_factory=dict)
    """By budget; one that is not here, or is over, is opened when it is needed."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a hold says of budgets."""

    version: int = 0
    windows: tuple[int, ...] = ()


NONE = Terms()


def _load() -> dict[int, Budgets]:
    # Versions first: budgets that are newer than their version are read again, older ones would not be.
    versions = Balance.objects.filter(budget_version__gt=0).values_list("pk", "budget_version")
    found = {pk: Budgets(version or 0) for pk, version in versions}
    for budget in Budget.objects.filter(ended_at=None):
        if budget.organization_id in found:
            known = KnownBudget(budget.pk, budget.api_key_id, budget.member_id)
            found[budget.organization_id].budgets.append(known)
    now = clock.now()
    current = BudgetWindow.objects.filter(starts_at__lte=now, ends_at__gt=now)
    for window in current.select_related("budget"):
        if window.budget.organization_id in found:
            _remember(found[window.budget.organization_id], window)
    return found


def _remember(budgets: Budgets, window: BudgetWindow) -> OpenWindow:
    known = OpenWindow(window.pk, window.starts_at, window.ends_at)
    budgets.windows[window.budget_id] = known
    return known


known_budgets: Snapshot[Mapping[int, Budgets]] = Snapshot(
    "budgets",
    load=_load,
    epoch=lambda: BudgetEpoch.objects.values_list("value", flat=True).get(pk=1),
)
"""By organisation; one that never had a budget is not in it."""


async def terms_for(spender: Spender, moment: datetime.datetime) -> Terms:
    """No query while its windows are open."""
    known = (await known_budgets.fresh()).get(spender.organization_id)
    if known is None:
        return NONE
    windows = _open_windows(known, spender, moment)
    return windows if windows is not None else await run_db(_open_missing, known, spender, moment)


def terms_now(spender: Spender, moment: datetime.datetime) -> Terms:
    """The same for synchronous code."""
    known = known_budgets.check().get(spender.organization_id)
    return NONE if known is None else _open_missing(known, spender, moment)


def _open_windows(known: Budgets, spender: Spender, moment: datetime.datetime) -> Terms | None:
    """None when one must be opened first."""
    found = []
    for budget in known.budgets:
        if budget.applies_to(spender):
            window = known.windows.get(budget.id)
            if window is None or not window.starts_at <= moment < window.ends_at:
                return None
            found.append(window.id)
    return Terms(known.version, tuple(found))


def _open_missing(known: Budgets, spender: Spender, moment: datetime.datetime) -> Terms:
    found = []
    for budget in known.budgets:
        if budget.applies_to(spender):
            window = known.windows.get(budget.id)
            if window is None or not window.starts_at <= moment < window.ends_at:
                window = _remember(known, open_window(budget.id, moment))
            found.append(window.id)
    return Terms(known.version, tuple(found))
