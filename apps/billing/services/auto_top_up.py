"""Auto top-up: buys credit with the saved card when little is left. A job of every minute; requests know nothing of it.

An episode is one order. Its row is written under a lock and a unique constraint before Stripe is asked, and its id is
the idempotency key, so that neither two jobs nor a crash charge twice. What Stripe did not answer stays open until it
is known.
"""

import datetime

import structlog
from django.db import transaction
from django.db.models import F, Q, Sum

from apps.accounts.selectors import billing_contact
from apps.billing.models import (
    UNSETTLED,
    AutoTopUp,
    Balance,
    Order,
    OrderKind,
    OrderStatus,
)
from apps.billing.services import checkout, orders
from apps.billing.services.orders import NANO_PER_CENT, Wanted
from apps.billing.stripe.client import StripeRefused, is_configured
from apps.common import clock
from apps.common.errors import GatewayzError, NotFound, PaymentDeclined

log = structlog.get_logger(__name__)

BATCH = 100
CAPPED = "The monthly cap is reached; it goes on next month."


def wanted_by(price_cents: int) -> Wanted:
    """What one purchase asks of the card, the fee included."""
    return Wanted(price_cents, price_cents * NANO_PER_CENT)


def save_settings(
    organization_id: int,
    *,
    is_enabled: bool,
    threshold: int,
    price_cents: int,
    monthly_cap_cents: int | None,
    card_id: str,
) -> AutoTopUp:
    """Also starts anew after failures. The caller has checked that the card is the organisation's."""
    row, _ = AutoTopUp.objects.update_or_create(
        organization_id=organization_id,
        defaults={
            "is_enabled": is_enabled,
            "threshold": threshold,
            "price_cents": price_cents,
            "monthly_cap_cents": monthly_cap_cents,
            "card_id": card_id,
            "failures": 0,
            "next_attempt_at": None,
            "stopped_because": "",
        },
    )
    return row


def settings_of(organization_id: int) -> AutoTopUp | None:
    return AutoTopUp.objects.filter(organization_id=organization_id).first()


def forget_card(organization_id: int, card_id: str) -> None:
    """A card that was deleted is charged no more."""
    AutoTopUp.objects.filter(organization_id=organization_id, card_id=card_id).update(
        is_enabled=False, stopped_because="Its card was deleted."
    )


def charge_due() -> int:
    """How many were charged."""
    if not is_configured():
        return 0
    available = F("organization__balance__allowance") + F("organization__balance__promo")
    available += F("organization__balance__purchased") - F("organization__balance__held")
    due = (
        AutoTopUp.objects.filter(is_enabled=True, organization__is_active=True)
        .filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=clock.now()))
        .annotate(available=available)
        .filter(available__lt=F("threshold"))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    return sum(_charge_one(pk) for pk in list(due[:BATCH]))


def _charge_one(pk: int) -> bool:
    order = _begin(pk)
    if order is None:
        return False
    try:
        return charge(order) == OrderStatus.PAID
    except GatewayzError as error:
        log.warning("payments.auto_top_up_waits", order=order.pk, problem=error.code)
        return False


@transaction.atomic
def _begin(pk: int) -> Order | None:
    """The episode's order; None when another job has begun one, or nothing is to be bought any more."""
    row = AutoTopUp.objects.select_for_update().get(pk=pk)
    now = clock.now()
    balance = Balance.objects.get(pk=row.organization_id)
    if not row.is_enabled or balance.available >= row.threshold:
        return None
    if row.next_attempt_at is not None and row.next_attempt_at > now:
        return None
    if billing_contact(row.organization_id).is_frozen:
        return None
    mine = Order.objects.filter(organization_id=row.organization_id, kind=OrderKind.AUTO_TOP_UP)
    if mine.filter(status__in=UNSETTLED).exists():
        return None
    wanted = wanted_by(row.price_cents)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    spent = mine.filter(status=OrderStatus.PAID, paid_at__gte=month).aggregate(
        total=Sum("amount_cents")
    )["total"]
    cap = row.monthly_cap_cents
    if cap is not None and (spent or 0) + wanted.amount_cents > cap:
        row.stopped_because = CAPPED
        row.next_attempt_at = (month + datetime.timedelta(days=32)).replace(day=1)
        row.save(update_fields=["stopped_because", "next_attempt_at", "updated_at"])
        log.warning("payments.auto_top_up_capped", organization=row.organization_id)
        return None
    return orders.begin(
        row.organization_id,
        kind=OrderKind.AUTO_TOP_UP,
        wanted=wanted,
        request={"card_id": row.card_id},
    )


def charge(order: Order) -> OrderStatus:
    """Raises StripeAway when nobody knows whether it was charged: the order stays open, and with it the episode."""
    try:
        intent = checkout.charge_saved_card(order)
    except (PaymentDeclined, StripeRefused, NotFound) as error:
        orders.close(order.pk, OrderStatus.FAILED, error.message)
        return OrderStatus.FAILED
    return checkout.apply_intent(order, intent)


def resume(order: Order) -> OrderStatus:
    """An episode whose end is not known: looked up, and when Stripe never heard of it, charged with the same key."""
    status = checkout.compare(order)
    return charge(order) if status == OrderStatus.CREATED else status
