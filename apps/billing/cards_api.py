"""Saved cards, tax ids and auto top-up: /api/stripe/cards, tax-ids, auto-top-up."""

from dataclasses import asdict
from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from apps.billing.models import AutoTopUp
from apps.billing.payment_schemas import (
    AutoTopUpBody,
    AutoTopUpInfo,
    AutoTopUpInput,
    CardBody,
    CardInfo,
    CardList,
    CardSetupBody,
    CardSetupInfo,
    CardSetupInput,
    DeletedBody,
    DeletedInfo,
    TaxIdBody,
    TaxIdInfo,
    TaxIdInput,
    TaxIdList,
)
from apps.billing.payments_api import buyer_of, usd
from apps.billing.services import auto_top_up, cards
from apps.billing.services.orders import NANO_PER_CENT, require_amount
from apps.billing.stripe.client import StripeRefused
from apps.common.errors import InvalidRequest
from apps.common.money import format_usd, nano_to_usd, usd_to_nano

router = Router(tags=["Payments"])


@router.get("/cards", response=CardList, summary="Saved cards")
def list_cards(request: HttpRequest) -> CardList:
    found = cards.list_cards(buyer_of(request).organization_id)
    return CardList(data=[CardInfo(**asdict(card)) for card in found])


@router.post("/cards", response=CardSetupBody, summary="Save a card")
def save_card(request: HttpRequest, asked: CardSetupInput) -> CardSetupBody:
    """The card itself goes to Stripe and never through here."""
    setup = cards.begin_setup(
        buyer_of(request).organization_id,
        success_url=asked.success_url,
        cancel_url=asked.cancel_url,
    )
    return CardSetupBody(
        data=CardSetupInfo(
            url=setup.url,
            client_secret=setup.client_secret,
            publishable_key=settings.STRIPE_PUBLISHABLE_KEY or None,
        )
    )


@router.post("/cards/{card_id}/default", response=CardBody, summary="Make a card the usual one")
def make_card_default(request: HttpRequest, card_id: str) -> CardBody:
    card = cards.make_default(buyer_of(request).organization_id, card_id)
    return CardBody(data=CardInfo(**asdict(card)))


@router.delete("/cards/{card_id}", response=DeletedBody, summary="Forget a card")
def delete_card(request: HttpRequest, card_id: str) -> DeletedBody:
    """An auto top-up that uses it is turned off."""
    cards.delete_card(buyer_of(request).organization_id, card_id)
    return DeletedBody(data=DeletedInfo(id=card_id))


@router.get("/tax-ids", response=TaxIdList, summary="Tax ids that stand on invoices")
def list_tax_ids(request: HttpRequest) -> TaxIdList:
    found = cards.list_tax_ids(buyer_of(request).organization_id)
    return TaxIdList(data=[TaxIdInfo(**asdict(tax_id)) for tax_id in found])


@router.post("/tax-ids", response=TaxIdBody, summary="Add a tax id")
def add_tax_id(request: HttpRequest, asked: TaxIdInput) -> TaxIdBody:
    owner = buyer_of(request).organization_id
    try:
        tax_id = cards.add_tax_id(owner, kind=asked.type, value=asked.value)
    except StripeRefused as error:
        raise InvalidRequest(
            "'value' is no number of this type, or the type is not known.",
            param="value",
            code="invalid_value",
        ) from error
    return TaxIdBody(data=TaxIdInfo(**asdict(tax_id)))


@router.delete("/tax-ids/{tax_id}", response=DeletedBody, summary="Remove a tax id")
def delete_tax_id(request: HttpRequest, tax_id: str) -> DeletedBody:
    cards.delete_tax_id(buyer_of(request).organization_id, tax_id)
    return DeletedBody(data=DeletedInfo(id=tax_id))


@router.get("/auto-top-up", response=AutoTopUpBody, summary="Whether credit is bought by itself")
def read_auto_top_up(request: HttpRequest) -> AutoTopUpBody:
    owner = buyer_of(request).organization_id
    return AutoTopUpBody(data=_present(auto_top_up.settings_of(owner)))


@router.put("/auto-top-up", response=AutoTopUpBody, summary="Buy credit when little is left")
def change_auto_top_up(request: HttpRequest, asked: AutoTopUpInput) -> AutoTopUpBody:
    """Charges a saved card. After three refusals in a row it turns itself off; saving it again starts anew."""
    owner = buyer_of(request).organization_id
    price = cents_of(asked.amount_usd)
    require_amount(price, param="amount_usd")
    cards.require_card(owner, asked.card_id, param="card_id")
    cap = None if asked.monthly_cap_usd is None else cents_of(asked.monthly_cap_usd)
    charge = auto_top_up.wanted_by(price).amount_cents
    if cap is not None and cap < charge:
        raise InvalidRequest(
            f"One charge is {format_usd(charge * NANO_PER_CENT)}, more than this cap: it would never buy.",
            param="monthly_cap_usd",
            code="invalid_value",
        )
    row = auto_top_up.save_settings(
        owner,
        is_enabled=asked.is_enabled,
        threshold=usd_to_nano(asked.threshold_usd),
        price_cents=price,
        monthly_cap_cents=cap,
        card_id=asked.card_id,
    )
    return AutoTopUpBody(data=_present(row))


def cents_of(amount: Decimal) -> int:
    """Of dollars with at most two decimals."""
    return int(amount * 100)


def _present(row: AutoTopUp | None) -> AutoTopUpInfo:
    if row is None:
        return AutoTopUpInfo(
            is_enabled=False,
            threshold_usd=None,
            amount_usd=None,
            monthly_cap_usd=None,
            card_id=None,
            failures=0,
            stopped_because=None,
        )
    cap = row.monthly_cap_cents
    return AutoTopUpInfo(
        is_enabled=row.is_enabled,
        threshold_usd=nano_to_usd(row.threshold),
        amount_usd=usd(row.price_cents),
        monthly_cap_usd=None if cap is None else usd(cap),
        card_id=row.card_id,
        failures=row.failures,
        stopped_because=row.stopped_because or None,
    )
