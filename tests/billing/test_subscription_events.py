"""What Stripe tells of subscriptions: twice, at once, in any order, in older words, or wrongly. The allowance comes once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from apps.accounts.models import Plan
from apps.billing.models import EventStatus, PlanPrice, Subscription, SubscriptionInvoice
from apps.billing.services import inbox, subscription_checkout, subscriptions
from apps.common import clock
from tests.billing.stripe_shop import SECRET
from tests.billing.subscriber import DAY, HALF_OF_JANUARY, USD
from tests.fakes.stripe.deliveries import sign


def test_one_allowance_when_the_same_invoice_is_told_of_twenty_times_at_once(shop, payer):
    told = shop.events("invoice.paid")

    answers = shop.deliver(events=told, times=20)

    assert {200} <= set(answers) <= {200, 503}  # 503: somebody was at it
    assert shop.deliver(events=told) == [200]
    assert (payer.allowance, payer.plan) == (30 * USD, "pro")
    assert len(payer.entries()) == 1
    assert shop.is_sound()


def test_one_allowance_when_every_event_is_processed_at_once(shop, payer):
    told = shop.events()
    shop.deliver(events=told)
    assert payer.allowance == 30 * USD
    payer.pass_time(31 * DAY)
    renewed = [event for event in shop.events() if event not in told]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda event: shop.deliver(events=[event], times=3), renewed))

    assert {status for answer in answers for status in answer} <= {200, 503}
    assert set(shop.deliver(events=renewed)) == {200}
    assert {event.status for event in shop.stored()} <= {"processed", "ignored"}
    assert payer.allowance == 60 * USD
    assert len(payer.entries()) == 2
    assert shop.is_sound()


def test_one_allowance_when_events_come_in_reverse(shop, payer):
    shop.deliver(events=shop.events()[::-1])
    payer.pass_time(HALF_OF_JANUARY)
    payer.change("upgrade", plan="team")
    payer.pass_time(31 * DAY)

    assert set(shop.deliver(events=shop.events()[::-1])) == {200}

    assert (payer.plan, payer.row.status) == ("team", "active")
    assert payer.allowance == (30 + 105) * USD + 75 * USD // 2
    assert len(payer.entries()) == 3
    assert shop.is_sound()


def test_all_is_given_when_only_the_last_event_comes(shop, payer):
    """An upgrade and two months of which nobody told: the invoices are there to be read."""
    shop.deliver()
    item = payer.at_stripe()["items"]["data"][0]["id"]
    payer.change("preview", plan="team")
    team = PlanPrice.objects.exclude(stripe_id=None).get(plan_id="team")
    payer.pass_time(HALF_OF_JANUARY)
    shop.stripe.v1.subscriptions.update(
        payer.row.stripe_id,
        {
            "items": [{"id": item, "price": team.stripe_id}],
            "proration_behavior": "always_invoice",
        },
    )
    payer.pass_time(62 * DAY)

    assert shop.deliver(events=shop.events("invoice.paid")[-1:]) == [200]

    assert payer.allowance == (30 + 2 * 105) * USD + 75 * USD // 2
    assert payer.plan == "team"
    assert shop.is_sound()


def test_state_is_what_stripe_says_now_when_older_news_come_last(shop, payer):
    shop.deliver()
    updated = shop.events("customer.subscription.created", "customer.subscription.updated")
    shop.stripe.v1.subscriptions.cancel(payer.row.stripe_id)
    shop.deliver()
    assert payer.row.status == "canceled"

    for event in updated:
        inbox.process_again(event)
        assert inbox.process(event)

    assert (payer.row.status, payer.plan) == ("canceled", "dev")


def test_row_is_read_again_when_it_has_changed_while_stripe_was_asked(shop, payer, monkeypatch):
    """Of two that ask at once the one whose answer is older writes last: it has to ask again."""
    shop.deliver()
    row = payer.row
    read = subscriptions.read
    asked = []

    def read_and_wait(stripe_id):
        found = read(stripe_id)
        asked.append(found["status"])
        if len(asked) == 1:
            shop.stripe.v1.subscriptions.cancel(stripe_id)
            done = threading.Thread(target=shop.deliver)
            done.start()
            done.join(timeout=20)
        return found

    monkeypatch.setattr(subscriptions, "read", read_and_wait)
    subscriptions.compare(row)

    assert asked[0] == "active"
    assert asked[-1] == "canceled"
    assert (payer.row.status, payer.plan) == ("canceled", "dev")


def test_allowance_comes_later_when_stripe_was_away(shop, payer):
    shop.fake.control("fail", kind="500", count=1, method="GET", path="/v1/invoices")
    told = shop.events("invoice.paid")

    assert shop.deliver(events=told) == [503]

    (event,) = shop.stored("invoice.paid")
    assert (event.status, payer.allowance) == (EventStatus.FAILED, 0)
    inbox.process_again(event.pk)
    assert inbox.process(event.pk)
    assert payer.allowance == 30 * USD


def test_nothing_is_written_by_half_when_the_process_dies_in_the_middle(shop, payer, monkeypatch):
    """Plan, allowance, invoice and notice are one transaction."""

    def die(*_args, **_facts):
        raise RuntimeError("died")

    told = shop.events("invoice.paid")
    monkeypatch.setattr(subscriptions, "_give_plan", die)
    shop.deliver(events=told)
    assert (payer.allowance, payer.plan, payer.row.status) == (0, "dev", "open")
    assert not SubscriptionInvoice.objects.filter(subscription=payer.row).exists()
    monkeypatch.undo()

    inbox.process_again(told[0])
    assert inbox.process(told[0])

    assert (payer.allowance, payer.plan, payer.row.status) == (30 * USD, "pro", "active")


def test_page_is_gone_on_with_when_stripes_answer_was_lost(shop, subscriber, settings):
    subscriber.begin("pro")  # customer and price are made here
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control(
        "fail", kind="lost", path="/v1/checkout/sessions", method="POST", milliseconds=1500
    )
    # The first such call is the one that closes the former page.
    assert shop.call("POST", "subscription-checkout", {"plan": "team"}).status_code == 503
    shop.fake.control(
        "fail", kind="lost", path="/v1/checkout/sessions", method="POST", milliseconds=1500
    )
    key = {"headers": {"idempotency-key": "lost"}}

    lost = shop.call("POST", "subscription-checkout", {"plan": "team"}, **key)
    assert (lost.status_code, lost.headers["x-should-retry"]) == (503, "true")
    again = subscriber.begin("team", **key)

    assert again["status"] == "open"
    assert len(shop.fake.objects()["checkout.session"]) == 2
    subscriber.pay(again)
    shop.deliver()
    assert subscriber.plan == "team"


def test_page_whose_answer_was_lost_is_found_by_the_sweep(shop, subscriber, settings):
    shop.order(amount_usd=5)  # the customer is made here
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control(
        "fail", kind="lost", path="/v1/checkout/sessions", method="POST", milliseconds=1500
    )
    assert shop.call("POST", "subscription-checkout", {"plan": "pro"}).status_code == 503
    assert subscriber.row.status == "created"

    subscription_checkout.compare(subscriber.row)

    assert subscriber.row.status == "open"


def test_page_that_stripe_never_heard_of_is_given_up(shop, subscriber, settings):
    shop.order(amount_usd=5)
    shop.fake.control("fail", kind="500", path="/v1/checkout/sessions")
    assert shop.call("POST", "subscription-checkout", {"plan": "pro"}).status_code == 503
    mine = Subscription.objects.filter(organization_id=shop.customer.organization_id)
    mine.update(created_at=clock.now() - settings.ORDER_REPEATED_FOR * 2)

    subscription_checkout.compare(subscriber.row)

    assert subscriber.row.status == "expired"


def test_one_page_at_most_is_open_when_several_are_asked_for_at_once(shop, subscriber):
    subscriber.begin("pro")

    with ThreadPoolExecutor(5) as threads:
        answers = list(
            threads.map(
                lambda plan: shop.call("POST", "subscription-checkout", {"plan": plan}),
                ("pro", "team", "pro", "team", "pro"),
            )
        )

    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    last = subscriber.begin("team")
    pages = shop.fake.objects()["checkout.session"]
    assert [one["id"] for one in pages if one["status"] == "open"] == [last["session_id"]]


def test_payment_of_an_invoice_is_no_payment_without_an_order(shop, payer, caplog):
    shop.deliver()

    assert "payments.without_order" not in caplog.text
    assert {event.status for event in shop.stored("payment_intent.succeeded")} == {"processed"}


def test_words_of_stripe_before_basil_are_understood(shop, payer):
    """An endpoint may be of an older version than our calls: there the subscription stands in the invoice itself."""
    (event,) = shop.fake.events("invoice.paid")
    invoice = event["data"]["object"]
    details = invoice.pop("parent")["subscription_details"]
    event["data"]["object"] = {**invoice, "subscription": details["subscription"]}
    event["api_version"] = "2024-06-20"
    event["id"] += "_old"
    body = json.dumps(event).encode()
    seconds = int(clock.now().timestamp())

    answer = httpx.post(
        f"{shop.gateway.url}/api/stripe/webhook",
        content=body,
        headers={"stripe-signature": sign(body, SECRET, at=seconds)},
        verify=False,
    )

    assert answer.status_code == 200
    assert (payer.allowance, payer.plan) == (30 * USD, "pro")


def test_plan_stays_when_its_row_is_shown_no_more(shop, payer, committed):
    shop.deliver()
    Plan.objects.filter(pk="pro").update(is_public=False)
    try:
        payer.pass_time(31 * DAY)
        shop.deliver()
        assert (payer.plan, payer.allowance) == ("pro", 60 * USD)
    finally:
        Plan.objects.filter(pk="pro").update(is_public=True)
