"""Charges and the balance transactions that money in and out leaves behind. Payments make charges; nobody else."""

import copy

from tests.fakes.stripe import cards
from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.reading import Spec, clearable, merged, metadata, text
from tests.fakes.stripe.routing import Route, list_of, one_of_kind
from tests.fakes.stripe.world import Decline, World, nulls

FEE_PER_MILLE = 29
FEE_FIXED = 30
SETTLES_AFTER = 2 * 86_400


def fee_of(amount: int) -> int:
    """2.9 % and 30 cents, rounded half up."""
    return (amount * FEE_PER_MILLE + 500) // 1000 + FEE_FIXED


def move_money(
    world: World, source: Json, *, kind: str, amount: int, fee: int = 0, category: str | None = None
) -> Json:
    """A balance transaction: ``amount`` is signed, the fee comes off it."""
    now = world.now()
    return world.add(
        {
            "id": world.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": now + SETTLES_AFTER,
            "balance_type": "payments",
            "created": now,
            "currency": source["currency"],
            "description": source.get("description"),
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [
                {
                    "amount": fee,
                    "application": None,
                    "currency": source["currency"],
                    "description": "Stripe processing fees",
                    "type": "stripe_fee",
                }
            ]
            if fee
            else [],
            "net": amount - fee,
            "reporting_category": category or kind,
            "source": source["id"],
            "status": "pending",
            "type": kind,
        }
    )


def make(world: World, intent: Json, payment_method: Json, decline: Decline | None) -> Json:
    """The charge of one attempt to pay, succeeded or declined; its event is sent."""
    paid = decline is None
    amount = intent["amount"]
    charge = world.add(
        {
            "id": world.new_id("ch"),
            "object": "charge",
            **nulls("application", "application_fee", "application_fee_amount", "on_behalf_of"),
            **nulls("receipt_number", "review", "shipping", "source", "source_transfer"),
            **nulls("statement_descriptor_suffix", "transfer_data", "transfer_group"),
            "amount": amount,
            "amount_captured": amount if paid else 0,
            "amount_refunded": 0,
            # Filled a moment later, as with Stripe's asynchronous capture: charge.updated says so.
            "balance_transaction": None,
            "billing_details": copy.deepcopy(payment_method["billing_details"]),
            "calculated_statement_descriptor": "GATEWAYZ",
            "captured": paid,
            "created": world.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": cards.message_of(decline) if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "outcome": _outcome(decline),
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": payment_method["id"],
            "payment_method_details": {"card": _card(payment_method, amount), "type": "card"},
            "presentment_details": None,
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_url": None,
            "refunded": False,
            "statement_descriptor": intent["statement_descriptor"],
            "status": "succeeded" if paid else "failed",
        }
    )
    charge["receipt_url"] = f"https://pay.stripe.com/receipts/{charge['id']}" if paid else None
    world.emit("charge.succeeded" if paid else "charge.failed", charge)
    return charge


def settle(world: World, charge: Json) -> None:
    """Give a paid charge its balance transaction, and tell."""
    before = copy.deepcopy(charge)
    moved = move_money(
        world, charge, kind="charge", amount=charge["amount"], fee=fee_of(charge["amount"])
    )
    charge["balance_transaction"] = moved["id"]
    world.emit("charge.updated", charge, before=before)


def _outcome(decline: Decline | None) -> Json:
    if decline is None:
        return {
            **nulls("advice_code", "network_advice_code", "network_decline_code", "reason"),
            "network_status": "approved_by_network",
            "risk_level": "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": "try_again_later",
        **nulls("network_advice_code", "network_decline_code"),
        "network_status": "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card(payment_method: Json, amount: int) -> Json:
    card = payment_method["card"]
    return {
        **nulls("authorization_code", "installments", "mandate", "network_transaction_id"),
        **nulls("three_d_secure", "wallet"),
        "amount_authorized": amount,
        "brand": card["brand"],
        "checks": dict(card["checks"]),
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": {"status": "unavailable"},
        "last4": card["last4"],
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": card["regulated_status"],
    }


UPDATE: Spec = {
    "description": clearable(text),
    "metadata": metadata,
    "receipt_email": clearable(text),
}


def update(world: World, params: Json, identifier: str) -> Json:
    charge = world.get("charge", identifier)
    before = copy.deepcopy(charge)
    if "metadata" in params:
        params["metadata"] = merged(charge["metadata"], params["metadata"])
    charge.update(params)
    world.emit("charge.updated", charge, before=before)
    return charge


ROUTES = (
    list_of("charge", "/v1/charges", "customer", "payment_intent"),
    one_of_kind("charge", "/v1/charges/{id}"),
    Route("POST", "/v1/charges/{id}", update, UPDATE),
    list_of("balance_transaction", "/v1/balance_transactions", "source", "type"),
    one_of_kind("balance_transaction", "/v1/balance_transactions/{id}"),
)
