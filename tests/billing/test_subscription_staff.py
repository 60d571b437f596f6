"""Staff act on a subscription at Stripe from the back office."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.common.ids import new_id


@pytest.fixture
def staff(client, settings, tmp_path, committed):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    dave = get_user_model().objects.create_superuser(f"{new_id('dave')}@example.com", "pw")
    client.force_login(dave)
    return client


def test_staff_compare_end_and_take_back(shop, subscriber, staff):
    row = subscriber.subscribe("pro")

    def act(name):
        answer = staff.post(
            reverse("admin:billing_subscription_changelist"),
            {"action": name, "_selected_action": [row.pk]},
            follow=True,
        )
        return [str(message) for message in answer.context["messages"]]

    shop.stripe.v1.subscriptions.update(row.stripe_id, {"cancel_at_period_end": True})
    assert act("compare") == [f"{row.pk}: Active"]
    assert subscriber.row.cancel_at_period_end
    assert act("resume") == [f"{row.pk}: Active"]
    assert not subscriber.row.cancel_at_period_end
    assert act("cancel_at_the_end") == [f"{row.pk}: Active"]
    assert subscriber.at_stripe()["cancel_at_period_end"]
