"""Auto top-up: the saved card is charged once when little is left, whoever looks, and never again and again."""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.accounts import services as accounts
from apps.billing import tasks
from apps.billing.models import AutoTopUp, Order, OrderKind, OrderStatus
from apps.billing.services import auto_top_up, orders
from apps.billing.services.orders import NANO_PER_CENT, Wanted
from apps.common import clock

USD = 1_000_000_000


def mine(shop):
    return Order.objects.filter(
        organization_id=shop.customer.organization_id, kind=OrderKind.AUTO_TOP_UP
    )


def state(shop):
    return AutoTopUp.objects.get(organization_id=shop.customer.organization_id)


def test_card_is_charged_once_when_little_is_left(shop, top_up):
    top_up()

    tasks.top_up()
    tasks.top_up()
    shop.deliver(times=2)

    assert shop.purchased == 20 * USD
    (order,) = mine(shop)
    assert (order.status, order.amount_cents) == (OrderStatus.PAID, 2100)
    assert len(shop.fake.objects()["payment_intent"]) == 1
    assert shop.is_sound()


def test_card_is_charged_once_when_many_jobs_look_at_once(shop, top_up):
    top_up()

    def look(_number):
        try:
            auto_top_up.charge_due()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(look, range(16)))

    assert shop.purchased == 20 * USD
    assert len(shop.fake.objects()["payment_intent"]) == 1
    assert mine(shop).count() == 1


def test_nothing_is_charged_when_enough_is_left_or_it_is_off(shop, top_up):
    top_up(threshold_usd=0)
    tasks.top_up()
    top_up(is_enabled=False)
    tasks.top_up()

    assert mine(shop).count() == 0


def test_nothing_is_charged_when_spending_is_frozen(shop, top_up):
    top_up()
    accounts.freeze_spending(shop.customer.organization_id, now=clock.now())

    tasks.top_up()

    assert mine(shop).count() == 0


def test_waits_longer_each_time_and_is_off_after_three_refusals(shop, top_up):
    top_up(card="pm_card_chargeCustomerFail")

    waits = []
    for _ in range(3):
        before = clock.now()
        tasks.top_up()
        tasks.top_up()  # its time has not come
        waits.append(round((state(shop).next_attempt_at - before).total_seconds() / 3600))
        AutoTopUp.objects.filter(pk=state(shop).pk).update(next_attempt_at=clock.now())
    shop.deliver()
    tasks.top_up()

    assert waits == [1, 2, 4]
    assert [order.status for order in mine(shop)] == ["failed"] * 3
    told = shop.get("auto-top-up")
    assert (told["is_enabled"], told["failures"]) == (False, 3)
    assert told["stopped_because"] == "Turned off after 3 failures. The card was declined."
    assert shop.purchased == 0


def test_refusal_counts_once_when_the_webhook_tells_of_it_too(shop, top_up):
    top_up(card="pm_card_chargeCustomerFail")

    tasks.top_up()
    shop.deliver(times=3)

    assert state(shop).failures == 1


def test_failures_are_forgotten_when_a_charge_succeeds(shop, top_up):
    top_up()
    AutoTopUp.objects.filter(pk=state(shop).pk).update(failures=2, stopped_because="declined")

    tasks.top_up()

    assert (state(shop).failures, state(shop).stopped_because) == (0, "")


def test_charged_once_when_stripes_answer_was_lost(shop, top_up, settings):
    top_up()
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control("fail", kind="lost", path="/v1/payment_intents", milliseconds=2000)
    tasks.top_up()
    assert (shop.purchased, mine(shop).get().status) == (0, OrderStatus.CREATED)

    tasks.top_up()  # the episode is open: nothing new is begun
    mine(shop).update(created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2)
    tasks.sweep_payments()

    assert (shop.purchased, mine(shop).get().status) == (20 * USD, OrderStatus.PAID)
    assert len(shop.fake.objects()["payment_intent"]) == 1
    assert shop.is_sound()


def test_charged_once_when_the_process_died_before_it_asked(shop, top_up, settings):
    told = top_up()
    orders.begin(
        shop.customer.organization_id,
        kind=OrderKind.AUTO_TOP_UP,
        wanted=Wanted(2000, 2000 * NANO_PER_CENT),
        request={"card_id": told["card_id"]},
    )
    mine(shop).update(created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2)

    tasks.top_up()
    tasks.sweep_payments()

    assert shop.purchased == 20 * USD
    assert len(shop.fake.objects()["payment_intent"]) == 1


def test_waits_for_the_next_month_when_the_cap_is_reached(shop, top_up):
    top_up(monthly_cap_usd=41, threshold_usd=1000)

    for _ in range(3):
        tasks.top_up()
        AutoTopUp.objects.filter(pk=state(shop).pk).update(next_attempt_at=None)
    tasks.top_up()

    assert shop.purchased == 20 * USD  # twice $21 would be more than $41
    told = state(shop)
    assert "monthly cap" in told.stopped_because
    assert told.next_attempt_at.day == 1
    assert told.next_attempt_at > clock.now()
    assert told.next_attempt_at - clock.now() <= datetime.timedelta(days=31)


def test_is_off_when_its_card_is_deleted(shop, top_up):
    told = top_up()

    assert shop.call("DELETE", f"cards/{told['card_id']}").status_code == 200
    tasks.top_up()

    assert shop.get("auto-top-up")["stopped_because"] == "Its card was deleted."
    assert mine(shop).count() == 0


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"amount_usd": 4.99}, "amount_usd"),
        ({"amount_usd": -5}, "amount_usd"),
        ({"threshold_usd": -1}, "threshold_usd"),
        ({"threshold_usd": 0.001}, "threshold_usd"),
        ({"monthly_cap_usd": 0}, "monthly_cap_usd"),
        ({"monthly_cap_usd": 20.5}, "monthly_cap_usd"),
        ({"is_enabled": "no"}, "is_enabled"),
        ({"card_id": ""}, "card_id"),
        ({"colour": "red"}, "colour"),
    ],
    ids=["less than the least", "negative", "negative threshold", "parts of cents", "no cap at all", "less than one charge", "no boolean", "no card", "unknown"],
)  # fmt: skip
def test_field_is_named_when_it_cannot_be(shop, save_card, changes, param):
    asked = {"is_enabled": True, "threshold_usd": 5, "amount_usd": 20, "card_id": save_card()}

    answer = shop.call("PUT", "auto-top-up", {**asked, **changes})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not shop.get("auto-top-up")["is_enabled"]
