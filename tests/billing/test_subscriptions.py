"""Subscribing: from the page to the plan and its allowance, month after month, until it ends."""

import datetime

import pytest

from apps.accounts.models import Notice, Plan
from apps.accounts.services import assign_plan
from apps.billing import tasks
from apps.billing.models import CreditLot, PlanPrice, Referral, ReferralCode, Subscription
from apps.billing.services import ledger, referrals
from apps.billing.services.values import Settlement
from apps.common import clock
from apps.common.ids import new_id
from apps.keys.selectors import find_key
from tests.billing.promotions import make_person
from tests.billing.subscriber import DAY, FEBRUARY, MARCH, USD


def told(shop):
    found = Notice.objects.filter(organization_id=shop.customer.organization_id).order_by("pk")
    return [(notice.kind, notice.facts) for notice in found]


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)


@pytest.fixture
def make_plan(committed):
    def make(slug, **fields):
        pro = Plan.objects.get(pk="pro")
        values = {
            field.name: getattr(pro, field.name)
            for field in Plan._meta.fields
            if field.name != "slug"
        }
        return Plan.objects.update_or_create(slug=slug, defaults={**values, **fields})[0]

    return make


def test_plan_and_allowance_are_there_when_the_page_was_paid_and_told_of(shop, subscriber):
    page = subscriber.begin("pro")
    assert (page["status"], page["plan"], page["price_usd"], page["allowance_usd"]) == (
        "open", "pro", 29, 30,
    )  # fmt: skip
    assert page["url"].startswith("https://checkout.stripe.com/")
    subscriber.pay(page)
    assert (subscriber.allowance, subscriber.plan) == (0, "dev")

    assert set(shop.deliver()) == {200}

    assert (subscriber.allowance, subscriber.plan) == (30 * USD, "pro")
    assert subscriber.entries() == [
        {"allowance": 30 * USD, "stripe_clearing": -29 * USD, "promo_expense": -USD}
    ]
    shown = shop.get("subscription")
    assert (shown["status"], shown["period_start"], shown["period_end"]) == (
        "active", "2040-01-01T00:00:00Z", "2040-02-01T00:00:00Z",
    )  # fmt: skip
    assert shop.is_sound()


def test_payer_who_comes_back_sees_the_plan_before_any_webhook(shop, subscriber):
    page = subscriber.begin("pro")
    subscriber.pay(page)

    shown = shop.get(f"subscription-checkout/{page['session_id']}")

    assert (shown["status"], shown["url"], subscriber.plan) == ("active", None, "pro")
    shop.deliver()
    assert subscriber.allowance == 30 * USD


def test_keys_have_the_limits_of_the_plan_while_it_is_paid(shop, subscriber, make_customer):
    limits = {"requests_per_minute": None, "tokens_per_minute": None, "concurrency": None}
    customer = make_customer(credit_usd="0", **limits)
    plain = type(subscriber)(type(shop)(shop.gateway, shop.fake, customer))

    def limit():
        found = find_key(customer.key.key_hash)
        return found and found.requests_per_minute

    dev, team = (Plan.objects.get(pk=slug).requests_per_minute for slug in ("dev", "team"))
    assert limit() == dev
    plain.subscribe("team")
    assert limit() == team
    plain.change("cancel", at_period_end=False)
    assert limit() == dev


def test_each_month_brings_its_allowance_and_nothing_is_carried_over(shop, subscriber):
    subscriber.subscribe("pro")
    first = CreditLot.objects.get(organization_id=shop.customer.organization_id)
    assert first.expires_at == moment(FEBRUARY)
    spent = Settlement(new_id("gen"), shop.customer.organization_id, 12 * USD)
    assert ledger.settle([spent]) == [12 * USD]

    subscriber.pass_time(31 * DAY)
    shop.deliver()

    assert subscriber.allowance == (18 + 30) * USD
    subscriber.expire(moment(FEBRUARY))
    assert subscriber.allowance == 30 * USD
    assert subscriber.row.period_end == moment(MARCH)
    assert [one["amount_paid"] for one in subscriber.invoices()] == [2900, 2900]
    assert shop.is_sound()


def test_allowance_is_spent_before_what_was_bought_and_what_was_bought_survives(shop, subscriber):
    shop.buy(amount_usd=20)
    subscriber.subscribe("pro")
    spent = Settlement(new_id("gen"), shop.customer.organization_id, 5 * USD)
    ledger.settle([spent])
    assert (subscriber.allowance, shop.purchased) == (25 * USD, 20 * USD)

    subscriber.change("cancel", at_period_end=False)
    shop.deliver()
    subscriber.expire(moment(FEBRUARY))

    assert (subscriber.allowance, shop.purchased, subscriber.plan) == (0, 20 * USD, "dev")
    assert shop.is_sound()


def test_renewal_is_collected_at_once_though_stripe_would_wait_for_an_hour(shop, subscriber):
    shop.fake.control("drafts", seconds=3600)
    subscriber.subscribe("pro")

    subscriber.pass_time(31 * DAY)
    assert subscriber.invoices()[-1]["status"] == "draft"
    shop.deliver()

    assert subscriber.invoices()[-1]["status"] == "paid"
    shop.deliver()
    assert subscriber.allowance == 60 * USD
    assert len(subscriber.invoices()) == 2


def test_renewal_that_is_refused_is_told_and_tried_again_while_the_plan_stays(shop, subscriber):
    shop.fake.control("drafts", seconds=3600)
    subscriber.subscribe("pro")
    shop.fake.control("decline")

    subscriber.pass_time(31 * DAY)
    shop.deliver()
    shop.deliver(times=2)

    assert (subscriber.row.status, subscriber.plan) == ("past_due", "pro")
    assert subscriber.allowance == 30 * USD
    failed = [facts for kind, facts in told(shop) if kind == "payment_failed"]
    assert failed == [
        {
            "type": "payment_failed",
            "amount_cents": 2900,
            "what_for": "your subscription",
            "is_given_up": False,
        }
    ]
    assert subscriber.refused("upgrade", plan="team")[:2] == (402, "payment_declined")
    subscriber.pass_time(3 * DAY)
    shop.deliver()
    assert (subscriber.row.status, subscriber.allowance) == ("active", 60 * USD)
    assert shop.is_sound()


def test_plan_ends_when_nobody_pays_and_no_allowance_comes(shop, subscriber):
    subscriber.subscribe("pro")
    shop.fake.control("decline", count=10)

    for _ in range(20):
        subscriber.pass_time(2 * DAY)
        shop.deliver()
    subscriber.pass_time(20 * DAY)
    shop.deliver()

    assert (subscriber.row.status, subscriber.plan) == ("canceled", "dev")
    assert subscriber.allowance == 30 * USD
    failed = [facts["is_given_up"] for kind, facts in told(shop) if kind == "payment_failed"]
    assert failed == [False, False, False, True]
    assert [kind for kind, _ in told(shop)][-1] == "subscription_ended"
    assert shop.get("subscription")["status"] == "canceled"


def test_payment_is_told_once_with_plan_allowance_and_invoice(shop, subscriber):
    subscriber.subscribe("pro")
    shop.deliver(events=shop.events("invoice.paid", "customer.subscription.updated"), times=3)

    ((kind, facts),) = told(shop)
    assert kind == "subscription_paid"
    assert (facts["plan"], facts["paid_cents"], facts["allowance_nano_usd"]) == (
        "Pro", 2900, 30 * USD,
    )  # fmt: skip
    assert facts["invoice_url"].startswith("https://invoice.stripe.com/")


def test_one_page_is_open_at_a_time_and_the_last_one_counts(shop, subscriber):
    first = subscriber.begin("pro")
    second = subscriber.begin("team")

    pages = {one["id"]: one["status"] for one in shop.fake.objects()["checkout.session"]}
    assert pages == {first["session_id"]: "expired", second["session_id"]: "open"}
    assert Subscription.objects.get(pk=first["id"]).status == "expired"
    subscriber.pay(second)
    shop.deliver()
    assert subscriber.plan == "team"


def test_no_second_subscription_when_the_first_was_paid_a_moment_ago(shop, subscriber):
    subscriber.pay(subscriber.begin("pro"))

    answer = shop.call("POST", "subscription-checkout", {"plan": "team"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "plan")
    assert (subscriber.plan, subscriber.allowance) == ("pro", 30 * USD)
    assert len(shop.fake.objects()["subscription"]) == 1


def test_subscribes_again_after_the_end(shop, subscriber):
    subscriber.subscribe("pro")
    subscriber.change("cancel", at_period_end=False)
    shop.deliver()

    subscriber.subscribe("team")

    assert (subscriber.plan, subscriber.allowance) == ("team", (30 + 105) * USD)


def test_page_that_nobody_pays_expires(shop, subscriber):
    page = subscriber.begin("pro")
    shop.fake.control(f"checkout/{page['session_id']}/abandon")

    shop.deliver()

    assert subscriber.row.status == "expired"
    assert shop.call("GET", "subscription").json() == {"data": None}


def test_nothing_is_subscribed_when_the_card_is_refused_on_the_page(shop, subscriber):
    page = subscriber.begin("pro")
    subscriber.pay(page, card="pm_card_chargeDeclined")
    shop.deliver()
    assert (subscriber.row.status, subscriber.plan) == ("open", "dev")

    subscriber.pay(page)
    shop.deliver()

    assert (subscriber.row.status, subscriber.plan) == ("active", "pro")


def test_who_has_subscribed_keeps_the_terms_when_the_plan_changes(shop, subscriber, make_plan):
    make_plan("changing", name="Changing", price_cents=1000, allowance=11 * USD)
    subscriber.subscribe("changing")
    make_plan("changing", price_cents=1500, allowance=12 * USD)

    subscriber.pass_time(31 * DAY)
    shop.deliver()

    assert [one["amount_paid"] for one in subscriber.invoices()] == [1000, 1000]
    assert subscriber.allowance == 22 * USD
    subscriber.change("cancel", at_period_end=False)
    assert subscriber.begin("changing")["price_cents"] == 1500
    assert PlanPrice.objects.filter(plan_id="changing").count() == 2
    Plan.objects.filter(pk="changing").update(is_public=False)


def test_plan_that_costs_more_than_its_allowance_leaves_a_fee(shop, subscriber, make_plan):
    make_plan("support", name="Support", price_cents=5000, allowance=20 * USD)

    subscriber.subscribe("support")

    assert subscriber.entries() == [
        {"allowance": 20 * USD, "stripe_clearing": -50 * USD, "fees": 30 * USD}
    ]
    assert shop.is_sound()
    Plan.objects.filter(pk="support").update(is_public=False)


def test_plan_that_staff_gave_meanwhile_stays_when_the_subscription_ends(shop, subscriber):
    subscriber.subscribe("pro")
    assign_plan(shop.customer.organization_id, plan="enterprise")
    subscriber.pass_time(31 * DAY)
    shop.deliver()
    assert subscriber.plan == "enterprise"

    subscriber.change("cancel", at_period_end=False)
    shop.deliver()

    assert subscriber.plan == "enterprise"


def test_subscription_completes_a_referral(shop, subscriber):
    friend = make_person()
    Referral.objects.create(
        organization_id=shop.customer.organization_id,
        code=ReferralCode.objects.get(code=referrals.make_code(friend.organization_id)),
    )

    subscriber.subscribe("pro")

    assert friend.buckets == (0, 10 * USD, 0)
    assert shop.is_sound()


def test_sweep_hears_of_what_nobody_told_us_of(shop, subscriber, settings):
    mine = Subscription.objects.filter(organization_id=shop.customer.organization_id)
    subscriber.pay(subscriber.begin("pro"))
    tasks.sweep_payments()  # too early to ask
    assert subscriber.row.status == "open"
    mine.update(created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2)

    tasks.sweep_payments()

    assert (subscriber.row.status, subscriber.plan) == ("active", "pro")
    shop.stripe.v1.subscriptions.cancel(subscriber.row.stripe_id)
    tasks.sweep_payments()
    assert subscriber.row.status == "active"
    mine.update(checked_at=clock.now() - settings.SUBSCRIPTION_CHECKED_AFTER * 2)
    tasks.sweep_payments()
    assert (subscriber.row.status, subscriber.plan) == ("canceled", "dev")


def test_sweep_asks_again_and_again_when_a_period_is_over(shop, subscriber, settings):
    mine = Subscription.objects.filter(organization_id=shop.customer.organization_id)
    subscriber.subscribe("pro")
    subscriber.pass_time(31 * DAY)
    long_ago = clock.now() - settings.ORDER_CHECKED_AFTER * 2
    mine.update(period_end=long_ago, checked_at=long_ago)

    tasks.sweep_payments()

    assert subscriber.row.period_end == moment(MARCH)
    assert subscriber.allowance == 60 * USD
