"""Invoices of an organisation, and Stripe's portal. They live at Stripe; what is asked for is looked up there among its own."""

import contextlib
import datetime
import re
from dataclasses import dataclass
from typing import Any

from apps.billing.services import customers
from apps.billing.services.subscription_invoices import moment
from apps.billing.stripe.client import Json, ask
from apps.common.errors import NotFound

DRAFT = "draft"
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    description: str
    amount_cents: int
    """Below zero: given back."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """What Stripe charged or wants to charge."""

    id: str
    number: str | None
    status: str
    is_of_subscription: bool
    currency: str
    total_cents: int
    due_cents: int
    paid_cents: int
    created_at: datetime.datetime
    next_attempt_at: datetime.datetime | None
    """When Stripe tries again to charge it."""
    page_url: str | None
    """Where it can be paid while it is open."""
    pdf_url: str | None
    lines: tuple[InvoiceLine, ...]


def list_invoices(
    organization_id: int, *, before: str | None, limit: int
) -> tuple[list[Invoice], bool]:
    """The newest first, and whether there are more. None before the first payment. Raises NotFound for a foreign ``before``."""
    customer = customers.customer_id_of(organization_id)
    if not customer:
        return [], False
    if before is not None:
        find(organization_id, before)
    params: Any = {
        "customer": customer,
        "limit": limit,
        **({"starting_after": before} if before else {}),
    }
    page = ask(lambda stripe: stripe.v1.invoices.list(params))
    return [_invoice(row) for row in page["data"]], page["has_more"]


def find(organization_id: int, invoice_id: str) -> Invoice:
    """Raises NotFound for one that is not the organisation's, whoever's it is."""
    customer = customers.customer_id_of(organization_id)
    found: Json = {}
    # Whatever else was written would be part of an address at Stripe.
    if customer and _ID.fullmatch(invoice_id):
        # One that is foreign and one that is not there are told in the same words.
        with contextlib.suppress(NotFound):
            found = ask(lambda stripe: stripe.v1.invoices.retrieve(invoice_id))
    if not found or found["customer"] != customer:
        raise NotFound("This organisation has no such invoice.", param="invoice_id")
    return _invoice(found)


def open_portal(organization_id: int, *, return_url: str) -> str:
    """The address of Stripe's page for cards, addresses and invoices. Raises NotFound before the first payment."""
    customer = customers.require_customer(organization_id)
    session = ask(
        lambda stripe: stripe.v1.billing_portal.sessions.create(
            {"customer": customer, "return_url": return_url}
        )
    )
    return str(session["url"])


def _invoice(row: Json) -> Invoice:
    retry = row["next_payment_attempt"]
    return Invoice(
        id=row["id"],
        number=row["number"],
        status=row["status"] or DRAFT,
        is_of_subscription=subscription_of(row) is not None,
        currency=row["currency"],
        total_cents=row["total"],
        due_cents=row["amount_remaining"],
        paid_cents=row["amount_paid"],
        created_at=moment(row["created"]),
        next_attempt_at=moment(retry) if retry else None,
        page_url=row["hosted_invoice_url"],
        pdf_url=row["invoice_pdf"],
        lines=tuple(
            InvoiceLine(line["description"] or "", line["amount"]) for line in row["lines"]["data"]
        ),
    )


def subscription_of(invoice: Json) -> str | None:
    """Stripe's id. Before 2025-03-31.basil it stood beside the parent; an endpoint's own version may still tell it so."""
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or {}
    named: str | None = details.get("subscription") or invoice.get("subscription")
    return named
