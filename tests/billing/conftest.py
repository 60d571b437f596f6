"""Organisations with credit in any bucket, on the rolled-back database."""

import pytest

from apps.billing.models import PlanPrice
from apps.common.ids import new_id
from gatewayz.celery import app
from tests.billing.books import open_books
from tests.billing.stripe_shop import SECRET, Shop
from tests.billing.subscriber import START, Subscriber
from tests.fakes.stripe.process import start_fake_stripe


@pytest.fixture
def make_books(db):
    return open_books


@pytest.fixture
def books(make_books):
    """An organisation with 1,000 nano-dollars of purchased credit."""
    return make_books(purchased=1_000)


@pytest.fixture(scope="session")
def stripe_process():
    with start_fake_stripe() as process:
        yield process


@pytest.fixture
def eager_jobs():
    """Jobs run where they are queued: there is no worker beside the tests."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def shop(gateway, make_customer, stripe_process, settings, eager_jobs):
    """A customer without credit, in front of a fake Stripe that tells the gateway what happens when a test says so."""
    stripe_process.reset()
    settings.STRIPE_SECRET_KEY = "sk_test_gatewayz"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_gatewayz"
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    settings.STRIPE_API_BASE = stripe_process.url
    settings.STRIPE_TIMEOUT_SECONDS = 5.0
    settings.STRIPE_RETRIES = 0
    stripe_process.control("webhook", url=f"{gateway.url}/api/stripe/webhook", secret=SECRET)
    return Shop(gateway, stripe_process, make_customer(credit_usd="0"))


@pytest.fixture
def save_card(shop):
    """A card of the customer's, saved as its owner would."""

    def save(card="pm_card_visa"):
        setup = shop.post("cards", {})
        done = shop.stripe.v1.setup_intents.confirm(
            setup["client_secret"].partition("_secret")[0],
            {"payment_method": card, "return_url": "https://a.example"},
        )
        return done.payment_method

    return save


@pytest.fixture
def top_up(shop, save_card):
    """$20 whenever less than $5 is available; there is nothing yet."""

    def ask_for(card="pm_card_visa", **changes):
        asked = {
            "is_enabled": True,
            "threshold_usd": 5,
            "amount_usd": 20,
            "card_id": save_card(card),
            **changes,
        }
        answer = shop.call("PUT", "auto-top-up", asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return ask_for


@pytest.fixture
def subscriber(shop):
    """A customer on the free plan, on 1 January 2040 at Stripe, which has forgotten the prices of former tests."""
    for price in PlanPrice.objects.all():
        price.stripe_id, price.token = None, new_id("plan")
        price.save()
    shop.fake.control("clock", stop=START)
    return Subscriber(shop)


@pytest.fixture
def payer(subscriber):
    """Somebody who has paid for Pro, of which the gateway has not heard."""
    subscriber.pay(subscriber.begin("pro"))
    return subscriber
