"""Buying credit: /api/stripe/credit-packages, checkout-session, payment-intent, payments, refund.

Everything is looked up among the organisation's own: what belongs to others is not found.
"""

from typing import Annotated, Any, Protocol

from django.conf import settings
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from apps.billing.models import Order, OrderKind, OrderStatus, Reversal
from apps.billing.payment_schemas import (
    BuyInput,
    CheckoutBody,
    CheckoutInfo,
    CheckoutInput,
    IntentBody,
    IntentInfo,
    PackageList,
    PackageRow,
    PaymentBody,
    PaymentInfo,
    PaymentList,
    ReceiptBody,
    ReceiptInfo,
    RefundBody,
    RefundInfo,
    RefundInput,
)
from apps.billing.services import checkout, orders, payments, reversals
from apps.billing.services.orders import Wanted
from apps.billing.stripe.client import Json, require_configured
from apps.common import clock
from apps.common.db import to_iso
from apps.common.errors import InvalidRequest, PermissionDenied
from apps.common.money import nano_to_usd

router = Router(tags=["Payments"])

LONGEST_KEY = 255


class Buyer(Protocol):
    """The key that asks."""

    @property
    def id(self) -> int: ...
    @property
    def organization_id(self) -> int: ...
    @property
    def is_test(self) -> bool: ...


def buyer_of(request: HttpRequest) -> Buyer:
    """Raises PaymentsNotConfigured, and PermissionDenied for a test key, which costs nothing and pays nothing."""
    require_configured()
    key: Buyer = request.auth  # type: ignore[attr-defined]
    if key.is_test:
        raise PermissionDenied("A test key has no payments; use a live one.")
    return key


@router.get(
    "/credit-packages", auth=None, response=PackageList, summary="What credit can be bought"
)
def list_packages(request: HttpRequest) -> PackageList:
    rows = []
    for package in payments.offered_packages():
        wanted = Wanted(package.price_cents, package.credit, package.bonus)
        rows.append(
            PackageRow(
                slug=package.slug,
                name=package.name,
                price_usd=usd(wanted.price_cents),
                fee_usd=usd(wanted.fee_cents),
                amount_usd=usd(wanted.amount_cents),
                amount_cents=wanted.amount_cents,
                credit_usd=nano_to_usd(package.credit + package.bonus),
                bonus_usd=nano_to_usd(package.bonus),
            )
        )
    return PackageList(
        data=rows,
        least_usd=usd(settings.TOP_UP_LEAST_CENTS),
        most_usd=usd(settings.TOP_UP_MOST_CENTS),
        fee_percent=settings.TOP_UP_FEE_BP / 100,
    )


@router.post("/checkout-session", response=CheckoutBody, summary="Buy credit on Stripe's page")
def create_checkout_session(request: HttpRequest, asked: CheckoutInput) -> CheckoutBody:
    """With an `Idempotency-Key` the same session is answered again."""
    home = request.build_absolute_uri("/")
    order = _begin(
        request,
        asked,
        OrderKind.CHECKOUT,
        {
            "save_card": asked.save_card,
            "success_url": asked.success_url or home,
            "cancel_url": asked.cancel_url or asked.success_url or home,
        },
    )
    return CheckoutBody(data=_checkout(order, checkout.open_session(order)))


@router.get(
    "/checkout-session/{session_id}", response=CheckoutBody, summary="What became of a session"
)
def read_checkout_session(request: HttpRequest, session_id: str) -> CheckoutBody:
    """Asks Stripe while it is open, so that a payer who comes back sees the credit at once."""
    order = payments.find(buyer_of(request).organization_id, session_id, kind=OrderKind.CHECKOUT)
    return CheckoutBody(data=_checkout(_compared(order), None))


@router.post("/payment-intent", response=IntentBody, summary="Buy credit in a page of your own")
def create_payment_intent(request: HttpRequest, asked: BuyInput) -> IntentBody:
    """With an `Idempotency-Key` the same intent is answered again."""
    order = _begin(request, asked, OrderKind.INTENT, {"save_card": asked.save_card})
    return IntentBody(data=_intent(order, checkout.open_intent(order)))


@router.get("/payment-intent/{intent_id}", response=IntentBody, summary="What became of an intent")
def read_payment_intent(request: HttpRequest, intent_id: str) -> IntentBody:
    order = payments.find(buyer_of(request).organization_id, intent_id, kind=OrderKind.INTENT)
    return IntentBody(data=_intent(_compared(order), None))


@router.get("/payments", response=PaymentList, summary="All payments, the newest first")
def list_payments(
    request: HttpRequest,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
    before: Annotated[str, Field(max_length=40)] | None = None,
) -> PaymentList:
    page, has_more = payments.read_page(
        buyer_of(request).organization_id, before=before, limit=limit
    )
    return PaymentList(
        data=[_present(order) for order in page],
        has_more=has_more,
        next_before=page[-1].pk if has_more else None,
    )


@router.get("/payments/{payment_id}", response=PaymentBody, summary="One payment")
def read_payment(request: HttpRequest, payment_id: str) -> PaymentBody:
    return PaymentBody(data=_present(payments.find(buyer_of(request).organization_id, payment_id)))


@router.get(
    "/payments/{payment_id}/receipt", response=ReceiptBody, summary="Its receipt and invoice"
)
def read_receipt(request: HttpRequest, payment_id: str) -> ReceiptBody:
    order = payments.find(buyer_of(request).organization_id, payment_id)
    receipt, page, pdf = payments.receipt_of(order)
    return ReceiptBody(data=ReceiptInfo(receipt_url=receipt, invoice_url=page, invoice_pdf=pdf))


@router.post("/refund", response=RefundBody, summary="Give unspent credit back")
def create_refund(request: HttpRequest, asked: RefundInput) -> RefundBody:
    """Money of a payment, with its part of the fee, for credit that has not been spent. With an `Idempotency-Key` it is one refund."""
    order = payments.find(buyer_of(request).organization_id, asked.payment_id)
    if order.paid_at is not None and (clock.now() - order.paid_at).days >= settings.REFUND_DAYS:
        raise InvalidRequest(
            f"A payment can be refunded for {settings.REFUND_DAYS} days; write to support.",
            param="payment_id",
            code="invalid_value",
        )
    reversal = reversals.request_refund(
        order.pk,
        amount_cents=None if asked.amount_usd is None else int(asked.amount_usd * 100),
        reason=asked.reason,
        idempotency_key=idempotency_key_of(request),
    )
    return RefundBody(data=_refund(reversal))


def _begin(
    request: HttpRequest, asked: BuyInput, kind: OrderKind, details: dict[str, Any]
) -> Order:
    buyer = buyer_of(request)
    cents = None if asked.amount_usd is None else int(asked.amount_usd * 100)
    return orders.begin(
        buyer.organization_id,
        kind=kind,
        wanted=orders.choose(package=asked.package, price_cents=cents),
        request=details,
        api_key_id=buyer.id,
        idempotency_key=idempotency_key_of(request),
    )


def idempotency_key_of(request: HttpRequest) -> str | None:
    """Raises InvalidRequest for one that cannot be kept."""
    key = request.headers.get("idempotency-key")
    if key is not None and (
        not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable()
    ):
        raise InvalidRequest(
            f"'Idempotency-Key' must be 1 to {LONGEST_KEY} printable ASCII characters.",
            param="Idempotency-Key",
            code="invalid_value",
        )
    return key


def _compared(order: Order) -> Order:
    if order.status in (OrderStatus.CREATED, OrderStatus.OPEN):
        checkout.compare(order)
        order.refresh_from_db()
    return order


def usd(cents: int) -> float:
    return cents / 100


def _fields(order: Order) -> dict[str, Any]:
    return {
        "id": order.pk,
        "kind": order.kind,
        "status": order.status,
        "package": order.package.slug if order.package else None,
        "credit_usd": nano_to_usd(order.credit + order.bonus),
        "price_usd": usd(order.price_cents),
        "fee_usd": usd(order.fee_cents),
        "amount_usd": usd(order.amount_cents),
        "amount_cents": order.amount_cents,
        "refunded_cents": order.refunded_cents,
        "currency": order.currency,
        "created_at": to_iso(order.created_at),
        "paid_at": to_iso(order.paid_at),
        "problem": _problem(order),
    }


def _problem(order: Order) -> str | None:
    """In words for the payer: what staff see of a quarantine names ids."""
    if order.status == OrderStatus.QUARANTINED:
        return "The payment is being looked at; write to support."
    return order.problem or None if order.status != OrderStatus.PAID else None


def _present(order: Order) -> PaymentInfo:
    return PaymentInfo(**_fields(order))


def _checkout(order: Order, session: Json | None) -> CheckoutInfo:
    if session is None and order.session_id and order.status == OrderStatus.OPEN:
        session = checkout.read_session(order.session_id)
    return CheckoutInfo(
        **_fields(order), session_id=order.session_id, url=session["url"] if session else None
    )


def _intent(order: Order, intent: Json | None) -> IntentInfo:
    if intent is None and order.intent_id and order.status == OrderStatus.OPEN:
        intent = checkout.read_intent(order.intent_id)
    return IntentInfo(
        **_fields(order),
        intent_id=order.intent_id,
        client_secret=intent["client_secret"] if intent else None,
        publishable_key=settings.STRIPE_PUBLISHABLE_KEY or None,
    )


def _refund(reversal: Reversal) -> RefundInfo:
    return RefundInfo(
        id=reversal.pk,
        payment_id=reversal.order_id,
        status=reversal.status,
        amount_usd=usd(reversal.amount_cents),
        amount_cents=reversal.amount_cents,
        credit_taken_usd=nano_to_usd(reversal.taken),
    )
