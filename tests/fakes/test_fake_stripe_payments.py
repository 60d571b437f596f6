"""Customers, cards, payments, refunds, disputes."""

import pytest
import stripe


def pay(client, **params):
    return client.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            **params,
        }
    )


@pytest.fixture
def customer(client):
    return client.v1.customers.create({"email": "a@example.com"})


def save_card(client, customer, card="pm_card_visa"):
    return client.v1.payment_methods.attach(card, {"customer": customer.id})


def kinds(fake):
    return [event["type"] for event in fake.events()]


def test_customer_keeps_tax_ids(client):
    customer = client.v1.customers.create(
        {"name": "Acme", "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}]}
    )
    added = client.v1.customers.tax_ids.create(
        customer.id, {"type": "us_ein", "value": "12-3456789"}
    )

    found = client.v1.customers.retrieve(customer.id, {"expand": ["tax_ids"]})
    assert [(one.type, one.country) for one in found.tax_ids.data] == [
        ("us_ein", "US"),
        ("eu_vat", "DE"),
    ]

    client.v1.customers.tax_ids.delete(customer.id, added.id)
    assert len(client.v1.customers.tax_ids.list(customer.id).data) == 1


def test_a_tax_id_or_card_of_another_customer_is_not_found(client, customer):
    other = client.v1.customers.create()
    tax_id = client.v1.customers.tax_ids.create(
        customer.id, {"type": "eu_vat", "value": "DE123456789"}
    )

    card = save_card(client, customer)

    with pytest.raises(stripe.InvalidRequestError) as of_tax_id:
        client.v1.customers.tax_ids.retrieve(other.id, tax_id.id)
    with pytest.raises(stripe.InvalidRequestError) as of_card:
        client.v1.customers.payment_methods.retrieve(other.id, card.id)

    assert of_tax_id.value.http_status == of_card.value.http_status == 404


def test_a_deleted_customer_can_be_read_and_not_used(client, customer):
    client.v1.customers.delete(customer.id)

    assert client.v1.customers.retrieve(customer.id).deleted is True
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, customer=customer.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(customer.id, {"email": "b@example.com"})


def test_a_customer_may_begin_with_a_card(client):
    customer = client.v1.customers.create({"payment_method": "pm_card_visa"})

    assert len(client.v1.payment_methods.list({"customer": customer.id}).data) == 1


def test_default_card_must_belong_to_the_customer(client, customer):
    other = client.v1.customers.create()
    card = save_card(client, other)

    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.update(
            customer.id, {"invoice_settings": {"default_payment_method": card.id}}
        )

    assert caught.value.param == "invoice_settings[default_payment_method]"


def test_cards_are_attached_listed_and_detached(fake, client, customer):
    first, second = save_card(client, customer), save_card(client, customer, "pm_card_mastercard")
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": first.id}}
    )

    listed = client.v1.customers.payment_methods.list(customer.id, {"type": "card"})
    client.v1.payment_methods.detach(first.id)
    left = client.v1.payment_methods.list({"customer": customer.id})
    settings = client.v1.customers.retrieve(customer.id).invoice_settings

    assert [one.card.last4 for one in listed.data] == ["4444", "4242"]
    assert [one.id for one in left.data] == [second.id]
    assert settings.default_payment_method is None
    assert kinds(fake)[-2:] == ["customer.updated", "payment_method.detached"]


def test_a_card_that_is_declined_can_not_be_saved(client, customer):
    with pytest.raises(stripe.CardError) as caught:
        save_card(client, customer, "pm_card_chargeDeclined")

    assert (caught.value.http_status, caught.value.code) == (402, "card_declined")
    assert client.v1.payment_methods.list({"customer": customer.id}).data == []


def test_a_card_belongs_to_one_customer(client, customer):
    card = save_card(client, customer)
    other = client.v1.customers.create()

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_methods.attach(card.id, {"customer": other.id})
    with pytest.raises(stripe.InvalidRequestError):
        pay(client, payment_method=card.id, customer=other.id)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        pay(client, payment_method=card.id)

    assert caught.value.param == "customer"


def test_a_payment_leaves_a_charge_and_a_balance_transaction(fake, client, customer):
    """2.9 % of $10.00 is 29 cents, and 30: a fee of 59."""
    intent = pay(client, customer=customer.id, metadata={"order": "1"}, description="Credit")

    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    assert (intent.status, intent.amount_received) == ("succeeded", 1000)
    assert (charge.paid, charge.amount_captured, charge.metadata.to_dict()) == (
        True,
        1000,
        {"order": "1"},
    )
    assert (charge.balance_transaction.fee, charge.balance_transaction.net) == (59, 941)
    assert kinds(fake) == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    assert client.v1.balance_transactions.list({"source": charge.id}).data[0].type == "charge"


def test_balance_transaction_comes_after_the_payments_event(fake, client):
    pay(client)

    succeeded = fake.events("charge.succeeded")[0]["data"]
    updated = fake.events("charge.updated")[0]["data"]
    assert succeeded["object"]["balance_transaction"] is None
    assert updated["object"]["balance_transaction"].startswith("txn_")
    assert updated["previous_attributes"] == {"balance_transaction": None}


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
def test_a_declined_payment_waits_for_another_card(fake, client, card, code, decline_code):
    with pytest.raises(stripe.CardError) as caught:
        pay(client, payment_method=card)

    error = caught.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (caught.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    intent = client.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.decline_code == decline_code
    assert client.v1.charges.retrieve(error.charge).status == "failed"
    assert kinds(fake)[-2:] == ["charge.failed", "payment_intent.payment_failed"]

    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 2


def test_the_next_payments_are_declined_when_told_to(fake, client, customer):
    card = save_card(client, customer)
    fake.control("decline", decline_code="insufficient_funds")

    with pytest.raises(stripe.CardError, match="insufficient funds"):
        pay(client, payment_method=card.id, customer=customer.id, off_session=True)
    again = pay(client, payment_method=card.id, customer=customer.id, off_session=True)

    assert again.status == "succeeded"


def test_a_saved_card_may_be_declined_later(client, customer):
    card = save_card(client, customer, "pm_card_chargeCustomerFail")

    with pytest.raises(stripe.CardError):
        pay(client, payment_method=card.id, customer=customer.id, off_session=True)

    assert client.v1.payment_methods.retrieve(card.id).customer == customer.id


def test_a_card_that_asks_its_owner_is_refused_when_nobody_is_there(client, customer):
    card = save_card(client, customer, "pm_card_authenticationRequired")

    with pytest.raises(stripe.CardError) as caught:
        pay(client, payment_method=card.id, customer=customer.id, off_session=True)

    assert caught.value.code == "authentication_required"
    assert client.v1.payment_intents.list().data[0].status == "requires_payment_method"


@pytest.mark.parametrize(
    ("agreed", "status"), [(True, "succeeded"), (False, "requires_payment_method")]
)
def test_a_card_asks_its_owner(fake, client, agreed, status):
    intent = pay(
        client,
        payment_method="pm_card_authenticationRequired",
        return_url="https://example.com/back",
    )
    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")

    fake.control(f"payment_intents/{intent.id}/authenticate", agreed=agreed)

    after = client.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.next_action) == (status, None)


def test_an_agreement_at_saving_counts_for_later_payments(fake, client, customer):
    setup = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
        }
    )
    assert setup.status == "requires_action"
    fake.control(f"setup_intents/{setup.id}/authenticate", agreed=True)

    intent = pay(
        client, payment_method=setup.payment_method, customer=customer.id, off_session=True
    )

    assert intent.status == "succeeded"
    assert "setup_intent.succeeded" in kinds(fake)


def test_setup_intents_save_cards_fail_and_are_cancelled(fake, client, customer):
    saved = client.v1.setup_intents.create({"customer": customer.id, "usage": "off_session"})
    saved = client.v1.setup_intents.confirm(saved.id, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.CardError):
        client.v1.setup_intents.create(
            {"customer": customer.id, "payment_method": "pm_card_chargeDeclined", "confirm": True}
        )
    left = client.v1.setup_intents.create({"customer": customer.id})
    left = client.v1.setup_intents.cancel(left.id)

    assert (saved.status, left.status) == ("succeeded", "canceled")
    assert client.v1.payment_methods.retrieve(saved.payment_method).customer == customer.id
    assert len(client.v1.setup_intents.list({"customer": customer.id}).data) == 3
    assert "setup_intent.setup_failed" in kinds(fake)


def test_a_card_used_once_is_saved_when_asked_for(client, customer):
    intent = pay(client, customer=customer.id, setup_future_usage="off_session")

    assert client.v1.payment_methods.retrieve(intent.payment_method).customer == customer.id


def test_intents_change_are_cancelled_and_refuse_what_comes_too_late(fake, client):
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    intent = client.v1.payment_intents.update(intent.id, {"amount": 2000, "metadata": {"a": "1"}})
    with pytest.raises(stripe.InvalidRequestError) as no_card:
        client.v1.payment_intents.confirm(intent.id)
    cancelled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    with pytest.raises(stripe.InvalidRequestError) as late:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    paid = pay(client)
    with pytest.raises(stripe.InvalidRequestError) as paid_already:
        client.v1.payment_intents.cancel(paid.id)

    assert (intent.amount, cancelled.status) == (2000, "canceled")
    assert {no_card.value.code, late.value.code, paid_already.value.code} == {
        "payment_intent_unexpected_state"
    }


def test_refunds_in_parts_up_to_what_was_paid(fake, client):
    intent = pay(client)

    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    partly = client.v1.charges.retrieve(intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as too_much:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 701})
    rest = client.v1.refunds.create({"charge": intent.latest_charge, "metadata": {"why": "left"}})
    wholly = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"charge": intent.latest_charge})

    assert (first.amount, first.status, partly.amount_refunded, partly.refunded) == (
        300,
        "succeeded",
        300,
        False,
    )
    assert "Refund amount ($7.01) is greater than unrefunded amount on charge ($7.00)" in str(
        too_much.value
    )
    assert (rest.amount, wholly.amount_refunded, wholly.refunded) == (700, 1000, True)
    assert [one.amount for one in wholly.refunds.data] == [700, 300]
    assert len(client.raw_request("get", f"/v1/charges/{wholly.id}/refunds").data["data"]) == 2
    assert again.value.code == "charge_already_refunded"
    before = fake.events("charge.refunded")[1]["data"]["previous_attributes"]
    assert before == {"amount_refunded": 300, "refunded": False}
    moved = client.v1.balance_transactions.retrieve(first.balance_transaction)
    assert (moved.amount, moved.net, moved.type) == (-300, -300, "refund")


def test_a_refund_that_fails_later_leaves_the_charge_paid(fake, client):
    intent = pay(client)
    refund = client.v1.refunds.create({"payment_intent": intent.id})

    fake.control(f"refunds/{refund.id}/fail")

    failed = client.v1.refunds.retrieve(refund.id)
    charge = client.v1.charges.retrieve(intent.latest_charge)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert kinds(fake)[-2:] == ["refund.updated", "refund.failed"]


def test_what_was_not_paid_is_not_refunded(client):
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"})

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing:
        client.v1.refunds.create({"amount": 100})

    assert nothing.value.code == "parameter_missing"


@pytest.mark.parametrize(
    ("won", "status", "returned"),
    [(True, "won", ["charge.dispute.funds_reinstated"]), (False, "lost", [])],
)
def test_a_dispute_takes_the_money_and_gives_it_back_only_when_won(
    fake, client, won, status, returned
):
    intent = pay(client)
    dispute = fake.control("disputes", payment_intent=intent.id, reason="fraudulent")
    opened = kinds(fake)[-3:]
    charge = client.v1.charges.retrieve(intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as refund:
        client.v1.refunds.create({"charge": charge.id})

    client.v1.disputes.update(dispute["id"], {"evidence": {"product_description": "Credit"}})
    fake.control(f"disputes/{dispute['id']}/decide", won=won)

    decided = client.v1.disputes.retrieve(dispute["id"])
    assert opened == [
        "charge.updated",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]
    assert (charge.disputed, refund.value.code) == (True, "charge_disputed")
    assert (decided.status, decided.evidence.product_description) == (status, "Credit")
    assert kinds(fake)[-1 - len(returned) :] == [*returned, "charge.dispute.closed"]
    assert sum(one.net for one in decided.balance_transactions) == (0 if won else -2500)
    assert client.v1.disputes.list({"charge": charge.id}).data[0].id == decided.id


def test_a_dispute_can_be_given_up_once(client, fake):
    dispute = fake.control("disputes", payment_intent=pay(client).id, amount=400)

    closed = client.v1.disputes.close(dispute["id"])
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute["id"])

    assert (closed.status, closed.amount) == ("lost", 400)


def test_the_account_says_whose_objects_these_are(client):
    account = client.v1.accounts.retrieve_current()

    assert client.v1.accounts.retrieve(account.id).id == account.id
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.retrieve("acct_gone")
