"""Reading users and organisations."""

from apps.accounts.models import FIRST_PLAN, Membership, Organization, Plan, User


def find_user(email: str) -> User | None:
    return User.objects.filter(email=email.lower()).first()


def personal_organization(user: User) -> Organization:
    """The organisation that came with the user. Raises Organization.DoesNotExist when staff have removed it."""
    return Organization.objects.get(memberships__user=user, is_personal=True)


def is_member(user_id: int, organization_id: int) -> bool:
    return Membership.objects.filter(user_id=user_id, organization_id=organization_id).exists()


def plan_of(organization: Organization) -> Plan:
    return organization.plan or Plan.objects.get(pk=FIRST_PLAN)
