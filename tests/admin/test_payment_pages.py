"""Payments at the back office: webhooks are processed again, orders compared and refunded, by those who may."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.billing.models import EventStatus, OrderStatus, StripeEvent
from apps.billing.services import orders
from tests.admin.conftest import make_payment


@pytest.fixture
def order(books):
    return make_payment(books)


def act(client, table, name, *rows):
    page = reverse(f"admin:billing_{table}_changelist")
    return client.post(page, {"action": name, "_selected_action": rows}, follow=True)


def texts(page):
    return [str(message) for message in page.context["messages"]]


def test_event_waits_again_when_it_is_to_be_processed_again(staff, order):
    StripeEvent.objects.filter(pk="evt_1").update(
        status=EventStatus.GIVEN_UP, attempts=12, problem="StripeAway"
    )

    page = act(staff, "stripeevent", "process_again", "evt_1")

    event = StripeEvent.objects.get(pk="evt_1")
    assert texts(page) == ["1 will be processed within a minute."]
    assert (event.status, event.attempts, event.problem) == (EventStatus.RECEIVED, 0, "")


def test_staff_are_told_why_an_order_cannot_be_compared(staff, order):
    page = act(staff, "order", "compare", order.pk)

    assert "STRIPE_SECRET_KEY" in texts(page)[0]


def test_unpaid_order_is_not_refunded(staff, order):
    page = reverse("admin:billing_order_refund", args=[order.pk])
    token = staff.get(page).context["form"]["token"].value()

    answer = staff.post(page, {"reason": "goodwill", "token": token}, follow=True)

    assert "was paid" in texts(answer)[0]
    order.refresh_from_db()
    assert (order.status, order.reversals.count()) == (OrderStatus.CREATED, 1)


def test_refund_leads_back_to_its_order_when_the_id_looks_quoted(staff, books, monkeypatch):
    """The back office writes ``_2F`` for a slash, and reads it so."""
    monkeypatch.setattr(orders, "new_id", lambda prefix: f"{prefix}_2Fab")
    order = make_payment(books)
    page = reverse("admin:billing_order_refund", args=[order.pk])
    token = staff.get(page).context["form"]["token"].value()

    answer = staff.post(page, {"reason": "goodwill", "token": token}, follow=True)

    assert answer.context["original"] == order


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "x"])
def test_amount_is_refused_beside_its_field(staff, order, amount):
    page = reverse("admin:billing_order_refund", args=[order.pk])
    token = staff.get(page).context["form"]["token"].value()

    answer = staff.post(page, {"amount_usd": amount, "reason": "x", "token": token})

    assert "amount_usd" in answer.context["form"].errors


def test_nothing_can_be_done_by_those_who_may_only_look(visitor, order):
    looker = get_user_model().objects.create_user("eve@example.com", "pw", is_staff=True)
    looker.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", "view_stripeevent"])
    )
    visitor.force_login(looker)

    act(visitor, "stripeevent", "process_again", "evt_1")
    refused = visitor.get(reverse("admin:billing_order_refund", args=[order.pk]))

    assert StripeEvent.objects.get(pk="evt_1").status == EventStatus.RECEIVED
    assert "process_again" not in str(
        visitor.get(reverse("admin:billing_stripeevent_changelist")).content
    )
    assert refused.status_code == 403
