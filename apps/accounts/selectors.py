"""Reading users and organisations."""

from dataclasses import dataclass

from apps.accounts.models import FIRST_PLAN, Organization, Plan, Role, User


def find_user(email: str) -> User | None:
    return User.objects.filter(email=email.lower()).first()


def personal_organization(user: User) -> Organization:
    """The organisation that came with the user. Raises Organization.DoesNotExist when staff have removed it."""
    return Organization.objects.get(memberships__user=user, is_personal=True)


def plan_of(organization: Organization) -> Plan:
    return organization.plan or Plan.objects.get(pk=FIRST_PLAN)


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
