"""What nobody told us of: open orders and subscriptions are compared with Stripe, refunds whose answer was lost are sent again."""

import structlog
from django.conf import settings
from django.db.models import Q

from apps.billing.models import UNSETTLED, Order, OrderKind, Reversal, ReversalStatus
from apps.billing.services import (
    auto_top_up,
    checkout,
    reversals,
    subscription_checkout,
    subscriptions,
)
from apps.billing.stripe.client import is_configured
from apps.common import clock
from apps.common.errors import GatewayzError

log = structlog.get_logger(__name__)

BATCH = 100


def compare_open_orders() -> int:
    """How many were looked at. One that cannot be compared now is tried the next time."""
    if not is_configured():
        return 0
    before = clock.now() - settings.ORDER_CHECKED_AFTER
    waiting = Order.objects.filter(
        Q(checked_at=None) | Q(checked_at__lt=before),
        status__in=UNSETTLED,
        created_at__lt=before,
    ).order_by("checked_at", "created_at")
    found = list(waiting[:BATCH])
    for order in found:
        try:
            if order.kind == OrderKind.AUTO_TOP_UP:
                auto_top_up.resume(order)
            else:
                checkout.compare(order)
        except GatewayzError as error:
            log.warning("payments.not_compared", order=order.pk, problem=error.code)
    return len(found)


def compare_subscriptions() -> int:
    """How many were looked at: those that wait or should have been renewed often, all others once a day."""
    if not is_configured():
        return 0
    found = subscriptions.to_compare(clock.now(), most=BATCH)
    for row in found:
        try:
            subscription_checkout.compare(row)
        except GatewayzError as error:
            log.warning("payments.not_compared", subscription=row.pk, problem=error.code)
    return len(found)


def send_waiting_refunds() -> int:
    """Those that Stripe may not have heard of; the idempotency key makes it one refund."""
    if not is_configured():
        return 0
    before = clock.now() - settings.ORDER_CHECKED_AFTER
    waiting = Reversal.objects.filter(
        status=ReversalStatus.REQUESTED, created_at__lt=before
    ).order_by("created_at")
    found = list(waiting[:BATCH])
    for reversal in found:
        try:
            reversals.resend_refund(reversal)
        except GatewayzError as error:
            log.warning("payments.refund_waits", reversal=reversal.pk, problem=error.code)
    return len(found)
