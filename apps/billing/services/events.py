"""What each kind of webhook changes. One row a kind; the object is the event's, as it was when it happened.

Events come late, twice and out of order: handlers compare what the event says with the order, then ask Stripe how things
stand now and act on that alone.
"""

from collections.abc import Callable

import structlog

from apps.billing.models import Order
from apps.billing.services import checkout, orders, reversals
from apps.billing.services.customers import customer_id_of
from apps.billing.services.orders import problem_of
from apps.billing.stripe.client import Json

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
    if session["mode"] != "payment":
        return
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


def read_intent(intent: Json) -> None:
    order = find_order(intent)
    if order is None:
        if not intent.get("invoice") and intent["status"] == "succeeded":
            _tell_of_stranger(intent)
        return
    if intent["status"] == "succeeded":
        customer = customer_id_of(order.organization_id)
        if problem := problem_of(order, checkout.paid_of(intent), customer_id=customer):
            orders.quarantine(order.pk, problem)
            return
    checkout.apply_intent(order, checkout.read_intent(intent["id"]))


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
