"""Users, however they are made, come with a personal organisation of their own."""

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse

from apps.accounts import selectors, services
from apps.accounts.models import Membership, Organization, Role
from apps.billing.models import Balance

pytestmark = pytest.mark.django_db

EMAIL = "alice@example.com"


def make_by_service(client):
    services.create_user(email=EMAIL, password="pw")


def make_by_command(client):
    call_command("createsuperuser", interactive=False, email=EMAIL)


def make_in_the_admin(client):
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    passwords = {"password1": "correct-horse-9", "password2": "correct-horse-9"}
    inlines = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    answer = client.post(
        reverse("admin:accounts_user_add"), {"email": EMAIL, **passwords, **inlines}
    )
    assert answer.status_code == 302, answer.context["errors"]


@pytest.mark.parametrize("make", [make_by_service, make_by_command, make_in_the_admin])
def test_user_owns_a_personal_organisation_when_made(client, settings, tmp_path, make):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    make(client)

    user = selectors.find_user(EMAIL)
    assert user is not None
    organization = selectors.personal_organization(user)
    assert organization.name == EMAIL
    assert Membership.objects.get(user=user, organization=organization).role == Role.OWNER
    assert Balance.objects.get(pk=organization.pk).total == 0
    assert Organization.objects.filter(members=user).count() == 1


def test_superuser_may_enter_the_back_office_when_made_by_the_command(client):
    make_by_command(client)

    user = get_user_model().objects.get(email=EMAIL)
    assert (user.is_staff, user.is_superuser) == (True, True)
