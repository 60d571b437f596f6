"""What Stripe has is not what was ordered: nothing is given until somebody has put it right."""

import pytest

from apps.billing.models import PlanPrice, Subscription, SubscriptionInvoice
from apps.billing.services import subscription_checkout, subscriptions
from apps.common.ids import new_id
from tests.billing.subscriber import DAY, USD


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"price_cents": 2800}, "2900 cents"), ({"stripe_id": "price_gone"}, "no price of ours")],
    ids=["amount", "price"],
)
def test_nothing_is_given_when_what_was_paid_is_not_what_was_ordered(shop, payer, change, problem):
    price = payer.row.price
    PlanPrice.objects.filter(pk=price.pk).update(**change)

    assert set(shop.deliver()) == {200}

    assert (payer.row.status, payer.plan, payer.allowance) == ("quarantined", "dev", 0)
    assert problem in payer.row.problem
    shown = shop.get("subscription")["problem"]
    assert shown == "The subscription is being looked at; write to support."
    PlanPrice.objects.filter(pk=price.pk).update(
        price_cents=price.price_cents, stripe_id=price.stripe_id
    )
    subscription_checkout.compare(payer.row)
    assert (payer.row.status, payer.plan, payer.allowance) == ("active", "pro", 30 * USD)


def test_nothing_is_given_when_another_organisation_is_named(shop, payer, make_customer):
    other = make_customer(credit_usd="0")
    mine = Subscription.objects.filter(pk=payer.row.pk)
    mine.update(organization_id=other.organization_id)

    shop.deliver()

    row = mine.get()
    assert row.status == "quarantined"
    assert (payer.allowance, other.balance.allowance, payer.plan) == (0, 0, "dev")


def test_nothing_is_given_for_an_invoice_that_is_not_of_the_plan(shop, payer):
    """One month costs something else at Stripe than here."""
    shop.deliver()
    price = payer.row.price
    PlanPrice.objects.filter(pk=price.pk).update(price_cents=2800)
    payer.pass_time(31 * DAY)

    shop.deliver()

    assert payer.allowance == 30 * USD
    assert "2900 cents" in payer.row.problem
    assert (payer.row.status, payer.plan) == ("active", "pro")
    assert payer.refused("upgrade", plan="team")[0] == 400
    PlanPrice.objects.filter(pk=price.pk).update(price_cents=2900)
    subscriptions.compare(payer.row)
    assert (payer.allowance, payer.row.problem) == (60 * USD, "")


def test_invoice_is_quarantined_alone_when_only_it_is_wrong(shop, payer):
    """Somebody changes to a price that is not ours, pays for it, and changes back."""
    shop.deliver()
    item = payer.at_stripe()["items"]["data"][0]["id"]
    pro = payer.row.price
    extra = shop.stripe.v1.prices.create(
        {
            "currency": "usd", "unit_amount": 100, "recurring": {"interval": "month"},
            "product_data": {"name": "Something else"},
        }
    )  # fmt: skip
    shop.stripe.v1.subscriptions.update(
        payer.row.stripe_id,
        {"items": [{"id": item, "price": extra.id}], "proration_behavior": "always_invoice"},
    )
    shop.stripe.v1.subscriptions.update(
        payer.row.stripe_id,
        {"items": [{"id": item, "price": pro.stripe_id}], "proration_behavior": "none"},
    )

    shop.deliver()

    (wrong,) = SubscriptionInvoice.objects.filter(subscription=payer.row, status="quarantined")
    assert "no price of ours" in wrong.problem
    assert (wrong.granted, payer.allowance) == (0, 30 * USD)
    assert (payer.row.status, payer.row.problem) == ("active", "")
    payer.pass_time(31 * DAY)
    shop.deliver()
    assert payer.allowance == 60 * USD


def test_plan_ends_with_the_subscription_whatever_had_become_of_its_price(shop, payer):
    shop.deliver()
    item = payer.at_stripe()["items"]["data"][0]["id"]
    extra = shop.stripe.v1.prices.create(
        {
            "currency": "usd", "unit_amount": 100, "recurring": {"interval": "month"},
            "product_data": {"name": "Something else"},
        }
    )  # fmt: skip
    shop.stripe.v1.subscriptions.update(
        payer.row.stripe_id,
        {"items": [{"id": item, "price": extra.id}], "proration_behavior": "none"},
    )
    shop.deliver()
    assert "no price of ours" in payer.row.problem
    assert (payer.row.status, payer.plan) == ("active", "pro")

    shop.stripe.v1.subscriptions.cancel(payer.row.stripe_id)
    shop.deliver()

    assert (payer.row.status, payer.row.problem, payer.plan) == ("canceled", "", "dev")
    assert payer.begin("pro")["status"] == "open"


def test_subscription_that_nobody_here_asked_for_gives_nothing(shop, subscriber):
    stranger = shop.stripe.v1.customers.create()
    card = shop.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": stranger.id})
    price = shop.stripe.v1.prices.create(
        {
            "currency": "usd", "unit_amount": 100, "recurring": {"interval": "month"},
            "product_data": {"name": "Something else"},
        }
    )  # fmt: skip
    shop.stripe.v1.subscriptions.create(
        {
            "customer": stranger.id,
            "items": [{"price": price.id}],
            "default_payment_method": card.id,
            "metadata": {"subscription": "subscr_none"},
        }
    )

    assert set(shop.deliver()) == {200}

    assert {event.status for event in shop.stored("invoice.paid")} == {"processed"}
    assert not Subscription.objects.filter(organization_id=shop.customer.organization_id).exists()


def test_second_subscription_of_an_organisation_is_quarantined(shop, payer):
    shop.deliver()
    first, at_stripe = payer.row, payer.at_stripe()
    second = Subscription.objects.create(
        id=new_id("subscr"), organization_id=first.organization_id, price=first.price
    )
    shop.stripe.v1.subscriptions.create(
        {
            "customer": at_stripe["customer"],
            "items": [{"price": first.price.stripe_id}],
            "default_payment_method": at_stripe["default_payment_method"],
            "metadata": subscriptions.metadata_of(second),
        }
    )

    shop.deliver()

    second.refresh_from_db()
    assert (second.status, second.problem) == (
        "quarantined", "the organisation has another subscription",
    )  # fmt: skip
    assert payer.allowance == 30 * USD
    first.refresh_from_db()
    assert first.status == "active"
