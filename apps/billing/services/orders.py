"""Orders: what somebody wants to pay for, from the wish to the credit.

    choose → begin → (services/checkout.py asks Stripe) → settle        paid: the credit, once per payment
                                                        → quarantine    what was paid is not what was ordered
                                                        → close         expired or failed

Written before Stripe is asked; what Stripe then says of the payment must agree with the row.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from apps.accounts import notices
from apps.accounts.notices import PaymentReceived
from apps.billing.models import UNSETTLED, CreditPackage, Order, OrderKind, OrderStatus
from apps.billing.services import top_up_failures
from apps.billing.services.ledger_payments import Parts, credit_payment
from apps.billing.services.referrals import complete_referral
from apps.common import clock
from apps.common.errors import IdempotencyMismatch, InvalidRequest
from apps.common.ids import new_id
from apps.common.money import NANO_PER_USD, divide_half_up, format_usd

log = structlog.get_logger(__name__)

NANO_PER_CENT = NANO_PER_USD // 100
CURRENCY = "usd"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be bought: cents, and nano-USD of credit."""

    price_cents: int
    credit: int
    bonus: int = 0
    package_id: int | None = None

    @property
    def fee_cents(self) -> int:
        return divide_half_up(self.price_cents * settings.TOP_UP_FEE_BP, 10_000)

    @property
    def amount_cents(self) -> int:
        return self.price_cents + self.fee_cents


@dataclass(frozen=True, slots=True)
class Paid:
    """What Stripe says that somebody paid."""

    intent_id: str
    amount_cents: int
    currency: str
    customer_id: str | None
    metadata: Mapping[str, str]


def choose(*, package: str | None, price_cents: int | None) -> Wanted:
    """A package by its slug, or an amount. Raises InvalidRequest naming the field."""
    if (package is None) == (price_cents is None):
        raise InvalidRequest("Give either 'package' or 'amount_usd'.", param="amount_usd")
    if package is not None:
        found = CreditPackage.objects.filter(slug=package, is_active=True).first()
        if found is None:
            raise InvalidRequest(
                "'package' is none of those at /api/stripe/credit-packages.",
                param="package",
                code="invalid_value",
            )
        return Wanted(found.price_cents, found.credit, found.bonus, found.pk)
    assert price_cents is not None
    require_amount(price_cents, param="amount_usd")
    return Wanted(price_cents, price_cents * NANO_PER_CENT)


def require_amount(price_cents: int, *, param: str) -> None:
    """Raises InvalidRequest when so much cannot be bought at once."""
    least, most = settings.TOP_UP_LEAST_CENTS, settings.TOP_UP_MOST_CENTS
    if not least <= price_cents <= most:
        raise InvalidRequest(
            f"'{param}' must be from {format_usd(least * NANO_PER_CENT)} to {format_usd(most * NANO_PER_CENT)}.",
            param=param,
            code="invalid_value",
        )


def begin(
    organization_id: int,
    *,
    kind: OrderKind,
    wanted: Wanted,
    request: dict[str, Any],
    api_key_id: int | None = None,
    idempotency_key: str | None = None,
) -> Order:
    """A new order, or the one that the same idempotency key has made. Raises IdempotencyMismatch."""
    try:
        with transaction.atomic():
            return Order.objects.create(
                id=new_id("ord"),
                organization_id=organization_id,
                api_key_id=api_key_id,
                kind=kind,
                package_id=wanted.package_id,
                credit=wanted.credit,
                bonus=wanted.bonus,
                price_cents=wanted.price_cents,
                fee_cents=wanted.fee_cents,
                amount_cents=wanted.amount_cents,
                currency=CURRENCY,
                idempotency_key=idempotency_key,
                request=request,
                created_at=clock.now(),
            )
    except IntegrityError:
        if idempotency_key is None:
            raise
    former = Order.objects.get(organization_id=organization_id, idempotency_key=idempotency_key)
    same = (former.kind, former.price_cents, former.package_id, former.request)
    if same != (kind, wanted.price_cents, wanted.package_id, request):
        raise IdempotencyMismatch("This Idempotency-Key was used for another payment.")
    return former


def record(order: Order, *, session_id: str | None = None, intent_id: str | None = None) -> None:
    """Stripe's ids of the order. What is paid meanwhile stays paid."""
    named = {
        name: value
        for name, value in (("session_id", session_id), ("intent_id", intent_id))
        if value
    }
    mine = Order.objects.filter(pk=order.pk)
    if named:
        mine.update(**named)
    mine.filter(status=OrderStatus.CREATED).update(status=OrderStatus.OPEN)
    order.refresh_from_db()


def metadata_of(order: Order) -> dict[str, str]:
    """What the payment carries at Stripe, to be recognised by."""
    return {"order": order.pk, "organization": str(order.organization_id)}


def settle(order_id: str, paid: Paid, *, customer_id: str | None) -> OrderStatus:
    """Give the credit of an order that was paid, once; or quarantine it. ``customer_id`` is the organisation's at Stripe."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status == OrderStatus.PAID and order.intent_id == paid.intent_id:
            return OrderStatus.PAID
        problem = problem_of(order, paid, customer_id=customer_id)
        if problem:
            return _quarantine(order, problem)
        credit_payment(
            order.organization_id,
            parts_of(order, order.amount_cents),
            reference=f"stripe:{paid.intent_id}",
            memo=f"Credit bought: {order.pk}",
        )
        order.intent_id = paid.intent_id
        order.status = OrderStatus.PAID
        order.paid_at = clock.now()
        order.problem = ""
        order.save(update_fields=["intent_id", "status", "paid_at", "problem"])
        if order.kind == OrderKind.AUTO_TOP_UP:
            top_up_failures.forget(order.organization_id)
        complete_referral(
            order.organization_id,
            purchase_nano_usd=order.price_cents * NANO_PER_CENT,
            reference=f"stripe:{paid.intent_id}",
        )
        notices.notify(
            order.organization_id,
            PaymentReceived(
                order=order.pk,
                paid_cents=order.amount_cents,
                fee_cents=order.fee_cents,
                credit_nano_usd=order.credit + order.bonus,
            ),
            reference=f"payment:{order.pk}",
        )
    log.info("payments.paid", order=order.pk, organization=order.organization_id)
    return OrderStatus.PAID


def problem_of(order: Order, paid: Paid, *, customer_id: str | None) -> str:
    """In what the payment differs from the order; empty when in nothing."""
    expected = metadata_of(order)
    if order.intent_id not in (None, paid.intent_id):
        return f"another payment, {paid.intent_id}, than {order.intent_id}"
    if paid.currency != order.currency:
        return f"paid in {paid.currency}, ordered in {order.currency}"
    if paid.amount_cents != order.amount_cents:
        return f"{paid.amount_cents} cents paid, {order.amount_cents} ordered"
    if {name: paid.metadata.get(name) for name in expected} != expected:
        return "the payment names another order or organisation"
    if paid.customer_id is None or paid.customer_id != customer_id:
        return f"paid by {paid.customer_id}, who is not this organisation"
    return ""


def quarantine(order_id: str, problem: str) -> OrderStatus:
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        return _quarantine(order, problem)


def _quarantine(order: Order, problem: str) -> OrderStatus:
    """Staff look at it. What was paid for already stays so: then only the alert is new."""
    log.error(
        "payments.quarantined",
        order=order.pk,
        organization=order.organization_id,
        problem=problem,
    )
    order.problem = problem[:200]
    if order.status != OrderStatus.PAID:
        order.status = OrderStatus.QUARANTINED
    order.save(update_fields=["problem", "status"])
    return OrderStatus(order.status)


def close(order_id: str, status: OrderStatus, problem: str = "") -> bool:
    """Expired or failed. False when it was decided already."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status not in UNSETTLED:
            return False
        order.status, order.problem = status, problem[:200]
        order.save(update_fields=["status", "problem"])
        if order.kind == OrderKind.AUTO_TOP_UP:
            top_up_failures.count(order, problem)
        return True


def parts_of(order: Order, cents: int) -> Parts:
    """What so many cents of the order stand for; all of them stand for all of it."""
    return Parts(
        money=cents * NANO_PER_CENT,
        fee=order.fee_cents * NANO_PER_CENT * cents // order.amount_cents,
        bonus=(order.credit - order.price_cents * NANO_PER_CENT + order.bonus)
        * cents
        // order.amount_cents,
    )


def is_repeatable(order: Order, now: datetime.datetime) -> bool:
    """Whether Stripe still knows the idempotency key of its first call."""
    return now < order.created_at + settings.ORDER_REPEATED_FOR
