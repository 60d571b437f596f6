"""Making users, and giving organisations their plans."""

from apps.accounts.models import Organization, Plan, User
from apps.common.errors import InvalidRequest


def create_user(*, email: str, password: str, is_superuser: bool = False) -> User:
    """A new user together with the personal organisation that everyone has."""
    make = User.objects.create_superuser if is_superuser else User.objects.create_user
    return make(email, password)


def assign_plan(organization_id: int, *, plan: str) -> None:
    """Raises InvalidRequest for an organisation or a plan that is not there. Keys follow within a second."""
    if not Plan.objects.filter(pk=plan).exists():
        raise InvalidRequest(f"There is no plan '{plan[:50]}'.", param="plan", code="invalid_value")
    if not Organization.objects.filter(pk=organization_id).update(plan=plan):
        raise InvalidRequest(
            "There is no such organisation.", param="organization", code="invalid_value"
        )
