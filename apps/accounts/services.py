"""Making users and organisations."""

from django.db import transaction

from apps.accounts.models import Membership, Organization, Role, User


@transaction.atomic
def create_organization(*, name: str, owner: User, is_personal: bool = False) -> Organization:
    """A new organisation with its owner. Its balance opens with it, empty (a trigger of the billing app)."""
    organization = Organization.objects.create(name=name, is_personal=is_personal)
    Membership.objects.create(user=owner, organization=organization, role=Role.OWNER)
    return organization


@transaction.atomic
def create_user(*, email: str, password: str, is_superuser: bool = False) -> User:
    """A new user together with the personal organisation that everyone has."""
    make = User.objects.create_superuser if is_superuser else User.objects.create_user
    user = make(email, password)
    create_organization(name=email, owner=user, is_personal=True)
    return user
