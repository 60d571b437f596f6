"""Checkout sessions, prices, the billing portal."""

import pytest
import stripe

from tests.fakes.stripe.process import ControlRefused

CREDIT = {
    "price_data": {
        "currency": "usd",
        "unit_amount": 2500,
        "product_data": {"name": "Credit"},
    },
    "quantity": 2,
}
CENTS = {"currency": "usd", "unit_amount": 49, "product_data": {"name": "Cents"}}


def open_session(client, **params):
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [CREDIT],
            "success_url": "https://example.com/paid?id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://example.com/left",
            **params,
        }
    )


def make_price(client, amount=1000, **recurring):
    product = client.v1.products.create({"name": "Pro", "metadata": {"tier": "pro"}})
    params = {"product": product.id, "unit_amount": amount, "currency": "usd"}
    return client.v1.prices.create({**params, "recurring": recurring} if recurring else params)


def complete(fake, session, **typed):
    return fake.control(f"checkout/{session.id}/complete", **typed)["declined"]


def test_a_session_is_paid(fake, client):
    session = open_session(
        client,
        client_reference_id="org_1",
        metadata={"order": "1"},
        payment_intent_data={"metadata": {"order": "1"}, "description": "Credit"},
    )
    assert (session.status, session.payment_status, session.payment_intent) == (
        "open",
        "unpaid",
        None,
    )
    assert session.url.startswith("https://checkout.stripe.com/")

    assert complete(fake, session, email="bo@example.com", country="DE") is None

    after = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["line_items", "payment_intent.latest_charge"]}
    )
    assert (after.status, after.payment_status, after.url) == ("complete", "paid", None)
    assert (after.amount_total, after.currency, after.client_reference_id) == (5000, "usd", "org_1")
    assert (after.metadata.to_dict(), after.customer) == ({"order": "1"}, None)
    assert (after.customer_details.email, after.customer_details.address.country) == (
        "bo@example.com",
        "DE",
    )
    assert after.payment_intent.metadata.to_dict() == {"order": "1"}
    assert after.payment_intent.latest_charge.amount == 5000
    assert [(one.description, one.amount_total) for one in after.line_items.data] == [
        ("Credit", 5000)
    ]
    assert fake.events("checkout.session.completed")[0]["data"]["object"]["id"] == session.id
    assert client.v1.checkout.sessions.list({"payment_intent": after.payment_intent.id}).data


def test_a_declined_card_leaves_the_session_open(fake, client):
    session = open_session(client)

    declined = complete(fake, session, card="pm_card_chargeDeclinedInsufficientFunds")
    between = client.v1.checkout.sessions.retrieve(session.id)
    paid = complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(session.id)
    assert declined["decline_code"] == "insufficient_funds"
    assert (between.status, between.payment_status) == ("open", "unpaid")
    assert paid is None
    assert after.payment_intent == between.payment_intent
    assert [one["type"] for one in fake.events("charge.failed", "charge.succeeded")] == [
        "charge.failed",
        "charge.succeeded",
    ]


def test_a_session_completes_once(fake, client):
    session = open_session(client)
    complete(fake, session)

    with pytest.raises(ControlRefused, match="complete"):
        complete(fake, session)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)

    assert len(fake.events("checkout.session.completed")) == 1


def test_nothing_to_pay_needs_no_payment(fake, client):
    free = {"currency": "usd", "unit_amount": 0, "product_data": {"name": "Gift"}}
    session = open_session(client, line_items=[{"price_data": free, "quantity": 1}])

    complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.payment_status) == ("complete", "no_payment_required")
    assert after.payment_intent is None


def test_sessions_expire_when_told_when_left_and_with_time(fake, client):
    told, left, waited = (open_session(client) for _ in range(3))

    client.v1.checkout.sessions.expire(told.id)
    fake.control(f"checkout/{left.id}/abandon")
    fake.control("clock", advance=86_400)

    for session in (told, left, waited):
        after = client.v1.checkout.sessions.retrieve(session.id)
        assert (after.status, after.url) == ("expired", None)
    assert len(fake.events("checkout.session.expired")) == 3


@pytest.mark.parametrize(
    ("paid", "kind", "status"),
    [
        (True, "checkout.session.async_payment_succeeded", "paid"),
        (False, "checkout.session.async_payment_failed", "unpaid"),
    ],
)
def test_a_slow_payment_completes_unpaid_and_is_decided_later(fake, client, paid, kind, status):
    session = open_session(client)

    complete(fake, session, delayed=True)
    completed = fake.events("checkout.session.completed")[0]["data"]["object"]
    fake.control(f"checkout/{session.id}/settle", paid=paid)

    assert (completed["status"], completed["payment_status"]) == ("complete", "unpaid")
    assert fake.events(kind)[0]["data"]["object"]["payment_status"] == status


def test_an_invoice_is_made_for_a_payment_when_asked_for(fake, client):
    session = open_session(
        client, invoice_creation={"enabled": True, "invoice_data": {"metadata": {"order": "1"}}}
    )

    complete(
        fake,
        session,
        tax_ids=[{"type": "eu_vat", "value": "DE123456789"}],
        country="DE",
    )

    after = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice.payments"]})
    invoice = after.invoice
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("paid", 5000, 5000)
    assert invoice.payments.data[0].payment.payment_intent == after.payment_intent
    assert invoice.metadata.to_dict() == {"order": "1"}
    assert invoice.customer_tax_ids[0].value == "DE123456789"
    assert invoice.customer == after.customer
    assert invoice.hosted_invoice_url.startswith("https://invoice.stripe.com/")
    assert invoice.invoice_pdf.endswith("/pdf")


def test_a_card_is_saved_when_asked_for(fake, client):
    session = open_session(client, payment_intent_data={"setup_future_usage": "off_session"})

    complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(session.id)
    cards = client.v1.payment_methods.list({"customer": after.customer})
    assert [card.card.last4 for card in cards.data] == ["4242"]


def test_setup_mode_saves_a_card_for_a_known_customer(fake, client):
    customer = client.v1.customers.create({"email": "a@example.com"})
    session = client.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "currency": "usd",
            "customer": customer.id,
            "success_url": "https://example.com",
            "setup_intent_data": {"metadata": {"org": "1"}},
        }
    )

    complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert (after.payment_status, after.amount_total) == ("no_payment_required", None)
    assert after.setup_intent.metadata.to_dict() == {"org": "1"}
    assert (
        client.v1.payment_methods.retrieve(after.setup_intent.payment_method).customer
        == customer.id
    )


def test_subscription_mode_begins_a_subscription(fake, client):
    price = make_price(client, 2000, interval="month")
    session = open_session(
        client,
        mode="subscription",
        line_items=[{"price": price.id, "quantity": 1}],
        subscription_data={"metadata": {"org": "1"}},
    )

    declined = complete(fake, session, card="pm_card_chargeDeclined")
    nothing = client.v1.subscriptions.list({"status": "all"}).data
    complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["subscription", "invoice"]}
    )
    assert (declined["code"], nothing) == ("card_declined", [])
    assert (after.subscription.status, after.invoice.amount_paid) == ("active", 2000)
    assert after.subscription.metadata.to_dict() == {"org": "1"}
    assert after.subscription.default_payment_method.startswith("pm_")
    assert after.payment_status == "paid"
    assert fake.events()[-1]["type"] == "checkout.session.completed"


def test_a_trial_costs_nothing_at_first(fake, client):
    price = make_price(client, 2000, interval="month")
    session = open_session(
        client,
        mode="subscription",
        line_items=[{"price": price.id, "quantity": 1}],
        subscription_data={"trial_period_days": 7},
    )

    complete(fake, session)

    after = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert (after.amount_total, after.payment_status) == (0, "no_payment_required")
    assert after.subscription.status == "trialing"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"line_items": []}, "line_items"),
        ({"success_url": None}, "success_url"),
        ({"mode": "subscription"}, "mode"),
        ({"subscription_data": {"trial_period_days": 1}}, "subscription_data"),
        ({"customer": "cus_gone"}, "customer"),
        ({"expires_at": 1}, "expires_at"),
        ({"line_items": [{"price": "price_gone"}]}, "line_items[0][price]"),
        ({"ui_mode": "hosted"}, "ui_mode"),
        ({"line_items": [{**CREDIT, "quantity": 1, "price_data": CENTS}]}, "line_items"),
    ],
)
def test_refuses_sessions_that_make_no_sense(client, params, param):
    base = {
        "mode": "payment",
        "line_items": [CREDIT],
        "success_url": "https://example.com",
    }
    given = {name: value for name, value in {**base, **params}.items() if value is not None}

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(given)

    assert caught.value.param == param


def test_a_recurring_price_needs_subscription_mode(client):
    price = make_price(client, interval="month")

    with pytest.raises(stripe.InvalidRequestError, match="recurring price"):
        open_session(client, line_items=[{"price": price.id, "quantity": 1}])


def test_line_items_are_listed_in_their_order(client):
    first, second = make_price(client, 100), make_price(client, 200)
    session = open_session(
        client,
        line_items=[{"price": first.id, "quantity": 1}, {"price": second.id, "quantity": 3}],
    )

    items = client.v1.checkout.sessions.line_items.list(session.id)

    assert [one.amount_total for one in items.data] == [100, 600]
    assert session.amount_total == 700


def test_products_and_prices_are_found_changed_and_retired(client):
    product = client.v1.products.create(
        {"name": "Max", "default_price_data": {"currency": "usd", "unit_amount": 100}}
    )
    price = client.v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "unit_amount": 5000,
            "recurring": {"interval": "year"},
            "lookup_key": "max",
        }
    )

    found = client.v1.prices.list({"lookup_keys": ["max"], "expand": ["data.product"]})
    client.v1.prices.update(price.id, {"active": False, "nickname": "old"})
    client.v1.products.update(product.id, {"name": "Maximum"})

    assert [(one.id, one.product.name) for one in found.data] == [(price.id, "Max")]
    assert [one.unit_amount for one in client.v1.prices.list({"active": True}).data] == [100]
    assert client.v1.products.list({"active": True}).data[0].name == "Maximum"
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        open_session(client, line_items=[{"price": price.id, "quantity": 1}])
    with pytest.raises(stripe.InvalidRequestError, match="lookup key"):
        client.v1.prices.create(
            {"product": product.id, "currency": "usd", "unit_amount": 1, "lookup_key": "max"}
        )
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.products.delete(product.id)


def test_the_billing_portal_has_an_address(client):
    customer = client.v1.customers.create()

    session = client.v1.billing_portal.sessions.create(
        {
            "customer": customer.id,
            "return_url": "https://example.com/billing",
            "flow_data": {"type": "payment_method_update"},
        }
    )

    assert session.url.startswith("https://billing.stripe.com/p/session/")
    assert (session.return_url, session.flow.type) == (
        "https://example.com/billing",
        "payment_method_update",
    )
