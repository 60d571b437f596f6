"""Events and their delivery: what a receiver must be able to live with."""

import json

import pytest
import stripe

from tests.fakes.receiver import SECRET
from tests.fakes.stripe.deliveries import sign
from tests.fakes.stripe.process import ControlRefused


@pytest.fixture
def webhook(fake, receiver):
    fake.control("webhook", url=receiver.url, secret=SECRET)
    return receiver


def test_signs_as_stripe_does():
    """Worked with `printf '1492774577.{"a":1}' | openssl dgst -sha256 -hmac whsec_test`."""
    signature = sign(b'{"a":1}', "whsec_test", at=1_492_774_577)

    assert signature == (
        "t=1492774577,v1=2a55874e33dedb30da6fac02873208f53a243141599a71c0d52a1d5b89656823"
    )


def test_delivers_what_waits_in_the_order_in_which_it_happened(fake, client, webhook):
    client.v1.customers.create()
    client.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )

    told = fake.deliver()

    assert webhook.kinds == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    assert [one["status"] for one in told] == [200] * 5
    assert fake.deliver() == []


def test_the_delivered_event_is_the_one_that_the_api_answers(fake, client, webhook):
    client.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k"})

    fake.deliver()
    event = webhook.received[0].event()

    assert client.v1.events.retrieve(event.id).data.to_dict() == event.data.to_dict()
    assert event.data.object.email == "a@example.com"
    assert event["request"]["idempotency_key"] == "k"
    assert event.api_version == stripe.api_version
    assert client.v1.events.retrieve(event.id).pending_webhooks == 0


def test_one_event_is_delivered_by_its_id_and_others_wait(fake, client, webhook):
    for number in range(3):
        client.v1.customers.create({"email": f"{number}@example.com"})
    ids = [event["id"] for event in fake.events()]

    fake.deliver(events=[ids[1]])
    first = [one.event().id for one in webhook.received]
    fake.deliver()

    assert first == [ids[1]]
    assert [one.event().id for one in webhook.received] == [ids[1], ids[0], ids[2]]


def test_delivers_out_of_order_and_again(fake, client, webhook):
    client.v1.customers.create()
    client.v1.payment_methods.attach(
        "pm_card_visa", {"customer": fake.events()[0]["data"]["object"]["id"]}
    )
    ids = [event["id"] for event in fake.events()]

    fake.deliver(events=[ids[1], ids[0], ids[1]])

    assert [one.event().id for one in webhook.received] == [ids[1], ids[0], ids[1]]


def test_delivers_duplicates_at_the_same_moment(fake, client, webhook):
    client.v1.customers.create()

    told = fake.deliver(times=5)

    assert [one["status"] for one in told] == [200] * 5
    assert len({one.event().id for one in webhook.received}) == 1
    assert len(webhook.received) == 5


def test_a_bad_signature_does_not_verify(fake, client, webhook):
    client.v1.customers.create()

    fake.deliver(bad_signature=True)

    with pytest.raises(stripe.SignatureVerificationError, match="No signatures found"):
        webhook.received[0].event()


def test_a_changed_body_does_not_verify(fake, client, webhook):
    client.v1.customers.create({"email": "a@example.com"})
    fake.deliver()
    got = webhook.received[0]

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            got.body.replace(b"a@example.com", b"b@example.com"), got.signature, SECRET
        )


def test_an_old_timestamp_is_outside_the_tolerance(fake, client, webhook):
    client.v1.customers.create()

    fake.deliver(age=301)

    with pytest.raises(stripe.SignatureVerificationError, match="Timestamp outside the tolerance"):
        webhook.received[0].event()


def test_signs_with_the_machines_time_when_the_fakes_clock_is_elsewhere(fake, client, webhook):
    fake.control("clock", stop=1_000_000_000)
    client.v1.customers.create()

    fake.deliver()

    assert webhook.received[0].event().created == 1_000_000_000


def test_what_was_not_taken_waits_for_the_next_delivery(fake, client, webhook):
    client.v1.customers.create()
    webhook.status = 500

    refused = fake.deliver()
    webhook.status = 200
    taken = fake.deliver()

    assert ([one["status"] for one in refused], [one["status"] for one in taken]) == ([500], [200])
    assert webhook.received[0].event().id == webhook.received[1].event().id


def test_says_why_nobody_answered(fake, client, http_client):
    fake.control("webhook", url="http://127.0.0.1:9/hook", secret=SECRET)
    client.v1.customers.create()

    told = fake.deliver()

    assert told[0]["status"] is None
    assert "Cannot connect" in told[0]["error"]


def test_sends_only_the_types_that_the_endpoint_asked_for(fake, client, receiver):
    fake.control("webhook", url=receiver.url, secret=SECRET, events=["payment_intent.succeeded"])
    client.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )

    fake.deliver()

    assert receiver.kinds == ["payment_intent.succeeded"]


def test_refuses_to_deliver_without_an_endpoint(fake):
    with pytest.raises(ControlRefused, match="No webhook endpoint"):
        fake.deliver()


def test_events_are_listed_by_type_and_name_what_changed(client):
    customer = client.v1.customers.create({"email": "a@example.com", "metadata": {"a": "1"}})
    client.v1.customers.update(customer.id, {"email": "b@example.com", "metadata": {"b": "2"}})
    client.v1.customers.update(customer.id, {"email": "b@example.com"})

    updated = client.v1.events.list({"type": "customer.updated"})
    of_customers = client.v1.events.list({"types": ["customer.*"]})

    assert len(updated.data) == 1
    assert updated.data[0].data.previous_attributes.to_dict() == {
        "email": "a@example.com",
        "metadata": {"b": None},
    }
    assert [one.type for one in of_customers.data] == ["customer.updated", "customer.created"]


def test_an_event_shows_the_object_as_it_was_then(fake, client):
    customer = client.v1.customers.create({"email": "a@example.com"})

    client.v1.customers.update(customer.id, {"email": "b@example.com"})

    assert fake.events("customer.created")[0]["data"]["object"]["email"] == "a@example.com"


def test_the_body_is_json_in_utf8(fake, client, webhook):
    client.v1.customers.create({"name": "Zoë 株式会社"})

    fake.deliver()

    assert json.loads(webhook.received[0].body)["data"]["object"]["name"] == "Zoë 株式会社"
    assert webhook.received[0].event().data.object.name == "Zoë 株式会社"
