"""Invoices: lines, totals, a customer's credit, numbers. Paying them is in paying.py."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.stripe.customers import tax_ids_of
from tests.fakes.stripe.errors import Json, invalid
from tests.fakes.stripe.reading import Spec, boolean, clearable, merged, metadata, text
from tests.fakes.stripe.routing import PAGING, Route, list_of, one_of_kind
from tests.fakes.stripe.world import World, as_list, chosen, nulls, page, within

COUNTRY = "US"
ACCOUNT = "Gatewayz"


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says; ``item`` is the subscription item it is for, if any."""

    amount: int
    description: str
    price: Json
    quantity: int
    start: int
    end: int
    item: str | None = None
    proration: bool = False
    invoice_item: str | None = None


def build(
    world: World,
    customer: Json,
    lines: Sequence[Line],
    *,
    identifier: str,
    currency: str,
    reason: str,
    subscription: Json | None = None,
) -> Json:
    """A draft that is nobody's yet: the store and the preview both begin with it."""
    now = world.now()
    total = sum(line.amount for line in lines)
    starts = [line.start for line in lines if not line.proration] or [now]
    address = customer["address"]
    return {
        "id": identifier,
        "object": "invoice",
        **nulls("account_tax_ids", "amount_paid_off_stripe", "application", "custom_fields"),
        **nulls("customer_account", "customer_shipping", "default_payment_method"),
        **nulls("default_source", "description", "due_date", "footer", "from_invoice"),
        **nulls("last_finalization_error", "latest_revision", "next_payment_attempt", "number"),
        **nulls("on_behalf_of", "receipt_number", "rendering", "shipping_cost"),
        **nulls("shipping_details", "statement_descriptor", "test_clock", "webhooks_delivered_at"),
        **nulls("automatically_finalizes_at", "effective_at", "hosted_invoice_url", "invoice_pdf"),
        "account_country": COUNTRY,
        "account_name": ACCOUNT,
        "amount_due": max(total, 0),
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": max(total, 0),
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "enabled": False,
            **nulls("disabled_reason", "liability", "provider", "status"),
        },
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "customer": customer["id"],
        "customer_address": copy.deepcopy(address),
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [
            {"type": tax_id["type"], "value": tax_id["value"]}
            for tax_id in tax_ids_of(world, customer["id"])
        ],
        "default_tax_rates": [],
        "discounts": [],
        "ending_balance": None,
        "issuer": {"type": "self"},
        "lines": as_list(
            [_line(world, line, identifier, currency, subscription) for line in lines],
            f"/v1/invoices/{identifier}/lines",
        ),
        "livemode": False,
        "metadata": {},
        "parent": subscription
        and {
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            **nulls("default_mandate", "payment_method_options", "payment_method_types")
        },
        # Of the period that has ended: for a renewal the one before that of its lines.
        "period_end": now,
        "period_start": min(*starts, now),
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {
            **nulls("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
        },
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def _line(world: World, line: Line, invoice: str, currency: str, subscription: Json | None) -> Json:
    proration_details = {"credited_items": None}
    parent: Json | None = None
    if line.item is not None and subscription is not None:
        parent = {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": line.invoice_item,
                "proration": line.proration,
                "proration_details": proration_details,
                "subscription": subscription["id"],
                "subscription_item": line.item,
            },
            "type": "subscription_item_details",
        }
    elif line.invoice_item is not None:
        parent = {
            "invoice_item_details": {
                "invoice_item": line.invoice_item,
                "proration": line.proration,
                "proration_details": proration_details,
                "subscription": subscription and subscription["id"],
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    return {
        "id": world.new_id("il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": currency,
        "description": line.description,
        "discount_amounts": [],
        "discountable": not line.proration,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": dict(subscription["metadata"]) if subscription else {},
        "parent": parent,
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": line.price["id"], "product": line.price["product"]},
            "type": "price_details",
            "unit_amount_decimal": line.price["unit_amount_decimal"],
        },
        "quantity": line.quantity,
        "quantity_decimal": str(line.quantity),
        "subscription": subscription and subscription["id"],
        "subtotal": line.amount,
        "taxes": [],
    }


def draft(
    world: World,
    customer: Json,
    lines: Sequence[Line],
    *,
    currency: str,
    reason: str,
    subscription: Json | None = None,
) -> Json:
    """A stored draft. The pending invoice items among its lines belong to it from now on."""
    invoice = world.add(
        build(
            world,
            customer,
            lines,
            identifier=world.new_id("in"),
            currency=currency,
            reason=reason,
            subscription=subscription,
        )
    )
    for line in lines:
        if line.invoice_item is not None:
            world.get("invoiceitem", line.invoice_item)["invoice"] = invoice["id"]
    if customer["currency"] is None:
        customer["currency"] = currency
    world.emit("invoice.created", invoice)
    return invoice


def apply_credit(invoice: Json, balance: int) -> int:
    """Put a customer's balance (negative: credit) into the amount due; the balance that is left."""
    total: int = invoice["total"]
    due = max(total + balance, 0)
    left = min(total + balance, 0)
    invoice.update(
        amount_due=due, amount_remaining=due, starting_balance=balance, ending_balance=left
    )
    return left


def finalise(world: World, invoice: Json) -> Json:
    """Give it a number and a page. A total below zero becomes the customer's credit."""
    if invoice["status"] != "draft":
        raise invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    customer = world.get("customer", invoice["customer"])
    before = copy.deepcopy(customer)
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    customer["balance"] = apply_credit(invoice, customer["balance"])
    address = f"https://invoice.stripe.com/i/acct_fake/{invoice['id']}"
    invoice.update(
        effective_at=world.now(),
        hosted_invoice_url=address,
        invoice_pdf=f"{address}/pdf",
        number=number,
        status="open",
        automatically_finalizes_at=None,
    )
    invoice["status_transitions"]["finalized_at"] = world.now()
    if customer["balance"] != before["balance"]:
        world.emit("customer.updated", customer, before=before)
    world.emit("invoice.finalized", invoice)
    return invoice


def add_pending(world: World, subscription: Json, line: Line, *, currency: str) -> Json:
    """An amount that waits for the subscription's next invoice."""
    item = world.add(
        {
            "id": world.new_id("ii"),
            "object": "invoiceitem",
            **nulls("customer_account", "invoice", "test_clock"),
            "amount": line.amount,
            "currency": currency,
            "customer": subscription["customer"],
            "date": world.now(),
            "description": line.description,
            "discountable": False,
            "discounts": [],
            "livemode": False,
            "metadata": {},
            "net_amount": line.amount,
            "parent": {
                "subscription_details": {
                    "subscription": subscription["id"],
                    "subscription_item": line.item,
                },
                "type": "subscription_details",
            },
            "period": {"end": line.end, "start": line.start},
            "pricing": {
                "price_details": {"price": line.price["id"], "product": line.price["product"]},
                "type": "price_details",
                "unit_amount_decimal": line.price["unit_amount_decimal"],
            },
            "proration": line.proration,
            "proration_details": {"discount_amounts": []},
            "quantity": line.quantity,
            "quantity_decimal": str(line.quantity),
            "tax_rates": [],
        }
    )
    world.emit("invoiceitem.created", item)
    return item


def pending_lines(world: World, subscription: Json) -> list[Line]:
    return [
        Line(
            amount=item["amount"],
            description=item["description"],
            price=world.get("price", item["pricing"]["price_details"]["price"]),
            quantity=item["quantity"],
            start=item["period"]["start"],
            end=item["period"]["end"],
            item=item["parent"]["subscription_details"]["subscription_item"],
            proration=item["proration"],
            invoice_item=item["id"],
        )
        for item in world.all("invoiceitem")
        if item["invoice"] is None
        and item["parent"]["subscription_details"]["subscription"] == subscription["id"]
    ]


def subscription_of(invoice: Json) -> str | None:
    parent = invoice["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def list_invoices(world: World, params: Json) -> Json:
    rows = within(chosen(world.all("invoice"), params, "customer", "status"), params)
    wanted = params.get("subscription")
    return page(
        [row for row in rows if wanted is None or subscription_of(row) == wanted],
        params,
        "/v1/invoices",
    )


def list_lines(world: World, params: Json, identifier: str) -> Json:
    rows = world.get("invoice", identifier)["lines"]["data"]
    return page(rows[::-1], params, f"/v1/invoices/{identifier}/lines")


def update(world: World, params: Json, identifier: str) -> Json:
    invoice = world.get("invoice", identifier)
    before = copy.deepcopy(invoice)
    if "metadata" in params:
        params["metadata"] = merged(invoice["metadata"], params["metadata"])
    invoice.update(params)
    world.emit("invoice.updated", invoice, before=before)
    return invoice


def finalise_named(world: World, params: Json, identifier: str) -> Json:
    world.get("invoice", identifier).update(params)
    return finalise(world, world.get("invoice", identifier))


def void(world: World, params: Json, identifier: str) -> Json:
    invoice = world.get("invoice", identifier)
    if invoice["status"] != "open":
        raise invalid(
            f"You can only pass in open invoices. This invoice isn't open ({invoice['status']})."
        )
    invoice.update(status="void", next_payment_attempt=None)
    invoice["status_transitions"]["voided_at"] = world.now()
    world.emit("invoice.voided", invoice)
    return invoice


UPDATE: Spec = {"metadata": metadata, "description": clearable(text), "footer": clearable(text)}

ROUTES = (
    Route(
        "GET",
        "/v1/invoices",
        list_invoices,
        {**PAGING, "customer": text, "status": text, "subscription": text},
    ),
    list_of("invoiceitem", "/v1/invoiceitems", "customer", "invoice"),
    one_of_kind("invoiceitem", "/v1/invoiceitems/{id}"),
    one_of_kind("invoice", "/v1/invoices/{id}"),
    Route("POST", "/v1/invoices/{id}", update, UPDATE),
    Route("GET", "/v1/invoices/{id}/lines", list_lines, PAGING),
    Route("POST", "/v1/invoices/{id}/finalize", finalise_named, {"auto_advance": boolean}),
    Route("POST", "/v1/invoices/{id}/void", void),
)
