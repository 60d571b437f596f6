"""Invoices are paid with payment intents; an intent that succeeds, however late, settles its invoice."""

from tests.fakes.stripe import invoices, payments, standing
from tests.fakes.stripe.errors import Json, Refused, invalid
from tests.fakes.stripe.reading import Required, Spec, boolean, group, one_of, text
from tests.fakes.stripe.routing import PAGING, Route
from tests.fakes.stripe.world import World, as_list, chosen, nulls, page

DESCRIPTIONS = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
}


def invoice_payments_of(world: World, invoice: str) -> list[Json]:
    return [row for row in world.all("invoice_payment") if row["invoice"] == invoice]


def intent_of(world: World, invoice: Json) -> Json | None:
    rows = invoice_payments_of(world, invoice["id"])
    return world.get("payment_intent", rows[-1]["payment"]["payment_intent"]) if rows else None


def tie(world: World, invoice: Json, intent: Json) -> None:
    """Say that an intent pays for an invoice."""
    world.add(
        {
            "id": world.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "created": world.now(),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {**nulls("canceled_at", "paid_at")},
        }
    )


def prepare(world: World, invoice: Json) -> Json:
    """The intent that will pay an open invoice; the same one at each attempt."""
    known = intent_of(world, invoice)
    if known is not None:
        return known
    made = payments.make(
        world,
        {
            "amount": invoice["amount_due"],
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "description": DESCRIPTIONS.get(invoice["billing_reason"]),
            "setup_future_usage": "off_session" if invoices.subscription_of(invoice) else None,
        },
    )
    tie(world, invoice, made)
    return made


def settle(world: World, invoice: Json) -> None:
    """Mark it paid, and tell everybody whom that concerns."""
    now = world.now()
    invoice.update(
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        attempted=True,
        next_payment_attempt=None,
        status="paid",
    )
    invoice["status_transitions"]["paid_at"] = now
    for row in invoice_payments_of(world, invoice["id"]):
        row.update(amount_paid=row["amount_requested"], status="paid")
        row["status_transitions"]["paid_at"] = now
        world.emit("invoice_payment.paid", row)
    world.emit("invoice.paid", invoice)
    world.emit("invoice.payment_succeeded", invoice)
    subscription = invoices.subscription_of(invoice)
    if subscription is not None:
        standing.after_payment(world, subscription)


def collect(
    world: World, invoice: Json, *, card: str | None = None, off_session: bool = True
) -> Refused | None:
    """Try to pay an open invoice; why it could not be paid, or None. ``card`` None takes the default one."""
    if invoice["amount_due"] == 0:
        settle(world, invoice)
        return None
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    card = card or default_card(world, invoice)
    if card is None:
        refused = invalid(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set one, or pay with one."
        )
        _note_failure(world, invoice, None)
        return refused
    intent = prepare(world, invoice)
    try:
        payments.confirm(world, {"payment_method": card, "off_session": off_session}, intent["id"])
    except Refused as refused:
        _note_failure(world, invoice, intent)
        return refused
    if intent["status"] == "requires_action":
        _note_failure(world, invoice, intent)
        return invalid(
            "This invoice's payment requires an action of the customer.",
            code="invoice_payment_intent_requires_action",
        )
    settle(world, invoice)
    return None


def default_card(world: World, invoice: Json) -> str | None:
    identifier = invoices.subscription_of(invoice)
    if identifier is not None:
        own: str | None = world.get("subscription", identifier)["default_payment_method"]
        if own is not None:
            return own
    customer = world.get("customer", invoice["customer"], param="customer")
    found: str | None = customer["invoice_settings"]["default_payment_method"]
    return found


def _note_failure(world: World, invoice: Json, intent: Json | None) -> None:
    invoice["next_payment_attempt"] = standing.next_attempt(world, invoice)
    if intent is not None and intent["status"] == "requires_action":
        world.emit("invoice.payment_action_required", invoice)
    world.emit("invoice.payment_failed", invoice)
    subscription = invoices.subscription_of(invoice)
    if subscription is not None:
        standing.after_failure(world, subscription, invoice)


def confirm_intent(world: World, params: Json, identifier: str) -> Json:
    intent = payments.confirm(world, params, identifier)
    _settle_invoice_of(world, intent)
    return intent


def authenticate(world: World, identifier: str, *, agreed: bool) -> Json:
    intent = payments.authenticate(world, identifier, agreed=agreed)
    _settle_invoice_of(world, intent)
    return intent


def _settle_invoice_of(world: World, intent: Json) -> None:
    if intent["status"] != "succeeded":
        return
    for row in list(world.all("invoice_payment")):
        if row["payment"]["payment_intent"] == intent["id"]:
            invoice = world.get("invoice", row["invoice"])
            if invoice["status"] == "open":
                _remember_card(world, invoice, intent["payment_method"])
                settle(world, invoice)


def _remember_card(world: World, invoice: Json, card: str) -> None:
    """The card that pays for a new subscription pays for its renewals, too."""
    identifier = invoices.subscription_of(invoice)
    if identifier is None:
        return
    subscription = world.get("subscription", identifier)
    if subscription["payment_settings"]["save_default_payment_method"] == "on_subscription":
        subscription["default_payment_method"] = card


def pay(world: World, params: Json, identifier: str) -> Json:
    invoice = world.get("invoice", identifier)
    if invoice["status"] == "draft":
        invoices.finalise(world, invoice)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] != "open":
        raise invalid(f"This invoice cannot be paid: it is {invoice['status']}.")
    refused = collect(
        world,
        invoice,
        card=params.get("payment_method"),
        off_session=params.get("off_session", True),
    )
    if refused is not None:
        raise refused
    return invoice


def list_invoice_payments(world: World, params: Json) -> Json:
    rows = chosen(world.all("invoice_payment"), params, "invoice", "status")
    if "payment" in params:
        wanted = params["payment"].get("payment_intent")
        rows = [row for row in rows if row["payment"]["payment_intent"] == wanted]
    return page(rows, params, "/v1/invoice_payments")


def included_payments(world: World, invoice: Json) -> Json:
    rows = invoice_payments_of(world, invoice["id"])
    return as_list(rows[::-1], f"/v1/invoice_payments?invoice={invoice['id']}")


def included_secret(world: World, invoice: Json) -> Json | None:
    intent = intent_of(world, invoice)
    return intent and {"client_secret": intent["client_secret"], "type": "payment_intent"}


PAY: Spec = {"payment_method": text, "off_session": boolean}
PAYMENTS: Spec = {
    **PAGING,
    "invoice": text,
    "status": text,
    "payment": group({"type": Required(one_of("payment_intent")), "payment_intent": text}),
}

ROUTES = (
    Route("POST", "/v1/payment_intents/{id}/confirm", confirm_intent, payments.CONFIRM),
    Route("POST", "/v1/invoices/{id}/pay", pay, PAY),
    Route("GET", "/v1/invoice_payments", list_invoice_payments, PAYMENTS),
)
