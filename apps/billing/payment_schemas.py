"""JSON of the payment routes. Dollars are JSON numbers with at most two decimals; the exact cents stand beside them."""

from decimal import Decimal
from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field, StrictBool

Dollars = Annotated[Decimal, Field(gt=0, le=1_000_000, decimal_places=2)]
Address = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class PackageRow(Schema):
    slug: str
    name: str
    price_usd: float
    fee_usd: float
    """On top of the price."""
    amount_usd: float
    """Price and fee: what is charged."""
    amount_cents: int
    credit_usd: float
    """With the bonus."""
    bonus_usd: float


class PackageList(Schema):
    data: list[PackageRow]
    least_usd: float
    """Of an amount of one's own; below it."""
    most_usd: float
    fee_percent: float


class BuyInput(Schema):
    """Either a package or an amount of credit; the fee comes on top."""

    model_config = {"extra": "forbid"}

    package: Annotated[str, Field(max_length=50)] | None = None
    amount_usd: Dollars | None = None
    save_card: StrictBool = False
    """Keep the card for later payments and auto top-up."""


class CheckoutInput(BuyInput):
    success_url: Address | None = None
    """Where the payer comes back to; the gateway's own page when left out."""
    cancel_url: Address | None = None


class PaymentInfo(Schema):
    id: str
    kind: str
    status: str
    package: str | None
    credit_usd: float
    """What it buys, the bonus included."""
    price_usd: float
    fee_usd: float
    amount_usd: float
    """Price and fee: what is charged."""
    amount_cents: int
    refunded_cents: int
    currency: str
    created_at: str
    paid_at: str | None
    problem: str | None


class PaymentBody(Schema):
    data: PaymentInfo


class PaymentList(Schema):
    data: list[PaymentInfo]
    has_more: bool
    next_before: str | None
    """Ask again with this as `before` for the next page."""


class CheckoutInfo(PaymentInfo):
    session_id: str | None
    url: str | None
    """Stripe's page; null once it is over."""


class CheckoutBody(Schema):
    data: CheckoutInfo


class IntentInfo(PaymentInfo):
    intent_id: str | None
    client_secret: str | None
    """For Stripe's own script in the payer's browser; null once it is over."""
    publishable_key: str | None


class IntentBody(Schema):
    data: IntentInfo


class RefundInput(Schema):
    model_config = {"extra": "forbid"}

    payment_id: Id
    amount_usd: Dollars | None = None
    """Of what was charged; all that can be refunded when left out."""
    reason: Annotated[str, Field(max_length=200)] = ""


class RefundInfo(Schema):
    id: str
    payment_id: str
    status: str
    amount_usd: float
    amount_cents: int
    credit_taken_usd: float


class RefundBody(Schema):
    data: RefundInfo


class ReceiptInfo(Schema):
    receipt_url: str | None
    invoice_url: str | None
    invoice_pdf: str | None


class ReceiptBody(Schema):
    data: ReceiptInfo


class CardInfo(Schema):
    id: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int
    is_default: bool


class CardList(Schema):
    data: list[CardInfo]


class CardBody(Schema):
    data: CardInfo


class CardSetupInput(Schema):
    model_config = {"extra": "forbid"}

    success_url: Address | None = None
    """With it the card is typed on Stripe's page; without it the answer has a client secret."""
    cancel_url: Address | None = None


class CardSetupInfo(Schema):
    url: str | None
    client_secret: str | None
    publishable_key: str | None


class CardSetupBody(Schema):
    data: CardSetupInfo


class TaxIdInput(Schema):
    model_config = {"extra": "forbid"}

    type: Annotated[str, Field(pattern=r"^[a-z]{2,3}_[a-z0-9_]{2,20}$")]
    """Stripe's name of it, such as `eu_vat`."""
    value: Annotated[str, Field(min_length=2, max_length=50)]


class TaxIdInfo(Schema):
    id: str
    type: str
    value: str
    verification: str


class TaxIdList(Schema):
    data: list[TaxIdInfo]


class TaxIdBody(Schema):
    data: TaxIdInfo


class DeletedInfo(Schema):
    id: str
    deleted: Literal[True] = True


class DeletedBody(Schema):
    data: DeletedInfo


class AutoTopUpInput(Schema):
    model_config = {"extra": "forbid"}

    is_enabled: StrictBool
    threshold_usd: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2)]
    """Buys when less than so much is available."""
    amount_usd: Dollars
    """Credit that it buys; the fee comes on top."""
    monthly_cap_usd: Dollars | None = None
    """Most that is charged in a calendar month, UTC, fees included; null for no cap."""
    card_id: Id


class AutoTopUpInfo(Schema):
    is_enabled: bool
    threshold_usd: float | None
    amount_usd: float | None
    monthly_cap_usd: float | None
    card_id: str | None
    failures: int
    stopped_because: str | None
    """Why it is off, or waits."""


class AutoTopUpBody(Schema):
    data: AutoTopUpInfo
