"""Plans paid by the month: /api/stripe/subscription-checkout, subscription and what changes it, invoices, portal-session.

Everything is looked up among the organisation's own: what belongs to others is not found.
"""

from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from apps.billing.models import WAITING, Subscription, SubscriptionStatus
from apps.billing.payments_api import buyer_of, idempotency_key_of, usd
from apps.billing.services import (
    checkout,
    invoices,
    subscription_changes,
    subscription_checkout,
    subscriptions,
)
from apps.billing.services.invoices import Invoice
from apps.billing.stripe.client import Json
from apps.billing.subscription_schemas import (
    CancelInput,
    InvoiceBody,
    InvoiceInfo,
    InvoiceLineInfo,
    InvoiceList,
    MaybeSubscriptionBody,
    PlanInput,
    PortalBody,
    PortalInfo,
    PortalInput,
    SubscribeInput,
    SubscriptionBody,
    SubscriptionInfo,
    SubscriptionPageBody,
    SubscriptionPageInfo,
    UpgradeInput,
    UpgradePreview,
    UpgradePreviewBody,
)
from apps.common.db import to_iso
from apps.common.money import nano_to_usd

router = Router(tags=["Subscriptions"])


@router.post(
    "/subscription-checkout", response=SubscriptionPageBody, summary="Subscribe on Stripe's page"
)
def subscribe(request: HttpRequest, asked: SubscribeInput) -> SubscriptionPageBody:
    """With an `Idempotency-Key` the same page is answered again. A page that was open before is closed."""
    buyer = buyer_of(request)
    home = request.build_absolute_uri("/")
    row = subscription_checkout.begin(
        buyer.organization_id,
        plan=asked.plan,
        request={
            "success_url": asked.success_url or home,
            "cancel_url": asked.cancel_url or asked.success_url or home,
        },
        api_key_id=buyer.id,
        idempotency_key=idempotency_key_of(request),
    )
    session = None
    if row.status == SubscriptionStatus.CREATED:
        session = subscription_checkout.open_page(row)
    return SubscriptionPageBody(data=_page(row, session))


@router.get(
    "/subscription-checkout/{subscription_id}",
    response=SubscriptionPageBody,
    summary="What became of a page",
)
def read_subscription_page(request: HttpRequest, subscription_id: str) -> SubscriptionPageBody:
    """Asks Stripe while it is open, so that a payer who comes back sees the plan at once. Takes its id or the page's."""
    row = subscriptions.find(buyer_of(request).organization_id, subscription_id)
    if row.status in WAITING:
        row = subscription_checkout.compare(row)
    return SubscriptionPageBody(data=_page(row, None))


@router.get("/subscription", response=MaybeSubscriptionBody, summary="Your subscription")
def read_subscription(request: HttpRequest) -> MaybeSubscriptionBody:
    """The live one, else the latest; null when there never was one."""
    row = subscriptions.current(buyer_of(request).organization_id)
    return MaybeSubscriptionBody(data=None if row is None else SubscriptionInfo(**_fields(row)))


@router.post(
    "/subscription/preview", response=UpgradePreviewBody, summary="What an upgrade costs now"
)
def preview_upgrade(request: HttpRequest, asked: PlanInput) -> UpgradePreviewBody:
    """Nothing changes. Sent with `prorated_at`, the upgrade charges exactly this for an hour."""
    preview = subscription_changes.preview_upgrade(_live(request), asked.plan)
    return UpgradePreviewBody(
        data=UpgradePreview(
            plan=preview.price.plan_id,
            due_usd=usd(preview.due_cents),
            due_cents=preview.due_cents,
            allowance_usd=nano_to_usd(preview.allowance),
            allowance_nano_usd=preview.allowance,
            prorated_at=preview.prorated_at,
            period_end=to_iso(preview.period_end) or "",
            price_usd=usd(preview.price.price_cents),
            price_cents=preview.price.price_cents,
        )
    )


@router.post("/subscription/upgrade", response=SubscriptionBody, summary="To a dearer plan, now")
def upgrade_subscription(request: HttpRequest, asked: UpgradeInput) -> SubscriptionBody:
    """Charges the difference for the rest of the period and gives its allowance; when the card is refused, nothing changes. Asked twice it is one."""
    row = subscription_changes.upgrade(_live(request), asked.plan, prorated_at=asked.prorated_at)
    return _present(row)


@router.post(
    "/subscription/downgrade",
    response=SubscriptionBody,
    summary="To a cheaper plan when the period ends",
)
def downgrade_subscription(request: HttpRequest, asked: PlanInput) -> SubscriptionBody:
    """No money goes back and no allowance is taken. To the free plan it is a cancellation."""
    return _present(subscription_changes.downgrade(_live(request), asked.plan))


@router.post("/subscription/cancel", response=SubscriptionBody, summary="End it")
def cancel_subscription(request: HttpRequest, asked: CancelInput) -> SubscriptionBody:
    """When the period ends, or now. Purchased credit stays."""
    row = subscription_changes.cancel(_live(request), at_period_end=asked.at_period_end)
    return _present(row)


@router.post(
    "/subscription/resume",
    response=SubscriptionBody,
    summary="Neither end nor change with the period",
)
def resume_subscription(request: HttpRequest) -> SubscriptionBody:
    """Takes back a cancellation or a downgrade that waits for the period's end."""
    return _present(subscription_changes.resume(_live(request)))


@router.post("/portal-session", response=PortalBody, summary="Stripe's page for cards and invoices")
def open_portal(request: HttpRequest, asked: PortalInput) -> PortalBody:
    url = invoices.open_portal(
        buyer_of(request).organization_id,
        return_url=asked.return_url or request.build_absolute_uri("/"),
    )
    return PortalBody(data=PortalInfo(url=url))


@router.get("/invoices", response=InvoiceList, summary="All invoices, the newest first")
def list_invoices(
    request: HttpRequest,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
    before: Annotated[str, Field(min_length=1, max_length=64)] | None = None,
) -> InvoiceList:
    """Of subscriptions and of credit that was bought."""
    page, has_more = invoices.list_invoices(
        buyer_of(request).organization_id, before=before, limit=limit
    )
    return InvoiceList(
        data=[_invoice(one) for one in page],
        has_more=has_more,
        next_before=page[-1].id if has_more else None,
    )


@router.get("/invoices/{invoice_id}", response=InvoiceBody, summary="One invoice")
def read_invoice(request: HttpRequest, invoice_id: str) -> InvoiceBody:
    return InvoiceBody(data=_invoice(invoices.find(buyer_of(request).organization_id, invoice_id)))


def _live(request: HttpRequest) -> Subscription:
    return subscriptions.require_live(buyer_of(request).organization_id)


def _present(row: Subscription) -> SubscriptionBody:
    return SubscriptionBody(data=SubscriptionInfo(**_fields(row)))


def _page(row: Subscription, session: Json | None) -> SubscriptionPageInfo:
    if session is None and row.session_id and row.status == SubscriptionStatus.OPEN:
        session = checkout.read_session(row.session_id)
    return SubscriptionPageInfo(
        **_fields(row), session_id=row.session_id, url=session["url"] if session else None
    )


def _fields(row: Subscription) -> dict[str, Any]:
    following = row.next_price
    return {
        "id": row.pk,
        "status": row.status,
        "plan": row.price.plan_id,
        "price_usd": usd(row.price.price_cents),
        "price_cents": row.price.price_cents,
        "allowance_usd": nano_to_usd(row.price.allowance),
        "allowance_nano_usd": row.price.allowance,
        "period_start": to_iso(row.period_start),
        "period_end": to_iso(row.period_end),
        "cancel_at_period_end": row.cancel_at_period_end,
        "next_plan": following.plan_id if following else None,
        "next_price_cents": following.price_cents if following else None,
        "created_at": to_iso(row.created_at),
        "ended_at": to_iso(row.ended_at),
        "problem": _problem(row),
    }


def _problem(row: Subscription) -> str | None:
    """In words for the payer: what staff see of a quarantine names ids."""
    if row.problem and row.status != SubscriptionStatus.EXPIRED:
        return "The subscription is being looked at; write to support."
    return row.problem or None


def _invoice(found: Invoice) -> InvoiceInfo:
    fields = asdict(found)
    return InvoiceInfo(
        **{
            **fields,
            "total_usd": usd(found.total_cents),
            "created_at": to_iso(found.created_at),
            "next_attempt_at": to_iso(found.next_attempt_at),
            "lines": [InvoiceLineInfo(**asdict(line)) for line in found.lines],
        }
    )
