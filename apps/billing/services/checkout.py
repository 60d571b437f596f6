"""Orders at Stripe: the calls that begin a payment, and what Stripe says of it afterwards.

Every call is made from the order's row alone and carries its id as idempotency key: repeated after a crash it is the
same call. What was lost for longer than Stripe keeps the key is looked up by the order's id.
"""

from typing import Any

from django.conf import settings

from apps.billing.models import Order, OrderKind, OrderStatus
from apps.billing.services import customers, orders
from apps.billing.services.orders import Paid
from apps.billing.stripe.client import Json, ask
from apps.common import clock

MOST_LOOKED_AT = 100


def open_session(order: Order) -> Json:
    """The page at Stripe where the order is paid."""
    customer = customers.ensure_customer(order.organization_id)
    params: Any = {
        "mode": "payment",
        "customer": customer,
        "client_reference_id": order.pk,
        "line_items": _line_items(order),
        "metadata": orders.metadata_of(order),
        "payment_intent_data": {**_described(order), **_future_use(order)},
        "invoice_creation": {"enabled": True},
        "success_url": order.request["success_url"],
        "cancel_url": order.request["cancel_url"],
    }
    session = ask(
        lambda stripe: stripe.v1.checkout.sessions.create(
            params, {"idempotency_key": f"{order.pk}:session"}
        )
    )
    orders.record(order, session_id=session["id"])
    return session


def _future_use(order: Order) -> Json:
    """Keeps the card, when the customer wants that."""
    return {"setup_future_usage": "off_session"} if order.request.get("save_card") else {}


def _line_items(order: Order) -> list[Json]:
    """The fee stands beside the credit, not inside it."""
    items = [("Credit", order.price_cents), ("Top-up fee", order.fee_cents)]
    return [
        {
            "price_data": {
                "currency": order.currency,
                "unit_amount": cents,
                "product_data": {"name": name},
            },
            "quantity": 1,
        }
        for name, cents in items
        if cents
    ]


def open_intent(order: Order) -> Json:
    """A payment that the customer's own page confirms with Stripe."""
    more = {"automatic_payment_methods": {"enabled": True}, **_future_use(order)}
    return _make_intent(order, more)


def charge_saved_card(order: Order) -> Json:
    """Raises PaymentDeclined, and StripeAway when nobody knows whether it was charged."""
    more = {
        "payment_method": order.request["card_id"],
        "payment_method_types": ["card"],
        "confirm": True,
        "off_session": True,
    }
    return _make_intent(order, more)


def _make_intent(order: Order, more: Json) -> Json:
    params: Any = {
        "amount": order.amount_cents,
        "currency": order.currency,
        "customer": customers.ensure_customer(order.organization_id),
        **_described(order),
        **more,
    }
    intent = ask(
        lambda stripe: stripe.v1.payment_intents.create(
            params, {"idempotency_key": f"{order.pk}:intent"}
        )
    )
    orders.record(order, intent_id=intent["id"])
    return intent


def _described(order: Order) -> Json:
    return {
        "metadata": orders.metadata_of(order),
        "description": f"Credit, order {order.pk}",
    }


def read_session(session_id: str) -> Json:
    return ask(lambda stripe: stripe.v1.checkout.sessions.retrieve(session_id))


def read_intent(intent_id: str) -> Json:
    return ask(lambda stripe: stripe.v1.payment_intents.retrieve(intent_id))


def compare(order: Order) -> OrderStatus:
    """Ask Stripe what became of the order, and do what follows. Safe at any time, in any order, any number of times."""
    Order.objects.filter(pk=order.pk).update(checked_at=clock.now())
    if not order.session_id and not order.intent_id:
        _find(order)
    if order.session_id:
        return apply_session(order, read_session(order.session_id))
    if order.intent_id:
        return apply_intent(order, read_intent(order.intent_id))
    return OrderStatus(order.status)


def _find(order: Order) -> None:
    """An order whose first answer was lost: Stripe may know of it."""
    customer = customers.customer_id_of(order.organization_id)
    found: list[Json] = []
    if customer:
        found = list_of(order, customer)
    for one in found:
        if (one.get("metadata") or {}).get("order") == order.pk:
            is_session = one["object"] == "checkout.session"
            orders.record(order, **{"session_id" if is_session else "intent_id": one["id"]})
            return
    if not orders.is_repeatable(order, clock.now()):
        orders.close(order.pk, OrderStatus.FAILED, "Stripe never heard of it")
        order.refresh_from_db()


def list_of(order: Order, customer: str) -> list[Json]:
    """The customer's latest sessions, or intents, whichever the order has."""
    if order.kind == OrderKind.CHECKOUT:
        page = ask(
            lambda stripe: stripe.v1.checkout.sessions.list(
                {"customer": customer, "limit": MOST_LOOKED_AT}
            )
        )
    else:
        page = ask(
            lambda stripe: stripe.v1.payment_intents.list(
                {"customer": customer, "limit": MOST_LOOKED_AT}
            )
        )
    rows: list[Json] = page["data"]
    return rows


def apply_session(order: Order, session: Json) -> OrderStatus:
    """What a checkout session, as Stripe has it now, means for its order."""
    if session["status"] == "expired":
        orders.close(order.pk, OrderStatus.EXPIRED, "Nobody paid in time")
    elif session["status"] == "complete":
        if problem := problem_in_session(order, session):
            return orders.quarantine(order.pk, problem)
        if session["payment_intent"]:
            intent = read_intent(session["payment_intent"])
            return apply_intent(order, intent, is_over=True)
    order.refresh_from_db()
    return OrderStatus(order.status)


def problem_in_session(order: Order, session: Json) -> str:
    """In what the session differs from the order; empty when in nothing."""
    if session["amount_total"] != order.amount_cents:
        return f"{session['amount_total']} cents in the session, {order.amount_cents} ordered"
    if session["currency"] != order.currency:
        return f"{session['currency']} in the session, {order.currency} ordered"
    metadata = session.get("metadata") or {}
    if any(metadata.get(name) != value for name, value in orders.metadata_of(order).items()):
        return "the session names another order or organisation"
    return ""


def apply_intent(order: Order, intent: Json, *, is_over: bool = False) -> OrderStatus:
    """What a payment intent means for its order. ``is_over``: the payer has left, a refused payment is not tried again."""
    match intent["status"]:
        case "succeeded":
            customer = customers.customer_id_of(order.organization_id)
            return orders.settle(order.pk, paid_of(intent), customer_id=customer)
        case "canceled":
            orders.close(order.pk, OrderStatus.EXPIRED, "The payment was cancelled")
        case "requires_payment_method" if is_over or order.kind == OrderKind.AUTO_TOP_UP:
            orders.close(order.pk, OrderStatus.FAILED, "The payment was refused")
        case _ if clock.now() > order.created_at + settings.ORDER_EXPIRES_AFTER and not is_over:
            _cancel(order, intent)
    order.refresh_from_db()
    return OrderStatus(order.status)


def _cancel(order: Order, intent: Json) -> None:
    """Nobody has confirmed it for days."""
    if intent["status"] == "processing":
        return
    ask(lambda stripe: stripe.v1.payment_intents.cancel(intent["id"]))
    orders.close(order.pk, OrderStatus.EXPIRED, "Nobody paid in time")


def paid_of(intent: Json) -> Paid:
    return Paid(
        intent_id=intent["id"],
        amount_cents=intent["amount_received"],
        currency=intent["currency"],
        customer_id=intent["customer"],
        metadata=intent.get("metadata") or {},
    )
