"""JSON of the budgets' routes. Dollars are JSON numbers; the exact nano-dollars stand beside them."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field, StrictBool

from apps.billing.services.budgets import MOST_ALERTS, usual_alerts

MOST_USD = 1_000_000_000
Dollars = Annotated[float, Field(gt=0, le=MOST_USD, allow_inf_nan=False, strict=True)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Alerts = Annotated[
    list[Annotated[int, Field(ge=1, le=100)]],
    Field(max_length=MOST_ALERTS, default_factory=usual_alerts),
]


class BudgetChange(Schema):
    # A misspelt field must not be taken for one that was left out.
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"amount_usd": 25, "is_hard": True}}
    )

    amount_usd: Dollars
    """A period."""
    is_hard: StrictBool = True
    """Refuse what would exceed it; false: only tell."""
    alerts: Alerts
    """Percent of the amount at which it tells."""


class BudgetInput(BudgetChange):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"amount_usd": 25, "period": "month"}}
    )

    period: Literal["day", "week", "month"]
    """Of the calendar, in the organisation's time zone."""
    api_key_id: Id | None = None
    """Of this key alone."""
    member_id: Id | None = None
    """Of all keys that this user has made. Without either it is the organisation's."""


class BudgetInfo(Schema):
    id: int
    subject: Literal["key", "member", "organization"]
    api_key_id: int | None
    member_id: int | None
    period: str
    amount: float
    amount_nano_usd: int
    is_hard: bool
    alerts: list[int]
    spent: float
    spent_nano_usd: int
    held: float
    """By requests under way."""
    held_nano_usd: int
    remaining: float
    """Less what is spent and held; never below zero."""
    remaining_nano_usd: int
    starts_at: str
    resets_at: str


class BudgetBody(Schema):
    data: BudgetInfo


class BudgetList(Schema):
    data: list[BudgetInfo]


class EndedBudget(Schema):
    id: int
    deleted: bool = True
