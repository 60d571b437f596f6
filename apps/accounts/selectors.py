"""Reading users and organisations."""

from dataclasses import dataclass

from apps.accounts.models import FIRST_PLAN, Membership, Organization, Plan, Role, User


def find_user(email: str) -> User | None:
    return User.objects.filter(email=email.lower()).first()


def personal_organization(user: User) -> Organization:
    """The organisation that came with the user. Raises Organization.DoesNotExist when staff have removed it."""
    return Organization.objects.get(memberships__user=user, is_personal=True)


def is_member(user_id: int, organization_id: int) -> bool:
    return Membership.objects.filter(user_id=user_id, organization_id=organization_id).exists()


def is_first_plan(plan: str) -> bool:
    """Whether it is the one of everybody who has no other."""
    return plan == FIRST_PLAN


def plan_of(organization: Organization) -> Plan:
    return organization.plan or Plan.objects.get(pk=FIRST_PLAN)


def addresses_of(organization_id: int) -> list[str]:
    """The e-mail addresses of those who look after the organisation."""
    keepers = Membership.objects.filter(
        organization_id=organization_id,
        role__in=(Role.OWNER, Role.ADMIN),
        user__is_active=True,
    )
    return list(keepers.order_by("user__email").values_list("user__email", flat=True))


@dataclass(frozen=True, slots=True)
class Owner:
    """The person who stands for an organisation where one is needed."""

    user_id: int
    email: str
    is_verified: bool
    """Whether the address has been proved."""


def owner_of(organization_id: int) -> Owner | None:
    """The owner who has been one the longest; None where nobody is."""
    found = (
        Membership.objects.filter(organization_id=organization_id, role=Role.OWNER)
        .select_related("user")
        .order_by("pk")
        .first()
    )
    if found is None:
        return None
    return Owner(found.user_id, found.user.email, found.user.email_verified_at is not None)


def share_a_member(organization_id: int, other_id: int) -> bool:
    """Whether somebody belongs to both."""
    members = Membership.objects.filter(organization_id=organization_id).values("user_id")
    return Membership.objects.filter(organization_id=other_id, user_id__in=members).exists()


@dataclass(frozen=True, slots=True)
class PlanCard:
    """A plan as customers see it. ``allowance`` is nano-USD a month, ``price_cents`` None where it is by agreement."""

    slug: str
    name: str
    description: str
    price_cents: int | None
    allowance: int
    features: tuple[str, ...]
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int


def public_plans() -> list[PlanCard]:
    return [
        _card(plan) for plan in Plan.objects.filter(is_public=True).order_by("position", "slug")
    ]


def find_public_plan(slug: str) -> PlanCard | None:
    plan = Plan.objects.filter(slug=slug, is_public=True).first()
    return None if plan is None else _card(plan)


def plan_card_of(organization_id: int) -> PlanCard:
    """That of the organisation, whether it is shown to everybody or not."""
    return _card(plan_of(Organization.objects.select_related("plan").get(pk=organization_id)))


def _card(plan: Plan) -> PlanCard:
    return PlanCard(
        slug=plan.slug,
        name=plan.name,
        description=plan.description,
        price_cents=plan.price_cents,
        allowance=plan.allowance,
        features=tuple(plan.features),
        requests_per_minute=plan.requests_per_minute,
        tokens_per_minute=plan.tokens_per_minute,
        concurrency=plan.concurrency,
    )


@dataclass(frozen=True, slots=True)
class BillingContact:
    """Who gets an organisation's receipts."""

    name: str
    email: str
    """Its first owner's; empty when it has none."""
    is_frozen: bool


def billing_contact(organization_id: int) -> BillingContact:
    """Raises Organization.DoesNotExist."""
    organization = Organization.objects.get(pk=organization_id)
    owner = (
        User.objects.filter(
            memberships__organization=organization, memberships__role=Role.OWNER, is_active=True
        )
        .order_by("memberships__created_at")
        .first()
    )
    return BillingContact(
        name=organization.name,
        email=owner.email if owner else "",
        is_frozen=organization.spending_frozen_at is not None,
    )
