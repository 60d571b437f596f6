"""The inbox: what Stripe tells is kept once, processed once before it is acknowledged, and again when that failed."""

import datetime
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.core.checks import INFO, WARNING, run_checks
from django.db import connection
from structlog.testing import capture_logs

from apps.billing import tasks
from apps.billing.models import EventStatus, StripeEvent
from apps.billing.services import inbox
from apps.billing.stripe.client import StripeAway, answering_within, ask
from apps.common import clock
from gatewayz import checks
from gatewayz.celery import app
from tests.billing.stripe_shop import SECRET

USD = 1_000_000_000


@pytest.fixture
def paid(shop):
    """An order that was paid, of which the gateway has not heard."""
    order = shop.order()
    shop.pay(order)
    return order


def test_nothing_is_stored_when_the_signature_is_wrong(shop, paid):
    answers = shop.deliver(bad_signature=True)

    assert set(answers) == {400}
    assert shop.stored() == []
    assert shop.purchased == 0


def test_nothing_is_stored_when_the_signature_is_old_or_missing(shop, paid):
    assert set(shop.deliver(age=600)) == {400}
    answer = httpx.post(f"{shop.gateway.url}/api/stripe/webhook", content=b"{}", verify=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    assert shop.stored() == []


@pytest.mark.parametrize(
    "body",
    [
        "{}", "[]", "null", "1", '"text"', '{"id": "evt_1", "object": "event", "type": 5, "data": {"object": {}}}',
        '{"id": "evt_1", "object": "event", "type": "charge.refunded"}',
        '{"id": "evt_1", "object": "event", "type": "charge.refunded", "data": {"object": {"id": "ch_1"}}}',
    ],
)  # fmt: skip
def test_nothing_is_stored_when_what_is_signed_is_no_event(shop, body):
    moment = int(time.time())
    mac = hmac.new(SECRET.encode(), f"{moment}.{body}".encode(), "sha256").hexdigest()

    answer = httpx.post(
        f"{shop.gateway.url}/api/stripe/webhook",
        content=body,
        headers={"stripe-signature": f"t={moment},v1={mac}"},
        verify=False,
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    assert not StripeEvent.objects.filter(pk="evt_1").exists()


def test_each_of_several_secrets_is_good_while_they_are_changed(shop, paid, settings):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", *settings.STRIPE_WEBHOOK_SECRETS]

    assert set(shop.deliver()) == {200}
    assert shop.purchased == 10 * USD


def test_event_of_a_kind_that_changes_nothing_is_kept_and_acknowledged(shop):
    shop.stripe.v1.products.create({"name": "something"})

    assert shop.deliver() == [200]

    (event,) = shop.stored("product.created")
    assert (event.status, event.type) == (EventStatus.IGNORED, "product.created")
    assert '"something"' in event.payload


def test_duplicate_is_acknowledged_and_not_processed_again(shop, paid):
    shop.deliver()
    before = {event.pk: (event.attempts, event.processed_at) for event in shop.stored()}

    assert set(shop.deliver(events=shop.events())) == {200}

    assert {event.pk: (event.attempts, event.processed_at) for event in shop.stored()} == before


def test_stripe_is_asked_to_send_again_when_the_event_cannot_be_kept(shop, paid, monkeypatch):
    def broken(*_args):
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM a_table_that_is_away")

    monkeypatch.setattr(inbox, "store", broken)
    assert set(shop.deliver()) == {500}
    monkeypatch.undo()

    assert set(shop.deliver()) == {200}
    assert shop.purchased == 10 * USD


def test_event_is_processed_without_a_job_before_it_is_acknowledged(shop, paid):
    app.conf.task_always_eager = False  # and there is no worker

    assert set(shop.deliver()) == {200}

    assert shop.purchased == 10 * USD


def test_event_is_acknowledged_when_the_broker_is_away(shop, paid, monkeypatch):
    def refuse(*_args):
        raise tasks.mirror_stripe_event.OperationalError

    monkeypatch.setattr(tasks.mirror_stripe_event, "delay", refuse)

    assert set(shop.deliver()) == {200}
    assert shop.purchased == 10 * USD


def test_stripe_sends_again_what_somebody_else_has_under_way(shop, paid):
    told = shop.events("checkout.session.completed")
    shop.fake.control("fail", kind="500", count=1, method="GET")
    shop.deliver(events=told)
    under_way = {"status": EventStatus.RECEIVED, "next_attempt_at": clock.now() + inbox.LEASE}
    StripeEvent.objects.filter(pk__in=told).update(**under_way)

    (answer,) = shop.fake.deliver(events=told)

    error = json.loads(answer["body"])["error"]
    assert (answer["status"], error["code"]) == (503, "event_not_processed")
    (event,) = shop.stored("checkout.session.completed")
    assert (event.attempts, shop.purchased) == (1, 0)
    StripeEvent.objects.filter(pk__in=told).update(next_attempt_at=clock.now())
    assert shop.deliver(events=told) == [200]
    assert shop.purchased == 10 * USD


def test_answer_comes_in_time_and_nothing_else_waits_when_stripe_hangs(shop, paid, settings):
    settings.WEBHOOK_SECONDS = 2.0
    settings.STRIPE_TIMEOUT_SECONDS, settings.STRIPE_RETRIES = 20.0, 2
    told = shop.events("checkout.session.completed")
    shop.fake.control("fail", kind="timeout", count=3, milliseconds=10_000, method="GET")
    began = time.monotonic()

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(shop.deliver, events=told)
        alive = 0
        while not waiting.done():
            assert shop.gateway.client(shop.customer, timeout=1).get("/health").status_code == 200
            alive += 1
            time.sleep(0.05)

    assert waiting.result() == [503]
    assert time.monotonic() - began < 5
    assert alive > 5
    (event,) = shop.stored("checkout.session.completed")
    assert (event.status, event.attempts) == (EventStatus.FAILED, 1)


def test_no_database_connection_is_kept_while_stripe_is_asked(shop):
    kept = []
    assert shop.stored() == []
    connection.close_at = 0  # as with a pool, which takes back what is closed

    def look(client):
        kept.append(connection.connection)
        return client.v1.products.create({"name": "something"})

    ask(look)

    assert kept == [None]


def test_no_call_begins_when_the_time_to_answer_in_is_over(shop):
    asked = []

    with answering_within(0), pytest.raises(StripeAway):
        ask(lambda stripe: asked.append(stripe))

    assert asked == []


def test_event_is_processed_later_when_stripe_was_away(shop, paid):
    told = shop.events("checkout.session.completed")
    shop.fake.control("fail", kind="500", count=1, method="GET")

    assert shop.deliver(events=told) == [503]

    (event,) = shop.stored("checkout.session.completed")
    assert (event.status, event.attempts, shop.purchased) == (EventStatus.FAILED, 1, 0)
    assert event.next_attempt_at > clock.now()
    assert "StripeAway" in event.problem
    tasks.sweep_payments()  # its time has not come
    assert shop.purchased == 0
    StripeEvent.objects.filter(pk=event.pk).update(next_attempt_at=clock.now())
    tasks.sweep_payments()
    event.refresh_from_db()
    assert (event.status, event.problem) == (EventStatus.PROCESSED, "")
    assert shop.purchased == 10 * USD
    assert shop.deliver(events=told) == [200]


def test_event_is_given_up_after_the_last_attempt_and_processed_when_staff_say_so(
    shop, paid, settings
):
    settings.EVENT_ATTEMPTS = 1
    told = shop.events("checkout.session.completed")
    shop.fake.control("fail", kind="500", count=1, method="GET")
    shop.deliver(events=told)
    (event,) = shop.stored("checkout.session.completed")
    assert event.status == EventStatus.GIVEN_UP
    assert shop.deliver(events=told) == [503]
    tasks.sweep_payments()
    assert shop.purchased == 0

    inbox.process_again(event.pk)
    assert inbox.process(event.pk)

    assert shop.purchased == 10 * USD


def test_event_is_processed_by_the_sweep_when_the_process_died_in_the_middle(shop, paid):
    told = shop.events("checkout.session.completed")
    shop.deliver(events=told)
    StripeEvent.objects.filter(pk__in=told).update(
        status=EventStatus.RECEIVED, next_attempt_at=clock.now() + datetime.timedelta(minutes=5)
    )
    assert not inbox.process(told[0])  # somebody has it
    StripeEvent.objects.filter(pk__in=told).update(next_attempt_at=clock.now())

    tasks.sweep_payments()

    (event,) = shop.stored("checkout.session.completed")
    assert event.status == EventStatus.PROCESSED
    assert shop.purchased == 10 * USD


def test_only_posts_are_taken(shop):
    answer = httpx.get(f"{shop.gateway.url}/api/stripe/webhook", verify=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("missing", "values"),
    [
        ("STRIPE_SECRET_KEY", {"STRIPE_SECRET_KEY": ""}),
        ("STRIPE_WEBHOOK_SECRET", {"STRIPE_WEBHOOK_SECRETS": []}),
    ],
    ids=["no key", "no webhook secret"],
)
def test_routes_say_what_is_missing_when_payments_are_not_set_up(shop, settings, missing, values):
    for name, value in values.items():
        setattr(settings, name, value)

    answers = [
        shop.call("POST", "webhook", {}),
        shop.call("POST", "checkout-session", {"amount_usd": 10}),
        shop.call("GET", "payments"),
        shop.call("GET", "cards"),
    ]

    for answer in answers:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (503, "payments_not_configured")
        assert missing in error["message"]
        assert "sk_test" not in answer.text
        assert "whsec" not in answer.text
    assert shop.call("GET", "credit-packages").status_code == 200
    told = [message for message in run_checks() if str(message.id).startswith("billing.")]
    assert [(missing in message.msg, message.level) for message in told] == [(True, WARNING)]


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        (("", []), [("billing.I001", INFO)]),
        (("sk_test_x", []), [("billing.W002", WARNING)]),
        (("", ["whsec_x"]), [("billing.W001", WARNING)]),
        (("sk_test_x", ["whsec_x"]), []),
    ],
    ids=["not wanted", "no webhook secret", "no key", "both"],
)
@pytest.mark.parametrize("embedded", [True, False])
def test_operator_is_told_what_keeps_payments_off(settings, embedded, secrets, told):
    """By a warning where they were set up by half; a deployment without payments passes."""
    settings.EMBEDDED = embedded
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRETS = secrets

    found = run_checks(tags=["billing"], include_deployment_checks=True)

    assert [(message.id, message.level) for message in found] == told
    assert all("STRIPE_" in message.msg and "503" in message.msg for message in found)
    with capture_logs() as lines:
        checks.tell()
    assert [(line["id"], line["log_level"]) for line in lines] == [
        (name, {INFO: "info", WARNING: "warning"}[level]) for name, level in told
    ]
    assert [m.level for m in run_checks(tags=["billing"])] == [
        level for _, level in told if level == WARNING
    ], "a command would tell those who want no payments each time"
