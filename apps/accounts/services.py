"""Making users, and freezing what an organisation may spend."""

import datetime

from apps.accounts.models import Organization, User


def create_user(*, email: str, password: str, is_superuser: bool = False) -> User:
    """A new user together with the personal organisation that everyone has."""
    make = User.objects.create_superuser if is_superuser else User.objects.create_user
    return make(email, password)


def freeze_spending(organization_id: int, *, now: datetime.datetime) -> None:
    """Nothing that costs is served any more, on every process within a second. Twice keeps the first moment."""
    Organization.objects.filter(pk=organization_id, spending_frozen_at=None).update(
        spending_frozen_at=now
    )


def allow_spending(organization_id: int) -> None:
    Organization.objects.filter(pk=organization_id).update(spending_frozen_at=None)
