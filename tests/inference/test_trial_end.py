"""A trial from the first request to the last: what it pays for is counted, and its end is told to the client."""

import pytest

from apps.accounts.models import Membership, Role
from apps.billing.models import Trial
from apps.billing.services import ledger, trials
from apps.inference import tasks
from gatewayz.celery import app
from tests.billing.promotions import make_user
from tests.gateway import make_customer
from tests.hosting import Host
from tests.surfaces import SURFACES, Surface, ask


@pytest.fixture
def newcomer(gateway):
    """A customer without credit whose trial has begun."""
    customer = make_customer(credit_usd="0")
    Membership.objects.create(
        user=make_user(), organization_id=customer.organization_id, role=Role.OWNER
    )
    trials.start(customer.organization_id)
    return customer


def trial_of(customer):
    return Trial.objects.get(organization_id=customer.organization_id)


def say_hello(gateway, customer, model, surface=Surface.CHAT):
    return ask(gateway.client(customer), surface, surface.body(model))


def test_trial_pays_for_requests_and_they_are_counted(gateway, newcomer, make_model):
    model, free = make_model(Host()), make_model(Host(input_usd="0", output_usd="0"))
    for name in (model, model, free):
        assert say_hello(gateway, newcomer, name).status == 200
    records = newcomer.settled(requests=3)

    tasks.review_trials()

    trial = trial_of(newcomer)
    paid = [record for record in records if record.charged]
    assert trial.requests_used == len(paid) == 2
    assert trial.tokens_used == sum(record.total_input + record.total_output for record in paid) > 0
    assert trial.ended_at is None


@pytest.mark.parametrize("limit", ["tokens", "requests"])
def test_trial_ends_when_a_request_used_the_last_of_it(gateway, newcomer, make_model, limit):
    model = make_model(Host())
    Trial.objects.filter(organization_id=newcomer.organization_id).update(**{limit: 1})
    assert say_hello(gateway, newcomer, model).status == 200
    newcomer.settled(requests=1)

    tasks.review_trials()

    assert trial_of(newcomer).end_reason == limit
    refused = say_hello(gateway, newcomer, model)
    assert (refused.status, refused.error["code"]) == (402, "trial_expired")
    assert newcomer.balance.total == 0


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_every_surface_says_that_the_trial_has_ended(gateway, newcomer, make_model, surface):
    model, free = make_model(Host()), make_model(Host(input_usd="0", output_usd="0"))
    trials.end(trial_of(newcomer).pk)

    refused = say_hello(gateway, newcomer, model, surface)

    assert (refused.status, refused.error["code"]) == (402, "trial_expired")
    assert "free models" in refused.error["message"]
    assert say_hello(gateway, newcomer, free, surface).status == 200


def test_quote_tells_that_the_trial_has_ended(gateway, newcomer, make_model):
    model = make_model(Host())
    trials.end(trial_of(newcomer).pk)

    asked = {"request": Surface.CHAT.body(model)}
    quote = gateway.client(newcomer).post("/v1/quote", json=asked).json()

    assert '"trial_expired"' in str(quote).replace("'", '"')


def test_credit_of_ones_own_makes_it_a_matter_of_credit(gateway, newcomer, make_model):
    model = make_model(Host())
    trials.end(trial_of(newcomer).pk)
    ledger.grant_promo(
        newcomer.organization_id, amount=1, reference=f"test:{newcomer.organization_id}", memo=""
    )

    refused = say_hello(gateway, newcomer, model)

    assert (refused.status, refused.error["code"]) == (402, "insufficient_credits")


def test_customer_without_a_trial_has_no_credit_and_nothing_has_ended(gateway, make_model):
    refused = say_hello(gateway, make_customer(credit_usd="0"), make_model(Host()))

    assert (refused.status, refused.error["code"]) == (402, "insufficient_credits")


def test_schedule_names_the_jobs():
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}

    assert {
        "apps.inference.tasks.review_trials",
        "apps.billing.tasks.give_referral_credit",
    } <= scheduled
