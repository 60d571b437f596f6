"""Any interleaving of changes, months, deliveries and failures of Stripe ends where Stripe is, with each allowance given once."""

import contextlib
import random

import pytest
import stripe

from apps.billing.models import EventStatus, PlanPrice, SubscriptionInvoice
from apps.billing.services import inbox, subscriptions
from tests.billing.subscriber import DAY

STEPS = 25
ENDED = ("canceled", "incomplete_expired")


class Chance:
    """What may happen next, by a seed."""

    def __init__(self, subscriber, seed):
        self.subscriber, self.shop = subscriber, subscriber.shop
        self.random = random.Random(seed)

    def step(self):
        self.random.choice(
            (self.change, self.change, self.portal, self.wait, self.wait, self.deliver, self.deliver, self.fail, self.decline)
        )()  # fmt: skip

    def change(self):
        """By a route; whatever it answers."""
        path, body = self.random.choice(
            (
                ("upgrade", {"plan": "team"}),
                ("downgrade", {"plan": "pro"}),
                ("cancel", {}),
                ("resume", {}),
                ("resume", {}),
                ("preview", {"plan": "team"}),
            )
        )
        answer = self.shop.call("POST", f"subscription/{path}", body)
        assert answer.status_code in (200, 400, 402, 404, 503), answer.text

    def portal(self):
        """In Stripe's own pages, behind our back."""
        found = self.subscriber.at_stripe()
        if found["status"] in ENDED:
            return
        price = self.random.choice(list(PlanPrice.objects.exclude(stripe_id=None)))
        with contextlib.suppress(stripe.StripeError):
            self.shop.stripe.v1.subscriptions.update(
                found["id"],
                {
                    "items": [
                        {"id": found["items"]["data"][0]["id"], "price": price.stripe_id or ""}
                    ],
                    "proration_behavior": self.random.choice(
                        ("always_invoice", "create_prorations", "none")
                    ),
                },
            )

    def wait(self):
        self.subscriber.pass_time(self.random.choice((3600, 5 * DAY, 17 * DAY + 1, 31 * DAY)))

    def deliver(self):
        """Some of what happened, in any order, now and then all of it twice at once."""
        told = self.shop.events()
        some = self.random.sample(told, min(len(told), 6))
        self.shop.deliver(events=some, times=self.random.choice((1, 1, 2)))

    def fail(self):
        kind = self.random.choice(("500", "lost", "timeout"))
        self.shop.fake.control("fail", kind=kind, milliseconds=600)

    def decline(self):
        self.shop.fake.control("decline")

    def come_to_rest(self):
        """All that failed is done again, as the sweep does; then everything is told of once more."""
        self.shop.fake.control("mend")
        for event in self.shop.stored():
            if event.status in (EventStatus.FAILED, EventStatus.RECEIVED):
                inbox.process_again(event.pk)
                assert inbox.process(event.pk), event
        assert set(self.shop.deliver(events=self.shop.events()[::-1])) == {200}


@pytest.mark.parametrize("seed", range(10))
def test_all_ends_where_stripe_is(subscriber, settings, seed):
    shop = subscriber.shop
    subscriber.subscribe("pro")
    subscriber.change("preview", plan="team")
    settings.STRIPE_TIMEOUT_SECONDS = 0.3
    chance = Chance(subscriber, seed)

    for _ in range(STEPS):
        chance.step()
    settings.STRIPE_TIMEOUT_SECONDS = 5.0
    chance.come_to_rest()

    row, found = subscriber.row, subscriber.at_stripe()
    assert (row.status, row.problem) == (found["status"], "")
    assert row.cancel_at_period_end == subscriptions.ends_with_period(found) or row.ended_at
    assert subscriber.plan == ("dev" if row.status in ENDED else row.price.plan_id)
    assert int(row.period_end.timestamp()) == found["items"]["data"][0]["current_period_end"]
    settled = SubscriptionInvoice.objects.filter(subscription=row, status="paid")
    paid = {one["id"] for one in subscriber.invoices() if one["status"] == "paid"}
    assert set(settled.values_list("pk", flat=True)) == paid
    earned = granted = 0
    for one in settled.order_by("created_at"):  # in the order in which they were settled
        earned += one.earned
        granted += one.granted
        assert granted >= earned
        assert one.granted == 0 or granted == earned
    assert shop.is_sound()
