"""Saved cards and tax ids. They live at Stripe; what is asked for is looked up there among the organisation's own."""

from dataclasses import dataclass
from typing import Any

from apps.billing.services import auto_top_up, customers
from apps.billing.stripe.client import Json, ask
from apps.common.errors import NotFound

MOST = 100


@dataclass(frozen=True, slots=True)
class Card:
    id: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class TaxId:
    id: str
    type: str
    value: str
    verification: str


@dataclass(frozen=True, slots=True)
class CardSetup:
    """How a card is saved: on Stripe's page, or by the client secret in the customer's own."""

    url: str | None = None
    client_secret: str | None = None


def list_cards(organization_id: int) -> list[Card]:
    """None before the first payment."""
    customer = customers.customer_id_of(organization_id)
    if not customer:
        return []
    default = _default_of(customer)
    page = ask(
        lambda stripe: stripe.v1.payment_methods.list(
            {"customer": customer, "type": "card", "limit": MOST}
        )
    )
    return [_card(row, default) for row in page["data"]]


def require_card(organization_id: int, card_id: str, *, param: str) -> Card:
    """Raises NotFound for a card that is not the organisation's, whoever's it is."""
    for card in list_cards(organization_id):
        if card.id == card_id:
            return card
    raise NotFound("This organisation has no such card.", param=param)


def begin_setup(
    organization_id: int, *, success_url: str | None, cancel_url: str | None
) -> CardSetup:
    """With addresses to come back to: Stripe's page."""
    customer = customers.ensure_customer(organization_id)
    if success_url is None:
        intent = ask(
            lambda stripe: stripe.v1.setup_intents.create(
                {
                    "customer": customer,
                    "usage": "off_session",
                    "payment_method_types": ["card"],
                    "metadata": {"organization": str(organization_id)},
                }
            )
        )
        return CardSetup(client_secret=intent["client_secret"])
    session = ask(
        lambda stripe: stripe.v1.checkout.sessions.create(
            {
                "mode": "setup",
                "customer": customer,
                "payment_method_types": ["card"],
                "success_url": success_url,
                "cancel_url": cancel_url or success_url,
                "metadata": {"organization": str(organization_id)},
            }
        )
    )
    return CardSetup(url=session["url"])


def make_default(organization_id: int, card_id: str) -> Card:
    card = require_card(organization_id, card_id, param="card_id")
    customer = customers.require_customer(organization_id)
    ask(
        lambda stripe: stripe.v1.customers.update(
            customer, {"invoice_settings": {"default_payment_method": card.id}}
        )
    )
    return require_card(organization_id, card_id, param="card_id")


def delete_card(organization_id: int, card_id: str) -> None:
    """An auto top-up that uses it is turned off first."""
    card = require_card(organization_id, card_id, param="card_id")
    auto_top_up.forget_card(organization_id, card.id)
    ask(lambda stripe: stripe.v1.payment_methods.detach(card.id))


def list_tax_ids(organization_id: int) -> list[TaxId]:
    customer = customers.customer_id_of(organization_id)
    if not customer:
        return []
    page = ask(lambda stripe: stripe.v1.customers.tax_ids.list(customer, {"limit": MOST}))
    return [_tax_id(row) for row in page["data"]]


def add_tax_id(organization_id: int, *, kind: str, value: str) -> TaxId:
    """Raises StripeRefused for a kind or number that Stripe does not take."""
    customer = customers.ensure_customer(organization_id)
    params: Any = {"type": kind, "value": value}
    made = ask(lambda stripe: stripe.v1.customers.tax_ids.create(customer, params))
    return _tax_id(made)


def delete_tax_id(organization_id: int, tax_id: str) -> None:
    if tax_id not in {found.id for found in list_tax_ids(organization_id)}:
        raise NotFound("This organisation has no such tax id.", param="tax_id")
    customer = customers.require_customer(organization_id)
    ask(lambda stripe: stripe.v1.customers.tax_ids.delete(customer, tax_id))


def _default_of(customer: str) -> str | None:
    found = ask(lambda stripe: stripe.v1.customers.retrieve(customer))
    default: str | None = (found.get("invoice_settings") or {}).get("default_payment_method")
    return default


def _card(row: Json, default: str | None) -> Card:
    card = row["card"]
    return Card(
        id=row["id"],
        brand=card["brand"],
        last4=card["last4"],
        expires_month=card["exp_month"],
        expires_year=card["exp_year"],
        is_default=row["id"] == default,
    )


def _tax_id(row: Json) -> TaxId:
    verification = row.get("verification") or {}
    return TaxId(row["id"], row["type"], row["value"], verification.get("status") or "unverified")
