"""Reading users and organisations."""

from apps.accounts.models import FIRST_PLAN, Membership, Organization, Plan, Role, User


def find_user(email: str) -> User | None:
    return User.objects.filter(email=email.lower()).first()


def personal_organization(user: User) -> Organization:
    """The organisation that came with the user. Raises Organization.DoesNotExist when staff have removed it."""
    return Organization.objects.get(memberships__user=user, is_personal=True)


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
