"""Refunds and disputes: credit goes back with the money, never below zero, and comes back when the money does."""

import pytest

from apps.accounts.models import Organization
from apps.billing import tasks
from apps.billing.models import JournalEntry, Reversal, ReversalStatus
from apps.billing.services import ledger, reversals
from apps.billing.services.values import HoldRequest, Settlement
from apps.common import clock
from apps.common.ids import new_id
from apps.keys.selectors import known_keys
from tests.surfaces import Surface, ask

USD = 1_000_000_000


def spend(shop, usd):
    settlement = Settlement(new_id("gen"), shop.customer.organization_id, int(usd * USD))
    assert ledger.settle([settlement]) == [int(usd * USD)]


def is_frozen(shop):
    row = Organization.objects.get(pk=shop.customer.organization_id)
    return row.spending_frozen_at is not None


def refund(shop, order, **asked):
    return shop.call("POST", "refund", {"payment_id": order.pk, **asked})


def test_money_and_credit_go_back_when_a_customer_asks(shop):
    order = shop.buy(amount_usd=20)

    answer = refund(shop, order).json()["data"]

    assert (answer["status"], answer["amount_usd"], answer["credit_taken_usd"]) == ("taken", 21, 20)
    assert shop.purchased == 0
    (made,) = shop.fake.objects()["refund"]
    assert (made["amount"], made["payment_intent"]) == (2100, order.intent_id)
    entry = JournalEntry.objects.get(reference=f"refund:{answer['id']}")
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "purchased": -20 * USD,
        "fees": -USD,
        "stripe_clearing": 21 * USD,
    }
    shop.deliver()
    assert Reversal.objects.filter(order=order).count() == 1
    assert shop.purchased == 0
    assert shop.is_sound()


def test_only_what_was_not_spent_goes_back_to_a_customer(shop):
    order = shop.buy(amount_usd=20)
    spend(shop, 12)

    too_much = refund(shop, order, amount_usd=8.41)
    answer = refund(shop, order)

    error = too_much.json()["error"]
    assert (too_much.status_code, error["param"]) == (400, "amount_usd")
    assert "$8.40" in error["message"]
    assert answer.json()["data"]["amount_cents"] == 840
    assert shop.purchased == 0
    assert shop.is_sound()


def test_credit_on_hold_is_not_refunded(shop):
    order = shop.buy(amount_usd=10)
    hold = HoldRequest(new_id("gen"), shop.customer.organization_id, 10 * USD)
    ledger.place_holds([hold], owner="web_test")

    answer = refund(shop, order)

    assert (answer.status_code, shop.purchased) == (400, 10 * USD)
    # No hold may be left for tests that look at all books.
    ledger.settle([Settlement(hold.request_id, hold.organization_id, 0)])


def test_parts_add_up_to_exactly_the_whole(shop):
    order = shop.buy(amount_usd=9.99)
    while (left := 1049 - sum(r.amount_cents for r in order.reversals.all())) > 0:
        assert refund(shop, order, amount_usd=min(left, 331) / 100).status_code == 200

    assert refund(shop, order, amount_usd=0.01).status_code == 400
    assert shop.purchased == 0
    assert sum(r.taken for r in order.reversals.all()) == 9.99 * USD
    assert sum(r.fee for r in order.reversals.all()) == 0.5 * USD
    assert shop.is_sound()


@pytest.mark.parametrize("amount", [0, -1, 1.001, 10_000, "x"])
def test_amounts_that_cannot_be_are_refused(shop, amount):
    order = shop.buy(amount_usd=10)

    answer = refund(shop, order, amount_usd=amount)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "amount_usd")
    assert shop.purchased == 10 * USD


def test_refund_is_refused_when_the_payment_is_old_or_not_paid(shop, settings):
    order = shop.buy(amount_usd=10)
    unpaid = shop.row(shop.order(amount_usd=10))
    settings.REFUND_DAYS = 0

    assert refund(shop, order).json()["error"]["param"] == "payment_id"
    assert refund(shop, unpaid).json()["error"]["param"] == "payment_id"
    assert shop.purchased == 10 * USD


def test_one_refund_when_the_idempotency_key_is_the_same(shop):
    order = shop.buy(amount_usd=10)
    body = {"payment_id": order.pk, "amount_usd": 2.1}

    answers = [shop.post("refund", body, headers={"idempotency-key": "k"}) for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(shop.fake.objects()["refund"]) == 1
    assert shop.purchased == 8 * USD


def test_refund_is_one_when_stripes_answer_was_lost(shop, settings):
    order = shop.buy(amount_usd=10)
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control("fail", kind="lost", path="/v1/refunds", milliseconds=2000)

    answer = refund(shop, order).json()["data"]
    assert (answer["status"], shop.purchased) == ("requested", 0)
    Reversal.objects.update(created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2)
    tasks.sweep_payments()

    assert Reversal.objects.get(pk=answer["id"]).status == ReversalStatus.TAKEN
    assert len(shop.fake.objects()["refund"]) == 1
    assert shop.is_sound()


def test_credit_comes_back_when_stripe_refuses_the_refund(shop):
    order = shop.buy(amount_usd=10)
    shop.fake.control("disputes", payment_intent=order.intent_id)  # not told of yet
    key = {"headers": {"idempotency-key": "k"}}
    body = {"payment_id": order.pk}

    refused = shop.call("POST", "refund", body, **key)
    again = shop.post("refund", body, **key)

    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_error")
    assert "charged back" not in refused.text
    assert (again["status"], shop.purchased) == ("returned", 10 * USD)
    assert shop.fake.objects().get("refund", []) == []
    shop.deliver()
    assert shop.purchased == 0
    assert shop.is_sound()


def test_credit_comes_back_when_the_refund_fails(shop):
    order = shop.buy(amount_usd=10)
    refund(shop, order)
    (made,) = shop.fake.objects()["refund"]
    shop.fake.control(f"refunds/{made['id']}/fail")

    shop.deliver(times=2)

    order.refresh_from_db()
    assert (shop.purchased, order.refunded_cents) == (10 * USD, 0)
    assert shop.is_sound()


def test_refund_at_stripe_takes_the_credit_once_whatever_events_tell_of_it(shop):
    order = shop.buy(amount_usd=10)
    shop.stripe.v1.refunds.create({"payment_intent": order.intent_id, "amount": 525})

    shop.deliver(times=5)
    shop.deliver(events=shop.events()[::-1])

    assert shop.purchased == 5 * USD
    assert Reversal.objects.filter(order=order).count() == 1
    assert not is_frozen(shop)
    assert shop.is_sound()


def test_refund_is_taken_when_it_is_told_before_the_payment(shop):
    order = shop.order()
    shop.pay(order)
    intent = shop.events("payment_intent.succeeded")
    (made,) = shop.fake.objects()["payment_intent"]
    shop.stripe.v1.refunds.create({"payment_intent": made["id"]})

    shop.deliver(events=shop.events("charge.refunded"))
    shop.deliver(events=intent)

    row = shop.row(order)
    assert (row.status, row.refunded_cents, shop.purchased) == ("paid", 1050, 0)
    assert shop.is_sound()


def test_spending_is_frozen_when_a_dispute_takes_what_was_spent(shop, make_model):
    model = make_model("echo")
    order = shop.buy(amount_usd=10)
    spend(shop, 7)
    shop.fake.control("disputes", payment_intent=order.intent_id)

    shop.deliver(times=3)
    known_keys.check()

    reversal = Reversal.objects.get(order=order)
    assert (reversal.taken, reversal.uncovered) == (3 * USD, 7 * USD)
    assert (shop.purchased, is_frozen(shop)) == (0, True)
    answer = ask(shop.gateway.client(shop.customer), Surface.CHAT, Surface.CHAT.body(model))
    assert answer.status == 402
    assert answer.events[0]["error"]["code"] == "spending_frozen"
    assert shop.is_sound()


def test_everything_is_as_before_when_the_dispute_is_won(shop):
    order = shop.buy(amount_usd=10)
    spend(shop, 7)
    dispute = shop.fake.control("disputes", payment_intent=order.intent_id)
    shop.deliver()

    shop.fake.control(f"disputes/{dispute['id']}/decide", won=True)
    shop.deliver(times=3)

    assert (shop.purchased, is_frozen(shop)) == (3 * USD, False)
    order.refresh_from_db()
    assert order.refunded_cents == 0
    assert shop.is_sound()


def test_credit_stays_gone_when_the_dispute_is_lost(shop):
    order = shop.buy(amount_usd=10)
    dispute = shop.fake.control("disputes", payment_intent=order.intent_id)
    shop.fake.control(f"disputes/{dispute['id']}/decide", won=False)

    shop.deliver()

    assert (shop.purchased, is_frozen(shop)) == (0, False)
    assert shop.is_sound()


def test_nothing_is_taken_when_the_dispute_was_won_before_we_heard_of_it(shop):
    order = shop.buy(amount_usd=10)
    dispute = shop.fake.control("disputes", payment_intent=order.intent_id)
    shop.fake.control(f"disputes/{dispute['id']}/decide", won=True)

    shop.deliver(events=shop.events("charge.dispute.created", "charge.dispute.closed")[::-1])

    assert (shop.purchased, Reversal.objects.filter(order=order).count()) == (10 * USD, 0)


def test_staff_refund_what_was_spent_too(shop):
    order = shop.buy(amount_usd=10)
    spend(shop, 10)

    reversal = reversals.request_refund(
        order.pk, amount_cents=1050, reason="goodwill", is_staff=True
    )

    assert (reversal.taken, reversal.uncovered) == (0, 10 * USD)
    assert not is_frozen(shop)  # a gift
    assert shop.is_sound()


def test_refund_is_refused_while_the_bank_disputes_the_payment(shop):
    order = shop.buy(amount_usd=20)
    shop.fake.control("disputes", payment_intent=order.intent_id, amount=500)
    shop.deliver()
    before = shop.customer.balance

    answer = shop.call("POST", "refund", {"payment_id": order.pk})

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "payment_id")
    assert "disputes" in error["message"]
    assert shop.customer.balance.purchased == before.purchased
