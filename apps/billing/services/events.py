"""What each kind of webhook changes. One row a kind; the object is the event's, as it was when it happened.

Events come late, twice and out of order: handlers compare what the event says with the order, then ask Stripe how things
stand now and act on that alone.
"""

from collections.abc import Callable

import structlog

from apps.billing.models import Order, Subscription
from apps.billing.services import (
    checkout,
    invoices,
    orders,
    reversals,
    subscription_checkout,
    subscriptions,
)
from apps.billing.services.customers import customer_id_of
from apps.billing.services.orders import problem_of
from apps.billing.stripe.client import Json, ask

log = structlog.get_logger(__name__)

Handler = Callable[[Json], None]


def find_order(found: Json) -> Order | None:
    """The order of a session or an intent: by what it says, else by its id."""
    named = (found.get("metadata") or {}).get("order") or found.get("client_reference_id") or ""
    order = Order.objects.filter(pk=named).first()
    if order is None and found["object"] == "checkout.session":
        return Order.objects.filter(session_id=found["id"]).first()
    if order is None:
        return Order.objects.filter(intent_id=found["id"]).first()
    return order


def read_checkout(session: Json) -> None:
    if session["mode"] == "subscription":
        _read_subscription_page(session)
    elif session["mode"] == "payment":
        _read_payment_page(session)


def _read_payment_page(session: Json) -> None:
    order = find_order(session)
    if order is None:
        _tell_of_stranger(session)
    elif session["status"] == "complete" and (
        problem := checkout.problem_in_session(order, session)
    ):
        orders.quarantine(order.pk, problem)
    else:
        if not order.session_id:
            orders.record(order, session_id=session["id"])
        checkout.apply_session(order, checkout.read_session(session["id"]))


def _read_subscription_page(session: Json) -> None:
    row = find_subscription(session)
    if row is None:
        _tell_of_stranger(session)
        return
    if not row.session_id:
        subscription_checkout.record_page(row, session["id"])
    subscription_checkout.compare(row)


def find_subscription(found: Json) -> Subscription | None:
    """That of a page, or of a subscription at Stripe: by its id, else by what it says."""
    name = "session_id" if found["object"] == "checkout.session" else "stripe_id"
    row = Subscription.objects.filter(**{name: found["id"]}).first()
    named = (found.get("metadata") or {}).get("subscription") or ""
    return row or Subscription.objects.filter(pk=named, **{name: None}).first()


def read_subscription(found: Json) -> None:
    _compare_subscription(found["id"])


def read_invoice(invoice: Json) -> None:
    if stripe_id := invoices.subscription_of(invoice):
        _compare_subscription(stripe_id)


def _compare_subscription(stripe_id: str) -> None:
    """It may be told of before its page is."""
    row = Subscription.objects.filter(stripe_id=stripe_id).first()
    if row is None:
        found = subscriptions.read(stripe_id)
        row = find_subscription(found)
        if row is None:
            _tell_of_stranger(found)
            return
        subscription_checkout.bind(row, stripe_id)
    subscriptions.compare(row)


def read_intent(intent: Json) -> None:
    order = find_order(intent)
    if order is None:
        if intent["status"] == "succeeded" and not _pays_an_invoice(intent):
            _tell_of_stranger(intent)
        return
    if intent["status"] == "succeeded":
        customer = customer_id_of(order.organization_id)
        if problem := problem_of(order, checkout.paid_of(intent), customer_id=customer):
            orders.quarantine(order.pk, problem)
            return
    checkout.apply_intent(order, checkout.read_intent(intent["id"]))


def _pays_an_invoice(intent: Json) -> bool:
    """Of that the invoice's own events tell. Since 2025-03-31.basil an intent does not name it."""
    page = ask(
        lambda stripe: stripe.v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent["id"]}, "limit": 1}
        )
    )
    return bool(page["data"])


def read_charge(charge: Json) -> None:
    """``charge.refunded`` names no refund: all of the charge's are looked at."""
    reversals.read_refunds_of(charge["id"])


def read_refund(refund: Json) -> None:
    reversals.read_refund(refund["id"])


def read_dispute(dispute: Json) -> None:
    reversals.read_dispute(dispute["id"])


def _tell_of_stranger(found: Json) -> None:
    """Money that nobody here asked for: nothing is credited, somebody must look."""
    log.error("payments.without_order", object=found["object"], id=found["id"])


HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": read_checkout,
    "checkout.session.async_payment_succeeded": read_checkout,
    "checkout.session.async_payment_failed": read_checkout,
    "checkout.session.expired": read_checkout,
    "customer.subscription.created": read_subscription,
    "customer.subscription.updated": read_subscription,
    "customer.subscription.deleted": read_subscription,
    "customer.subscription.paused": read_subscription,
    "customer.subscription.resumed": read_subscription,
    "invoice.created": read_invoice,
    "invoice.paid": read_invoice,
    "invoice.payment_failed": read_invoice,
    "invoice.payment_action_required": read_invoice,
    "invoice.voided": read_invoice,
    "invoice.marked_uncollectible": read_invoice,
    "payment_intent.succeeded": read_intent,
    "payment_intent.payment_failed": read_intent,
    "payment_intent.canceled": read_intent,
    "charge.refunded": read_charge,
    "refund.created": read_refund,
    "refund.updated": read_refund,
    "refund.failed": read_refund,
    "charge.dispute.created": read_dispute,
    "charge.dispute.updated": read_dispute,
    "charge.dispute.closed": read_dispute,
    "charge.dispute.funds_withdrawn": read_dispute,
    "charge.dispute.funds_reinstated": read_dispute,
}
