"""Refunds and disputes of a subscription's payments: the allowance goes back with the money, and comes again with it."""

import datetime

import pytest

from apps.accounts.models import Organization
from apps.billing.models import SubscriptionInvoice
from apps.billing.services import ledger
from apps.billing.services.values import Settlement
from apps.common.ids import new_id
from tests.billing.subscriber import DAY, FEBRUARY, HALF_OF_JANUARY, USD


@pytest.fixture
def intent(shop, subscriber):
    """The payment of the first month."""
    subscriber.subscribe("pro")
    (made,) = shop.fake.objects()["payment_intent"]
    return made["id"]


def spend(shop, usd):
    settlement = Settlement(new_id("gen"), shop.customer.organization_id, int(usd * USD))
    assert ledger.settle([settlement]) == [int(usd * USD)]


def is_frozen(shop):
    row = Organization.objects.get(pk=shop.customer.organization_id)
    return row.spending_frozen_at is not None


def dispute(shop, intent):
    made = shop.fake.control("disputes", payment_intent=intent)
    assert set(shop.deliver()) == {200}
    return made["id"]


def invoice_of(subscriber):
    return SubscriptionInvoice.objects.get(subscription=subscriber.row)


def test_allowance_goes_back_with_the_money_once(shop, subscriber, intent):
    shop.stripe.v1.refunds.create({"payment_intent": intent})

    shop.deliver(times=4)

    assert subscriber.allowance == 0
    row = invoice_of(subscriber)
    assert (row.returned_cents, row.taken, row.uncovered) == (2900, 30 * USD, 0)
    assert not is_frozen(shop)
    assert shop.is_sound()


def test_part_of_the_money_takes_its_part(shop, subscriber, intent):
    for cents in (1000, 900, 1000):
        shop.stripe.v1.refunds.create({"payment_intent": intent, "amount": cents})
        shop.deliver()
        if cents == 900:
            assert subscriber.allowance == 30 * USD - 30 * USD * 1900 // 2900

    assert subscriber.allowance == 0
    assert shop.is_sound()


def test_allowance_comes_again_when_the_refund_failed(shop, subscriber, intent):
    refund = shop.stripe.v1.refunds.create({"payment_intent": intent})
    shop.deliver()
    shop.fake.control(f"refunds/{refund.id}/fail")

    shop.deliver(times=2)

    assert subscriber.allowance == 30 * USD
    assert shop.is_sound()
    subscriber.expire(subscriber.row.period_end)
    assert subscriber.allowance == 0


def test_what_had_been_spent_is_written_off_and_spending_frozen_when_a_bank_takes_it(
    shop, subscriber, intent
):
    spend(shop, 12)

    dispute(shop, intent)

    row = invoice_of(subscriber)
    assert (row.taken, row.uncovered, subscriber.allowance) == (18 * USD, 12 * USD, 0)
    assert is_frozen(shop)
    assert shop.is_sound()


def test_all_is_as_it_was_when_the_dispute_is_won(shop, subscriber, intent):
    spend(shop, 12)
    named = dispute(shop, intent)
    shop.fake.control(f"disputes/{named}/decide", won=True)

    shop.deliver(times=2)

    row = invoice_of(subscriber)
    assert (row.returned_cents, row.taken, row.uncovered) == (0, 0, 0)
    assert (subscriber.allowance, is_frozen(shop)) == (18 * USD, False)
    assert shop.is_sound()


def test_what_had_expired_unused_is_nobodys_debt(shop, subscriber, intent):
    spend(shop, 5)
    subscriber.expire(datetime.datetime.fromtimestamp(FEBRUARY, tz=datetime.UTC))

    dispute(shop, intent)

    row = invoice_of(subscriber)
    assert (row.taken, row.uncovered) == (0, 5 * USD)
    assert shop.is_sound()


def test_refund_by_staff_of_what_had_been_spent_is_a_gift(shop, subscriber, intent):
    spend(shop, 30)
    shop.stripe.v1.refunds.create({"payment_intent": intent})

    shop.deliver()

    assert invoice_of(subscriber).uncovered == 30 * USD
    assert not is_frozen(shop)
    assert shop.is_sound()


def test_allowance_of_another_month_and_what_was_bought_are_left_alone(shop, subscriber, intent):
    shop.buy(amount_usd=20)
    subscriber.pass_time(31 * DAY)
    shop.deliver()
    subscriber.expire(subscriber.row.period_start)

    shop.stripe.v1.refunds.create({"payment_intent": intent})
    shop.deliver()

    assert (subscriber.allowance, shop.purchased) == (30 * USD, 20 * USD)
    assert shop.is_sound()


def test_upgrade_alone_goes_back(shop, subscriber, intent):
    subscriber.pass_time(HALF_OF_JANUARY)
    subscriber.change("upgrade", plan="team")
    newest = shop.fake.objects()["payment_intent"][-1]
    assert newest["amount"] == 3500

    shop.stripe.v1.refunds.create({"payment_intent": newest["id"]})
    shop.deliver()

    assert subscriber.allowance == 30 * USD
    assert shop.is_sound()


def test_money_that_is_back_before_we_heard_that_it_came(shop, subscriber):
    subscriber.pay(subscriber.begin("pro"))
    (made,) = shop.fake.objects()["payment_intent"]
    shop.deliver(events=shop.events("checkout.session.completed"))
    shop.stripe.v1.refunds.create({"payment_intent": made["id"]})

    shop.deliver(events=shop.events("charge.refunded"))
    shop.deliver()

    assert subscriber.allowance == 0
    assert len(subscriber.entries()) == 1
    assert shop.is_sound()
