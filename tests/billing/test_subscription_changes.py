"""Changes of a subscription: to the cent and the nano-dollar, once however often asked for, and nothing when it cannot be.

January has 31 days: after 15.5 of them half the period is left, after 21 there are 10/31.
"""

import datetime
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.billing.models import PlanPrice
from apps.billing.services.subscriptions import IN_FORCE, UNTIL
from apps.common import clock
from apps.common.money import divide_half_up
from tests.billing.subscriber import DAY, FEBRUARY, HALF_OF_JANUARY, MARCH, START, USD


def test_upgrade_charges_the_difference_and_gives_its_allowance_once(shop, subscriber):
    subscriber.subscribe("pro")
    subscriber.pass_time(HALF_OF_JANUARY)

    shown = subscriber.change("upgrade", plan="team")

    assert (shown["plan"], shown["next_plan"], subscriber.plan) == ("team", None, "team")
    assert subscriber.allowance == 30 * USD + 75 * USD // 2
    assert subscriber.invoices()[-1]["amount_paid"] == 4950 - 1450
    shop.deliver(times=3)
    subscriber.change("upgrade", plan="team")
    assert subscriber.allowance == 30 * USD + 75 * USD // 2
    assert subscriber.entries()[1:] == [
        {
            "allowance": 75 * USD // 2,
            "stripe_clearing": -35 * USD,
            "promo_expense": -5 * USD // 2,
        }
    ]
    assert len(subscriber.invoices()) == 2
    subscriber.pass_time(FEBRUARY - START - HALF_OF_JANUARY)
    shop.deliver()
    assert subscriber.invoices()[-1]["amount_paid"] == 9900
    subscriber.expire(subscriber.row.period_start)
    assert subscriber.allowance == 105 * USD
    assert shop.is_sound()


def test_upgrade_is_rounded_once_when_the_rest_is_no_round_share(shop, subscriber):
    subscriber.subscribe("pro")
    subscriber.pass_time(21 * DAY)

    subscriber.change("upgrade", plan="team")

    assert subscriber.invoices()[-1]["amount_paid"] == 3194 - 935  # 99 × 10/31 and 29 × 10/31
    assert subscriber.allowance == 30 * USD + 24_193_548_387  # 75 × 10/31 = 24.193 548 387 09…
    assert shop.is_sound()


def test_upgrade_of_the_webhook_alone_is_the_same(shop, subscriber):
    """Somebody changes the plan in Stripe's own pages: what they charge for is given."""
    subscriber.subscribe("pro")
    team = shop_price(shop, subscriber, "team")
    subscriber.pass_time(HALF_OF_JANUARY)

    item = subscriber.at_stripe()["items"]["data"][0]["id"]
    shop.stripe.v1.subscriptions.update(
        subscriber.row.stripe_id,
        {"items": [{"id": item, "price": team}], "proration_behavior": "always_invoice"},
    )
    assert set(shop.deliver()) == {200}

    assert (subscriber.plan, subscriber.allowance) == ("team", 30 * USD + 75 * USD // 2)


def shop_price(shop, subscriber, plan):
    """Stripe's price of a plan, made by looking at an upgrade to it."""
    subscriber.change("preview", plan=plan)
    return PlanPrice.objects.exclude(stripe_id=None).get(plan_id=plan).stripe_id


def test_allowance_is_not_given_twice_when_somebody_goes_up_and_down_and_up(shop, subscriber):
    """Stripe's pages may give money back for the rest; what that stood for is not given again."""
    subscriber.subscribe("pro")
    team = shop_price(shop, subscriber, "team")
    pro = subscriber.row.price.stripe_id
    item = subscriber.at_stripe()["items"]["data"][0]["id"]
    for price in (team, pro, team, pro, team):
        shop.stripe.v1.subscriptions.update(
            subscriber.row.stripe_id,
            {"items": [{"id": item, "price": price}], "proration_behavior": "always_invoice"},
        )
        shop.deliver()

    assert (subscriber.plan, subscriber.allowance) == ("team", 105 * USD)
    assert shop.is_sound()


def test_preview_says_what_the_upgrade_then_charges(shop, subscriber):
    """Ten days ago at Stripe, so that both clocks agree on now."""
    now = int(clock.now().timestamp())
    shop.fake.control("clock", stop=now - 10 * DAY)
    subscriber.subscribe("pro")
    shop.fake.control("clock", to=now - 60)

    preview = subscriber.change("preview", plan="team")
    assert (preview["plan"], preview["price_cents"]) == ("team", 9900)
    shop.fake.control("clock", to=now)
    before = subscriber.allowance
    subscriber.change("upgrade", plan="team", prorated_at=preview["prorated_at"])

    assert subscriber.invoices()[-1]["amount_paid"] == preview["due_cents"]
    assert subscriber.allowance - before == preview["allowance_nano_usd"] > 0
    row = subscriber.row
    start, end = int(row.period_start.timestamp()), int(row.period_end.timestamp())
    at = int(datetime.datetime.fromisoformat(preview["prorated_at"]).timestamp())
    assert at == now - 60
    assert preview["allowance_nano_usd"] == divide_half_up(75 * USD * (end - at), end - start)
    assert len(subscriber.invoices()) == 2


@pytest.mark.parametrize("ago", [datetime.timedelta(hours=2), -datetime.timedelta(minutes=5)])
def test_moment_of_the_proration_is_that_of_a_fresh_preview(shop, subscriber, ago):
    subscriber.subscribe("pro")

    at = (clock.now() - ago).isoformat()

    assert subscriber.refused("upgrade", plan="team", prorated_at=at) == (
        400, "invalid_value", "prorated_at",
    )  # fmt: skip
    assert subscriber.plan == "pro"


def test_nothing_changes_when_the_card_is_refused(shop, subscriber):
    subscriber.subscribe("pro")
    shop.fake.control("decline", decline_code="insufficient_funds")

    refused = subscriber.refused("upgrade", plan="team")

    assert refused[:2] == (402, "payment_declined")
    shop.deliver()
    assert (subscriber.plan, subscriber.allowance) == ("pro", 30 * USD)
    assert len(subscriber.invoices()) == 1
    subscriber.change("upgrade", plan="team")
    assert subscriber.plan == "team"


def test_upgrade_is_one_when_its_answer_was_lost(shop, subscriber, settings):
    subscriber.subscribe("pro")
    subscriber.pass_time(HALF_OF_JANUARY)
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control(
        "fail", kind="lost", path="/v1/subscriptions/", method="POST", milliseconds=1500
    )

    lost = shop.call("POST", "subscription/upgrade", {"plan": "team"})
    assert (lost.status_code, lost.headers["x-should-retry"]) == (503, "true")
    assert (subscriber.row.price.plan_id, subscriber.allowance) == ("pro", 30 * USD)
    again = subscriber.change("upgrade", plan="team")

    assert again["plan"] == "team"
    assert subscriber.allowance == 30 * USD + 75 * USD // 2
    assert [one["amount_paid"] for one in subscriber.invoices()] == [2900, 3500]
    shop.deliver()
    assert subscriber.allowance == 30 * USD + 75 * USD // 2


def test_webhook_brings_the_upgrade_when_the_process_died_after_stripes_answer(
    shop, subscriber, settings
):
    subscriber.subscribe("pro")
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control(
        "fail", kind="lost", path="/v1/subscriptions/", method="POST", milliseconds=1500
    )
    shop.call("POST", "subscription/upgrade", {"plan": "team"})

    assert set(shop.deliver()) == {200}

    assert (subscriber.plan, subscriber.allowance) == ("team", 105 * USD)


def test_downgrade_waits_for_the_periods_end_and_takes_nothing(shop, subscriber):
    subscriber.subscribe("team")
    subscriber.pass_time(10 * DAY)

    shown = subscriber.change("downgrade", plan="pro")
    shop.deliver()

    assert (shown["plan"], shown["next_plan"], shown["next_price_cents"]) == ("team", "pro", 2900)
    assert (subscriber.plan, subscriber.allowance) == ("team", 105 * USD)
    assert len(subscriber.invoices()) == 1
    subscriber.pass_time(21 * DAY)
    shop.deliver()
    assert (subscriber.plan, subscriber.row.next_price) == ("pro", None)
    assert [one["amount_paid"] for one in subscriber.invoices()] == [9900, 2900]
    subscriber.expire(subscriber.row.period_start)
    assert subscriber.allowance == 30 * USD
    assert shop.is_sound()


def test_downgrade_can_be_taken_back_for_nothing(shop, subscriber):
    subscriber.subscribe("team")
    subscriber.change("downgrade", plan="pro")

    shown = subscriber.change("resume")
    assert (shown["plan"], shown["next_plan"]) == ("team", None)
    shop.deliver()
    subscriber.pass_time(31 * DAY)
    shop.deliver()

    assert subscriber.plan == "team"
    assert [one["amount_paid"] for one in subscriber.invoices()] == [9900, 9900]


def test_upgrade_in_stripes_pages_wins_over_a_downgrade_that_waits(shop, subscriber):
    subscriber.subscribe("pro")
    team = shop_price(shop, subscriber, "team")
    item = subscriber.at_stripe()["items"]["data"][0]["id"]
    # As if somebody had come down to Pro from something cheaper than Team.
    shop.stripe.v1.subscriptions.update(
        subscriber.row.stripe_id,
        {
            "items": [{"id": item, "price": team}],
            "proration_behavior": "always_invoice",
            "metadata": {
                IN_FORCE: subscriber.row.price.stripe_id or "",
                UNTIL: str(FEBRUARY),
            },
        },
    )
    shop.deliver()

    shown = shop.get("subscription")
    assert (shown["plan"], shown["next_plan"], subscriber.plan) == ("team", None, "team")


def test_upgrade_waits_until_a_planned_change_is_taken_back(shop, subscriber):
    subscriber.subscribe("pro")
    subscriber.change("cancel")
    assert subscriber.refused("upgrade", plan="team")[:2] == (400, "invalid_value")
    assert subscriber.refused("preview", plan="team")[:2] == (400, "invalid_value")

    subscriber.change("resume")
    subscriber.change("upgrade", plan="team")
    subscriber.change("downgrade", plan="pro")

    assert subscriber.refused("upgrade", plan="team") == (400, "invalid_value", None)
    assert (subscriber.plan, subscriber.allowance) == ("team", 105 * USD)


def test_cancellation_waits_for_the_periods_end(shop, subscriber):
    subscriber.subscribe("pro")

    shown = subscriber.change("cancel")
    shop.deliver()
    assert (shown["cancel_at_period_end"], subscriber.plan) == (True, "pro")
    subscriber.pass_time(31 * DAY)
    shop.deliver()

    assert (subscriber.row.status, subscriber.plan) == ("canceled", "dev")
    assert len(subscriber.invoices()) == 1
    assert subscriber.refused("resume")[0] == 404


def test_downgrade_to_the_free_plan_is_a_cancellation_and_can_be_taken_back(shop, subscriber):
    subscriber.subscribe("pro")

    assert subscriber.change("downgrade", plan="dev")["cancel_at_period_end"]
    assert not subscriber.change("resume")["cancel_at_period_end"]
    subscriber.pass_time(31 * DAY)
    shop.deliver()

    assert (subscriber.plan, subscriber.row.status) == ("pro", "active")
    assert subscriber.allowance == 60 * USD


def test_end_that_stripes_pages_have_set_is_seen_and_taken_back(shop, subscriber):
    subscriber.subscribe("pro")
    shop.stripe.v1.subscriptions.update(subscriber.row.stripe_id, {"cancel_at": FEBRUARY})
    shop.deliver()
    assert shop.get("subscription")["cancel_at_period_end"]

    subscriber.change("resume")
    assert subscriber.at_stripe()["cancel_at"] is None
    shop.stripe.v1.subscriptions.update(subscriber.row.stripe_id, {"cancel_at": MARCH})
    shop.deliver()

    assert not shop.get("subscription")["cancel_at_period_end"]


def test_cancellation_now_ends_the_plan_and_leaves_what_was_paid_for(shop, subscriber):
    subscriber.subscribe("pro")

    shown = subscriber.change("cancel", at_period_end=False)
    shop.deliver()

    assert (shown["status"], subscriber.plan) == ("canceled", "dev")
    assert subscriber.allowance == 30 * USD
    assert subscriber.invoices()[-1]["amount_paid"] == 2900
    assert shop.fake.objects().get("refund") is None


@pytest.mark.parametrize(
    ("how", "plan"),
    [
        ("upgrade", "dev"),
        ("upgrade", "enterprise"),
        ("upgrade", "nothing"),
        ("downgrade", "pro"),
        ("downgrade", "team"),
        ("downgrade", "enterprise"),
        ("preview", "pro"),
    ],
)
def test_field_is_named_when_a_plan_cannot_be(shop, subscriber, how, plan):
    subscriber.subscribe("pro")

    assert subscriber.refused(how, plan=plan) == (400, "invalid_value", "plan")
    assert subscriber.plan == "pro"
    assert len(subscriber.invoices()) == 1


def test_two_upgrades_at_once_are_one(shop, subscriber):
    subscriber.subscribe("pro")
    subscriber.pass_time(HALF_OF_JANUARY)

    with ThreadPoolExecutor(6) as threads:
        answers = list(
            threads.map(
                lambda _: shop.call("POST", "subscription/upgrade", {"plan": "team"}), range(6)
            )
        )

    assert {answer.status_code for answer in answers} == {200}
    assert [one["amount_paid"] for one in subscriber.invoices()] == [2900, 3500]
    assert subscriber.allowance == 30 * USD + 75 * USD // 2
    assert shop.is_sound()
