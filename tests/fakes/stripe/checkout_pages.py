"""The human on Stripe's checkout page: pays with a card, is declined, or pays in a way that takes days.

A decline leaves the session open, with its payment intent waiting for another card.
"""

import copy
from dataclasses import dataclass, field

from tests.fakes.stripe import (
    cards,
    checkout,
    customers,
    invoices,
    paying,
    payment_methods,
    payments,
    setup_intents,
    subscriptions,
)
from tests.fakes.stripe.changes import Wanted
from tests.fakes.stripe.errors import Json, Refused, invalid
from tests.fakes.stripe.invoices import Line
from tests.fakes.stripe.reading import full_address
from tests.fakes.stripe.world import Decline, World


@dataclass(frozen=True, slots=True)
class Typed:
    """What the human typed."""

    card: str = "pm_card_visa"
    email: str = "buyer@example.com"
    name: str = "Bo Buyer"
    country: str = "US"
    tax_ids: list[Json] = field(default_factory=list)
    delayed: bool = False
    """Paid by something that takes days: the session completes unpaid."""


def complete(world: World, session: Json, typed: Typed) -> Refused | None:
    """What the page would say instead of going on; None when the session is complete."""
    if session["status"] != "open":
        raise invalid(f"This session is {session['status']}.")
    if cards.named(typed.card) is None:
        raise invalid(f"No such test card: {typed.card}")
    session["customer_details"] = checkout.details_of(
        address=full_address({"country": typed.country}),
        email=_email(world, session, typed),
        name=typed.name,
        individual_name=None,
        tax_ids=typed.tax_ids,
    )
    finish = {"payment": _pay, "subscription": _subscribe, "setup": _set_up}[session["mode"]]
    return finish(world, session, typed)


def _email(world: World, session: Json, typed: Typed) -> str:
    customer = session["customer"] and world.get("customer", session["customer"])
    known: str | None = (customer or {}).get("email") or session["customer_email"]
    return known or typed.email


def _asked(world: World, session: Json) -> Json:
    params: Json = world.notes[session["id"]]["params"]
    return params


def _ensure_customer(world: World, session: Json, typed: Typed) -> Json:
    if session["customer"] is not None:
        return world.get("customer", session["customer"])
    details = session["customer_details"]
    made = customers.make_customer(
        world,
        {
            "email": details["email"],
            "name": typed.name,
            "address": {"country": typed.country},
            "tax_id_data": typed.tax_ids,
        },
    )
    session["customer"] = made["id"]
    return made


def _pay(world: World, session: Json, typed: Typed) -> Refused | None:
    asked = _asked(world, session)
    data = asked.get("payment_intent_data", {})
    if (
        session["customer_creation"] == "always"
        or "setup_future_usage" in data
        or _invoiced(session)
    ):
        _ensure_customer(world, session, typed)
    if session["amount_total"] == 0:
        _finish(world, session, payment_status="no_payment_required")
        return None
    card = payment_methods.make(
        world,
        str(cards.named(typed.card)),
        {"email": session["customer_details"]["email"], "name": typed.name},
    )
    intent = _intent_of(world, session, data)
    if typed.delayed:
        intent.update(status="processing", payment_method=card["id"])
        world.emit("payment_intent.processing", intent)
        _finish(world, session, payment_status="unpaid")
        return None
    said = cards.what_the_bank_says(world, card["id"], off_session=False)
    if isinstance(said, Decline):
        return payments.decline(world, intent, card, said)
    # The human on the page agrees at once to whatever the bank asks.
    payments.succeed(world, intent, card)
    _finish_paid(world, session)
    return None


def _invoiced(session: Json) -> bool:
    creation = session["invoice_creation"]
    return creation is not None and creation["enabled"]


def _intent_of(world: World, session: Json, data: Json) -> Json:
    if session["payment_intent"] is not None:
        return world.get("payment_intent", session["payment_intent"])
    intent = payments.make(
        world,
        {
            **data,
            "amount": session["amount_total"],
            "currency": session["currency"],
            "customer": session["customer"],
            "payment_method_types": session["payment_method_types"],
        },
    )
    session["payment_intent"] = intent["id"]
    return intent


def _finish(world: World, session: Json, *, payment_status: str) -> None:
    session.update(status="complete", url=None, payment_status=payment_status)
    world.emit("checkout.session.completed", session)


def _finish_paid(world: World, session: Json) -> None:
    if _invoiced(session):
        _make_invoice(world, session)
    _finish(world, session, payment_status="paid")


def _make_invoice(world: World, session: Json) -> None:
    """The invoice of a payment that was made already."""
    customer = world.get("customer", session["customer"])
    now = world.now()
    lines = [
        Line(
            amount=item["amount_total"],
            description=item["description"],
            price=item["price"],
            quantity=item["quantity"],
            start=now,
            end=now,
        )
        for item in checkout.line_items_of(world, session)
    ]
    invoice = invoices.draft(world, customer, lines, currency=session["currency"], reason="manual")
    data = session["invoice_creation"]["invoice_data"]
    invoice.update(
        description=data["description"], footer=data["footer"], metadata=dict(data["metadata"])
    )
    invoices.finalise(world, invoice)
    paying.tie(world, invoice, world.get("payment_intent", session["payment_intent"]))
    paying.settle(world, invoice)
    session["invoice"] = invoice["id"]


def settle_delayed(world: World, session: Json, *, paid: bool) -> None:
    """What took days has arrived, or has not."""
    intent = world.get("payment_intent", session["payment_intent"])
    if intent["status"] != "processing":
        raise invalid("Nothing is under way for this session.")
    card = world.get("payment_method", intent["payment_method"])
    if not paid:
        payments.decline(world, intent, card, Decline("card_declined", "generic_decline"))
        world.emit("checkout.session.async_payment_failed", session)
        return
    payments.succeed(world, intent, card)
    if _invoiced(session):
        _make_invoice(world, session)
    session["payment_status"] = "paid"
    world.emit("checkout.session.async_payment_succeeded", session)


def _subscribe(world: World, session: Json, typed: Typed) -> Refused | None:
    asked = _asked(world, session)
    customer = _ensure_customer(world, session, typed)
    card = payment_methods.make(world, str(cards.named(typed.card)), {"name": typed.name})
    saved = copy.deepcopy(world.tables)
    pending = dict(world.pending)
    try:
        payment_methods.attach_to(world, card, customer["id"])
    except Refused as refused:
        return refused
    world.authenticated.add(card["id"])
    recurring = [
        Wanted(None, item["price"], item["quantity"])
        for item in checkout.line_items_of(world, session)
        if item["price"]["type"] == "recurring"
    ]
    subscription = subscriptions.make(
        world,
        customer,
        recurring,
        {**asked.get("subscription_data", {}), "default_payment_method": card["id"]},
    )
    invoice = subscriptions.bill_first(world, subscription)
    if invoice["status"] == "open":
        refused_payment = paying.collect(world, invoice, off_session=True)
        if refused_payment is not None:
            # The page makes no subscription before it is paid.
            world.tables, world.pending = saved, pending
            return refused_payment
    session.update(subscription=subscription["id"], invoice=invoice["id"])
    due = session["amount_total"] > 0
    _finish(world, session, payment_status="paid" if due else "no_payment_required")
    return None


def _set_up(world: World, session: Json, typed: Typed) -> Refused | None:
    asked = _asked(world, session)
    if session["customer_creation"] == "always":
        _ensure_customer(world, session, typed)
    card = payment_methods.make(world, str(cards.named(typed.card)), {"name": typed.name})
    intent = setup_intents.make(
        world, {**asked.get("setup_intent_data", {}), "customer": session["customer"]}
    )
    try:
        setup_intents.succeed(world, intent, card)
    except Refused as refused:
        return refused
    session["setup_intent"] = intent["id"]
    _finish(world, session, payment_status="no_payment_required")
    return None
