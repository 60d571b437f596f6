"""Subscriptions at the back office: compared, ended and taken back by those who may."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from tests.admin.conftest import make_subscription
from tests.admin.test_payment_pages import act, texts

ACTIONS = ("compare", "cancel_at_the_end", "resume")


@pytest.fixture
def row(books):
    return make_subscription(books)


@pytest.mark.parametrize("action", ACTIONS)
def test_staff_are_told_why_nothing_could_be_done(staff, row, action):
    page = act(staff, "subscription", action, row.pk)

    assert "STRIPE_SECRET_KEY" in texts(page)[0]
    row.refresh_from_db()
    assert not row.cancel_at_period_end


def test_nothing_is_offered_to_those_who_may_only_look(visitor, row):
    looker = get_user_model().objects.create_user("eve@example.com", "pw", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_subscription"))
    visitor.force_login(looker)

    page = visitor.get(reverse("admin:billing_subscription_changelist"))

    assert row.pk in page.content.decode()
    assert not any(action in page.content.decode() for action in ACTIONS[1:])


def test_page_shows_the_invoices_and_what_they_brought(staff, row):
    page = staff.get(reverse("admin:billing_subscription_change", args=[row.pk]))

    assert all(text in page.content.decode() for text in ("in_1", "$29.00", "$30.00"))
