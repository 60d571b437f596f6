"""JSON of subscriptions and invoices. The exact cents and nano-dollars stand beside the dollars."""

import datetime
from typing import Annotated

from ninja import Schema
from pydantic import AwareDatetime, Field, StrictBool

from apps.billing.payment_schemas import Address

PlanName = Annotated[str, Field(min_length=1, max_length=50)]


class SubscribeInput(Schema):
    model_config = {"extra": "forbid"}

    plan: PlanName
    """One of `/v1/subscription/plans`."""
    success_url: Address | None = None
    """Where the payer comes back to; the gateway's own page when left out."""
    cancel_url: Address | None = None


class SubscriptionInfo(Schema):
    id: str
    status: str
    plan: str
    """In force."""
    price_usd: float
    """A month."""
    price_cents: int
    allowance_usd: float
    """That comes with each month."""
    allowance_nano_usd: int
    period_start: str | None
    period_end: str | None
    cancel_at_period_end: bool
    next_plan: str | None
    """From the next period on; null: the same."""
    next_price_cents: int | None
    created_at: str
    ended_at: str | None
    problem: str | None


class SubscriptionBody(Schema):
    data: SubscriptionInfo


class MaybeSubscriptionBody(Schema):
    data: SubscriptionInfo | None


class SubscriptionPageInfo(SubscriptionInfo):
    session_id: str | None
    url: str | None
    """Stripe's page; null once it is over."""


class SubscriptionPageBody(Schema):
    data: SubscriptionPageInfo


class PlanInput(Schema):
    model_config = {"extra": "forbid"}

    plan: PlanName


class UpgradeInput(PlanInput):
    prorated_at: AwareDatetime | None = None
    """Of a preview of the last hour: then exactly what it said is charged."""


class UpgradePreview(Schema):
    plan: str
    due_usd: float
    """Charged at once: the difference for the rest of the period."""
    due_cents: int
    allowance_usd: float
    """Given at once: the difference of the allowances for the rest of the period."""
    allowance_nano_usd: int
    prorated_at: datetime.datetime
    period_end: str
    price_usd: float
    """A month, from the next period on."""
    price_cents: int


class UpgradePreviewBody(Schema):
    data: UpgradePreview


class CancelInput(Schema):
    model_config = {"extra": "forbid"}

    at_period_end: StrictBool = True
    """False: now. Money does not go back either way, and what is left of the allowance stays until the period ends."""


class PortalInput(Schema):
    model_config = {"extra": "forbid"}

    return_url: Address | None = None


class PortalInfo(Schema):
    url: str


class PortalBody(Schema):
    data: PortalInfo


class InvoiceLineInfo(Schema):
    description: str
    amount_cents: int


class InvoiceInfo(Schema):
    id: str
    number: str | None
    status: str
    is_of_subscription: bool
    currency: str
    total_usd: float
    total_cents: int
    due_cents: int
    """Of it that is not paid."""
    paid_cents: int
    created_at: str
    next_attempt_at: str | None
    """When it is charged again."""
    page_url: str | None
    """Where it is shown, and paid while it is open."""
    pdf_url: str | None
    lines: list[InvoiceLineInfo]


class InvoiceBody(Schema):
    data: InvoiceInfo


class InvoiceList(Schema):
    data: list[InvoiceInfo]
    has_more: bool
    next_before: str | None
    """Ask again with this as `before` for the next page."""
