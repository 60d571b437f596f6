"""What was used of the organisation's plan this month: GET /v1/user/plan/usage."""

import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from apps.accounts.selectors import plan_card_of
from apps.billing.selectors import credit_of
from apps.common import clock
from apps.common.db import to_iso
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of
from apps.inference.selectors import usage_since

router = Router(tags=["Plans"])


class PlanUsage(Schema):
    plan: str
    since: str
    """The first of the month, UTC."""
    requests: int
    """Those that cost something."""
    tokens: int
    """Theirs, in and out."""
    spent: float
    spent_nano_usd: int
    allowance_nano_usd: int
    """A month."""
    allowance_left_nano_usd: int


class PlanUsageBody(Schema):
    data: PlanUsage


@router.get("/user/plan/usage", response=PlanUsageBody, summary="What you used this month")
def read_plan_usage(request: HttpRequest) -> PlanUsageBody:
    organization = organization_of(request)
    since = _month(clock.now())
    plan, used = plan_card_of(organization), usage_since(organization, since)
    return PlanUsageBody(
        data=PlanUsage(
            plan=plan.slug,
            since=to_iso(since) or "",
            requests=used.requests,
            tokens=used.tokens,
            spent=nano_to_usd(used.charged),
            spent_nano_usd=used.charged,
            allowance_nano_usd=plan.allowance,
            allowance_left_nano_usd=credit_of(organization).allowance,
        )
    )


def _month(now: datetime.datetime) -> datetime.datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
