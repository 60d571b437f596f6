"""Budgets: /v1/user/budgets, and /v1/key/budgets for those that limit the key that asks.

Here and not in apps.billing, as whose a budget may be is (budget_subjects.py).
"""

from typing import Literal

from django.http import HttpRequest
from ninja import Router

from apps.billing.services import budgets
from apps.billing.services.budgets import Budget, Period
from apps.billing.services.known_budgets import Spender
from apps.common import clock
from apps.common.db import to_iso
from apps.common.errors import InvalidRequest, NotFound
from apps.common.money import nano_to_usd, usd_to_nano
from apps.common.principal import organization_of
from apps.inference.budget_schemas import (
    BudgetBody,
    BudgetChange,
    BudgetInfo,
    BudgetInput,
    BudgetList,
    EndedBudget,
    Id,
)
from apps.inference.budget_subjects import check_subject
from apps.keys.selectors import KeySnapshot

router = Router(tags=["Budgets"])


@router.get("/user/budgets", response=BudgetList, summary="The organisation's budgets")
def list_budgets(request: HttpRequest) -> BudgetList:
    """With what is spent and on hold in the present window of each."""
    return BudgetList(data=[present(budget) for budget in budgets.of(organization_of(request))])


@router.post("/user/budgets", response=BudgetBody, summary="Make a budget")
def make_budget(request: HttpRequest, asked: BudgetInput) -> BudgetBody:
    """In force with the next request. It counts what has been spent since its period began."""
    organization = organization_of(request)
    check_subject(organization, api_key_id=asked.api_key_id, member_id=asked.member_id)
    made = budgets.make(
        organization,
        period=Period(asked.period),
        amount=_amount(asked.amount_usd),
        is_hard=asked.is_hard,
        alerts=asked.alerts,
        api_key_id=asked.api_key_id,
        member_id=asked.member_id,
    )
    return BudgetBody(data=present(made))


@router.get("/user/budgets/{budget_id}", response=BudgetBody, summary="One budget")
def read_budget(request: HttpRequest, budget_id: Id) -> BudgetBody:
    return BudgetBody(data=present(_find(request, budget_id)))


@router.put("/user/budgets/{budget_id}", response=BudgetBody, summary="Change a budget")
def change_budget(request: HttpRequest, budget_id: Id, asked: BudgetChange) -> BudgetBody:
    """In force with the next request. Whose it is and its period stay: end it and make another one."""
    budget = _find(request, budget_id)
    budgets.change(
        budget, amount=_amount(asked.amount_usd), is_hard=asked.is_hard, alerts=asked.alerts
    )
    return BudgetBody(data=present(budget))


@router.delete("/user/budgets/{budget_id}", response=EndedBudget, summary="End a budget")
def end_budget(request: HttpRequest, budget_id: Id) -> EndedBudget:
    budgets.end(_find(request, budget_id))
    return EndedBudget(id=budget_id)


@router.get("/key/budgets", response=BudgetList, summary="The budgets that limit this key")
def list_key_budgets(request: HttpRequest) -> BudgetList:
    """Its own, that of the member who has made it, and the organisation's."""
    key: KeySnapshot = request.auth  # type: ignore[attr-defined]
    spender = Spender(key.organization_id, key.id, key.created_by_id)
    return BudgetList(data=[present(budget) for budget in budgets.limiting(spender)])


def _find(request: HttpRequest, budget_id: Id) -> Budget:
    """Raises NotFound, also for somebody else's."""
    found = budgets.find(organization_of(request), budget_id)
    if found is None:
        raise NotFound(f"Your organisation has no budget {budget_id}.", param="budget_id")
    return found


def _amount(dollars: float) -> int:
    amount = usd_to_nano(repr(dollars))
    if amount <= 0:
        raise InvalidRequest(
            "'amount_usd' must be at least a billionth of a dollar.",
            param="amount_usd",
            code="invalid_value",
        )
    return amount


def present(budget: Budget) -> BudgetInfo:
    standing = budgets.standing_of(budget, clock.now())
    subject: Literal["key", "member", "organization"] = "organization"
    if budget.api_key_id is not None:
        subject = "key"
    elif budget.member_id is not None:
        subject = "member"
    return BudgetInfo(
        id=budget.pk,
        subject=subject,
        api_key_id=budget.api_key_id,
        member_id=budget.member_id,
        period=budget.period,
        amount=nano_to_usd(budget.amount),
        amount_nano_usd=budget.amount,
        is_hard=budget.is_hard,
        alerts=sorted(set(budget.alerts)),
        spent=nano_to_usd(standing.spent),
        spent_nano_usd=standing.spent,
        held=nano_to_usd(standing.held),
        held_nano_usd=standing.held,
        remaining=nano_to_usd(standing.remaining),
        remaining_nano_usd=standing.remaining,
        starts_at=to_iso(standing.starts_at) or "",
        resets_at=to_iso(standing.resets_at) or "",
    )
