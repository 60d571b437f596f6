"""Making users."""

from apps.accounts.models import User


def create_user(*, email: str, password: str, is_superuser: bool = False) -> User:
    """A new user together with the personal organisation that everyone has."""
    make = User.objects.create_superuser if is_superuser else User.objects.create_user
    return make(email, password)
