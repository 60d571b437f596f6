"""Buying credit: from the order to the balance, whatever Stripe tells, however often and in whatever order."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.billing.models import CreditPackage, JournalEntry, Order, OrderStatus, StripeEvent
from apps.billing.services import checkout

USD = 1_000_000_000


@pytest.fixture
def make_package(committed):
    def make(slug, **fields):
        CreditPackage.objects.update_or_create(slug=slug, defaults={"name": slug, **fields})

    return make


def lines_of(reference):
    entry = JournalEntry.objects.get(reference=reference)
    return dict(entry.lines.values_list("account__kind", "amount"))


def test_credit_is_there_when_a_checkout_was_paid_and_told_of(shop):
    order = shop.order(amount_usd=20)
    shop.pay(order)
    assert shop.purchased == 0

    answers = shop.deliver()

    assert set(answers) == {200}
    assert (order["price_usd"], order["fee_usd"], order["amount_usd"]) == (20, 1, 21)
    assert shop.purchased == 20 * USD
    row = shop.row(order)
    assert lines_of(f"stripe:{row.intent_id}") == {
        "purchased": 20 * USD,
        "fees": USD,
        "stripe_clearing": -21 * USD,
    }
    assert shop.get(f"payments/{order['id']}")["status"] == "paid"
    assert shop.is_sound()


def test_package_is_bought_at_its_price_with_its_bonus(shop, make_package):
    make_package("with-bonus", price_cents=4000, credit=40 * USD, bonus=4 * USD)

    row = shop.buy(package="with-bonus")

    assert (row.amount_cents, row.fee_cents) == (4200, 200)
    assert shop.purchased == 44 * USD
    assert lines_of(f"stripe:{row.intent_id}") == {
        "purchased": 44 * USD,
        "fees": 2 * USD,
        "stripe_clearing": -42 * USD,
        "promo_expense": -4 * USD,
    }
    assert shop.is_sound()


def test_credit_is_there_when_an_intent_was_confirmed(shop):
    intent = shop.post("payment-intent", {"amount_usd": 5})
    assert intent["client_secret"].startswith(intent["intent_id"])
    shop.stripe.v1.payment_intents.confirm(
        intent["intent_id"], {"payment_method": "pm_card_visa", "return_url": "https://a.example"}
    )

    assert set(shop.deliver()) == {200}

    assert shop.purchased == 5 * USD
    assert shop.get(f"payment-intent/{intent['id']}")["client_secret"] is None


def test_one_credit_when_the_same_webhooks_come_twenty_times_at_once(shop):
    order = shop.order()
    shop.pay(order)

    answers = shop.fake.deliver(times=20)

    # Those who found somebody at it are to come again; whoever was at it has acknowledged.
    assert {told["status"] for told in answers} <= {200, 503}
    assert {told["event"] for told in answers if told["status"] == 200} == set(shop.events())
    assert shop.purchased == 10 * USD
    assert set(shop.deliver(events=shop.events())) == {200}
    assert shop.purchased == 10 * USD
    assert StripeEvent.objects.filter(pk__in=shop.events()).count() == len(shop.events())
    assert {event.status for event in shop.stored()} <= {"processed", "ignored"}
    assert shop.is_sound()


def test_one_credit_when_events_of_one_payment_are_processed_at_once(shop):
    order = shop.order()
    shop.pay(order)
    told = shop.events("checkout.session.completed", "payment_intent.succeeded")

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda event: shop.deliver(events=[event], times=4), told * 4))

    assert {status for answer in answers for status in answer} <= {200, 503}
    assert set(shop.deliver(events=told)) == {200}
    assert shop.purchased == 10 * USD
    assert shop.is_sound()


def test_one_credit_when_events_come_in_reverse(shop):
    order = shop.order()
    shop.pay(order)

    assert set(shop.deliver(events=shop.events()[::-1])) == {200}

    assert shop.purchased == 10 * USD
    assert shop.row(order).status == OrderStatus.PAID


def test_late_news_of_an_earlier_refusal_change_nothing(shop):
    order = shop.order()
    shop.pay(order, card="pm_card_chargeDeclined")
    refused = shop.events("payment_intent.payment_failed")
    shop.pay(order)
    shop.deliver(events=shop.events("checkout.session.completed"))

    shop.deliver(events=refused)

    assert shop.row(order).status == OrderStatus.PAID
    assert shop.purchased == 10 * USD


def test_nothing_is_credited_before_a_slow_payment_has_arrived(shop):
    order = shop.order()
    shop.pay(order, delayed=True)
    shop.deliver()
    assert (shop.purchased, shop.row(order).status) == (0, OrderStatus.OPEN)

    shop.fake.control(f"checkout/{order['session_id']}/settle", paid=True)
    shop.deliver()

    assert shop.purchased == 10 * USD


def test_order_has_failed_when_a_slow_payment_did_not_arrive(shop):
    order = shop.order()
    shop.pay(order, delayed=True)
    shop.deliver()
    shop.fake.control(f"checkout/{order['session_id']}/settle", paid=False)

    shop.deliver()

    assert (shop.purchased, shop.row(order).status) == (0, OrderStatus.FAILED)


def test_order_expires_when_the_payer_leaves(shop):
    order = shop.order()
    shop.fake.control(f"checkout/{order['session_id']}/abandon")

    shop.deliver()

    assert shop.row(order).status == OrderStatus.EXPIRED


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"price_cents": 100_00, "amount_cents": 100_50}, "1050 cents"),
        ({"currency": "eur"}, "usd"),
    ],
    ids=["amount", "currency"],
)
def test_nothing_is_credited_when_what_was_paid_is_not_what_was_ordered(shop, change, problem):
    order = shop.order()
    Order.objects.filter(pk=order["id"]).update(**change)
    shop.pay(order)

    assert set(shop.deliver()) == {200}

    row = shop.row(order)
    assert (row.status, shop.purchased) == (OrderStatus.QUARANTINED, 0)
    assert problem in row.problem
    shown = shop.get(f"payments/{order['id']}")["problem"]
    assert shown == "The payment is being looked at; write to support."


def test_nothing_is_credited_when_another_organisation_is_named(shop, make_customer):
    order = shop.order()
    other = make_customer(credit_usd="0")
    Order.objects.filter(pk=order["id"]).update(organization_id=other.organization_id)
    shop.pay(order)

    shop.deliver()

    assert shop.row(order).status == OrderStatus.QUARANTINED
    assert (shop.purchased, other.balance.purchased) == (0, 0)


def test_nothing_is_credited_when_somebody_else_pays_with_the_orders_name(shop):
    order = shop.order()
    stranger = shop.stripe.v1.customers.create()
    shop.stripe.v1.payment_intents.create(
        {
            "amount": order["amount_cents"],
            "currency": "usd",
            "customer": stranger.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "off_session": True,
            "metadata": {
                "order": order["id"],
                "organization": str(shop.customer.organization_id),
            },
        }
    )

    shop.deliver()

    assert shop.row(order).status == OrderStatus.QUARANTINED
    assert "not this organisation" in shop.row(order).problem
    assert shop.purchased == 0


def test_quarantined_order_is_credited_when_it_is_compared_after_it_was_put_right(shop):
    order = shop.order()
    Order.objects.filter(pk=order["id"]).update(currency="eur")
    shop.pay(order)
    shop.deliver()
    Order.objects.filter(pk=order["id"]).update(currency="usd")

    checkout.compare(shop.row(order))

    assert (shop.row(order).status, shop.purchased) == (OrderStatus.PAID, 10 * USD)


def test_payment_without_an_order_is_told_and_not_credited(shop):
    shop.stripe.v1.payment_intents.create(
        {"amount": 5000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )

    assert set(shop.deliver()) == {200}

    assert [event.status for event in shop.stored("payment_intent.succeeded")] == ["processed"]


def test_same_session_is_answered_when_the_idempotency_key_is_the_same(shop):
    key = {"headers": {"idempotency-key": "once"}}

    first = shop.post("checkout-session", {"amount_usd": 10}, **key)
    second = shop.post("checkout-session", {"amount_usd": 10}, **key)
    other = shop.call("POST", "checkout-session", {"amount_usd": 11}, **key)

    assert first["session_id"] == second["session_id"]
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


def test_same_order_is_gone_on_with_when_stripes_answer_was_lost(shop, settings):
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    key = {"headers": {"idempotency-key": "lost"}}
    shop.order(amount_usd=5)  # the customer is made here
    shop.fake.control("fail", kind="lost", path="/v1/checkout/sessions", milliseconds=2000)

    lost = shop.call("POST", "checkout-session", {"amount_usd": 10}, **key)
    again = shop.post("checkout-session", {"amount_usd": 10}, **key)

    assert (lost.status_code, lost.headers["x-should-retry"]) == (503, "true")
    assert len(shop.fake.objects()["checkout.session"]) == 2
    assert again["status"] == "open"
