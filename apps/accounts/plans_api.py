"""Plans: GET /v1/plans, /v1/plans/{plan}, /v1/subscription/plans, and the organisation's own at /v1/user/plan.

What was used of it is of apps.inference.plan_usage_api.
"""

from django.http import HttpRequest
from ninja import Router, Schema

from apps.accounts.selectors import PlanCard, find_public_plan, plan_card_of, public_plans
from apps.common.errors import NotFound
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of

router = Router(tags=["Plans"])


class PlanLimits(Schema):
    """Of a key without limits of its own."""

    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int


class PlanInfo(Schema):
    slug: str
    name: str
    description: str
    price_cents: int | None
    """A month, in US cents; null: by agreement."""
    allowance: float
    """Dollars of credit that come with each month."""
    allowance_nano_usd: int
    features: list[str]
    limits: PlanLimits


class PlanBody(Schema):
    data: PlanInfo


class PlanList(Schema):
    data: list[PlanInfo]


class Entitlements(Schema):
    plan: str
    limits: PlanLimits
    allowance_nano_usd: int
    features: list[str]


class EntitlementsBody(Schema):
    data: Entitlements


@router.get("/plans", response=PlanList, auth=None, summary="List plans")
def list_plans(request: HttpRequest) -> PlanList:
    return PlanList(data=[_present(plan) for plan in public_plans()])


@router.get("/plans/{plan}", response=PlanBody, auth=None, summary="One plan")
def read_plan(request: HttpRequest, plan: str) -> PlanBody:
    found = find_public_plan(plan)
    if found is None:
        raise NotFound("There is no such plan.", param="plan")
    return PlanBody(data=_present(found))


@router.get(
    "/subscription/plans", response=PlanList, auth=None, summary="Plans that are paid by the month"
)
def list_subscription_plans(request: HttpRequest) -> PlanList:
    return PlanList(data=[_present(plan) for plan in public_plans() if plan.price_cents])


@router.get("/user/plan", response=PlanBody, summary="Your organisation's plan")
def read_own_plan(request: HttpRequest) -> PlanBody:
    return PlanBody(data=_present(plan_card_of(organization_of(request))))


@router.get(
    "/user/plan/entitlements", response=EntitlementsBody, summary="What your plan lets you do"
)
def read_entitlements(request: HttpRequest) -> EntitlementsBody:
    plan = plan_card_of(organization_of(request))
    return EntitlementsBody(
        data=Entitlements(
            plan=plan.slug,
            limits=_limits(plan),
            allowance_nano_usd=plan.allowance,
            features=list(plan.features),
        )
    )


def _present(plan: PlanCard) -> PlanInfo:
    return PlanInfo(
        slug=plan.slug,
        name=plan.name,
        description=plan.description,
        price_cents=plan.price_cents,
        allowance=nano_to_usd(plan.allowance),
        allowance_nano_usd=plan.allowance,
        features=list(plan.features),
        limits=_limits(plan),
    )


def _limits(plan: PlanCard) -> PlanLimits:
    return PlanLimits(
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        concurrency=plan.concurrency,
    )
