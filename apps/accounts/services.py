"""Making users, giving organisations their plans, and freezing what they may spend."""

import datetime

from apps.accounts.models import FIRST_PLAN, Organization, Plan, User
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


def leave_plan(organization_id: int, *, plan: str) -> bool:
    """Back to the first plan. False when the organisation has another than this by now: somebody gave it that."""
    mine = Organization.objects.filter(pk=organization_id, plan=plan)
    return bool(mine.update(plan=FIRST_PLAN))


def freeze_spending(organization_id: int, *, now: datetime.datetime) -> None:
    """Nothing that costs is served any more, on every process within a second. Twice keeps the first moment."""
    Organization.objects.filter(pk=organization_id, spending_frozen_at=None).update(
        spending_frozen_at=now
    )


def allow_spending(organization_id: int) -> None:
    Organization.objects.filter(pk=organization_id).update(spending_frozen_at=None)
