"""Orders as their organisation sees them: found among its own, whatever id is asked for."""

from collections.abc import Sequence

from django.db.models import Q

from apps.billing.models import CreditPackage, Order, OrderKind, OrderStatus
from apps.billing.services import checkout
from apps.billing.stripe.client import Json, ask
from apps.common.errors import NotFound


def offered_packages() -> list[CreditPackage]:
    return list(CreditPackage.objects.filter(is_active=True))


def find(organization_id: int, name: str, *, kind: OrderKind | None = None) -> Order:
    """By our id or Stripe's. Raises NotFound, for what belongs to others too."""
    mine = Order.objects.select_related("package").filter(organization_id=organization_id)
    if kind is not None:
        mine = mine.filter(kind=kind)
    order = mine.filter(Q(pk=name) | Q(session_id=name) | Q(intent_id=name)).first()
    if order is None:
        raise NotFound("This organisation has no such payment.", param="payment_id")
    return order


def read_page(
    organization_id: int, *, before: str | None, limit: int
) -> tuple[Sequence[Order], bool]:
    """The newest first, and whether there are more. Ids sort by time."""
    found = Order.objects.select_related("package").filter(organization_id=organization_id)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found.order_by("-pk")[: limit + 1])
    return rows[:limit], len(rows) > limit


def receipt_of(order: Order) -> tuple[str | None, str | None, str | None]:
    """Addresses at Stripe: receipt, invoice, invoice as PDF; None for what there is not."""
    if order.status != OrderStatus.PAID or not order.intent_id:
        raise NotFound("There is no receipt before the payment is paid.", param="payment_id")
    intent_id = order.intent_id
    intent = ask(
        lambda stripe: stripe.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    )
    charge: Json = intent["latest_charge"] or {}
    invoice: Json = {}
    if order.session_id:
        session = checkout.read_session(order.session_id)
        if named := session.get("invoice"):
            invoice = ask(lambda stripe: stripe.v1.invoices.retrieve(named))
    return charge.get("receipt_url"), invoice.get("hosted_invoice_url"), invoice.get("invoice_pdf")
