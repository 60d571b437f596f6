"""The judge of shapes itself: conftest.py asks it about everything that the fake makes in all the other tests."""

import copy

import pytest
import stripe
from stripe import StripeObject
from stripe._object_classes import get_object_class

from tests.fakes.stripe.world import API_VERSION, KIND_OF_PREFIX
from tests.fakes.stripe_shapes import problems_of


@pytest.fixture
def charge(fake, client):
    client.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    return copy.deepcopy(fake.objects()["charge"][0])


def test_the_fake_speaks_the_version_of_the_sdk():
    assert stripe.api_version == API_VERSION


def test_finds_nothing_wrong_when_all_is_right(charge):
    assert problems_of(charge) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("amount", "1000", "charge.amount: int expected, found '1000'"),
        ("amount", 10.0, "charge.amount: int expected, found 10.0"),
        ("amount", True, "charge.amount: int expected, found True"),
        ("amount", None, "charge.amount: int expected, found None"),
        ("paid", 1, "charge.paid: bool expected, found 1"),
        ("credits", 5, "charge.credits: no such field"),
        ("metadata", {"a": 1}, "charge.metadata.a: str expected, found 1"),
        ("outcome.risk", "low", "charge.outcome.risk: no such field"),
        (
            "payment_method_details.card.last4",
            4242,
            "charge.payment_method_details.card.last4: str expected, found 4242",
        ),
        ("billing_details", [], "charge.billing_details: BillingDetails expected, found []"),
    ],
)
def test_finds_a_field_that_is_wrong(charge, path, value, problem):
    *way, last = path.split(".")
    holder = charge
    for name in way:
        holder = holder[name]
    holder[last] = value

    assert problems_of(charge) == [problem]


def test_finds_a_value_outside_an_enumeration_and_a_missing_field(charge):
    charge["status"] = "fine"
    del charge["created"]

    assert sorted(problems_of(charge)) == [
        "charge.created: missing",
        "charge.status: 'fine' is none of ('failed', 'pending', 'succeeded')",
    ]


def test_looks_into_lists_expanded_objects_and_events(fake, client, charge):
    invented = {**charge, "customer": {"object": "customer", "id": "cus_1", "created": 1}}
    event = copy.deepcopy(fake.events("charge.updated")[0])
    event["type"] = "charge.invented"
    event["data"]["object"]["amount"] = None
    event["data"]["previous_attributes"]["credits"] = 1

    of_list = problems_of({"object": "list", "data": [invented]})
    of_event = problems_of(event)

    assert of_list == ["[0].customer.livemode: missing"]
    assert [problem.partition(" is none")[0] for problem in of_event] == [
        "event.type: 'charge.invented'",
        "charge.invented.charge.amount: int expected, found None",
        "charge.invented: previous credits is no field",
    ]


def test_knows_every_kind_of_object_that_the_fake_has():
    unknown = [
        kind for kind in KIND_OF_PREFIX.values() if get_object_class("V1", kind) is StripeObject
    ]

    assert unknown == []
    assert problems_of({"object": "credit_card"}) == ["it: no such object: credit_card"]
