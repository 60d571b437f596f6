"""Money that goes back: refunds, asked for here or at Stripe, and disputes.

    request_refund   row and credit first, then Stripe, then what it said: a refund is never made for credit still spendable
    read_refund, read_dispute   what Stripe says of one now; does what is missing here, once

Credit that had been spent is written off, and the organisation's spending is frozen until staff allow it again or the
dispute is won.
"""

import structlog
from django.db import transaction

from apps.accounts import services as accounts
from apps.billing.models import (
    EntryKind,
    Order,
    OrderStatus,
    Reversal,
    ReversalKind,
    ReversalStatus,
)
from apps.billing.services import checkout, ledger_payments, referrals, subscription_reversals
from apps.billing.services.ledger_payments import Parts, Taken
from apps.billing.services.orders import NANO_PER_CENT, parts_of
from apps.billing.stripe.client import Json, StripeAway, StripeRefused, ask
from apps.common import clock
from apps.common.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    PaymentDeclined,
)
from apps.common.ids import new_id
from apps.common.money import format_usd

log = structlog.get_logger(__name__)

ENTRY = {ReversalKind.REFUND: EntryKind.REFUND, ReversalKind.DISPUTE: EntryKind.DISPUTE}
GONE = ("failed", "canceled")
"""A refund that did not arrive."""
WON = ("won", "warning_closed", "prevented")
INQUIRIES = ("warning_needs_response", "warning_under_review")
"""The bank asks, and has taken nothing yet."""


def request_refund(
    order_id: str,
    *,
    amount_cents: int | None,
    reason: str,
    idempotency_key: str | None = None,
    is_staff: bool = False,
) -> Reversal:
    """Give money of an order back; None is all that can be. Raises InvalidRequest, IdempotencyMismatch, StripeRefused.

    A customer gets back what has not been spent; staff any part of what was paid, and what had been spent is written off.
    """
    reversal, is_new = _take_for_refund(
        order_id,
        amount_cents=amount_cents,
        reason=reason,
        idempotency_key=idempotency_key,
        is_staff=is_staff,
    )
    if is_new or reversal.status == ReversalStatus.REQUESTED:
        try:
            send_refund(reversal)
        except StripeAway:
            log.warning("payments.refund_waits", reversal=reversal.pk)
        reversal.refresh_from_db()
    return reversal


@transaction.atomic
def _take_for_refund(
    order_id: str,
    *,
    amount_cents: int | None,
    reason: str,
    idempotency_key: str | None,
    is_staff: bool,
) -> tuple[Reversal, bool]:
    order = Order.objects.select_for_update().get(pk=order_id)
    if idempotency_key is not None:
        former = order.reversals.filter(idempotency_key=idempotency_key).first()
        if former is not None:
            if amount_cents not in (None, former.amount_cents):
                raise IdempotencyMismatch("This Idempotency-Key was used for another refund.")
            return former, False
    most = refundable_cents(order, is_staff=is_staff)
    wanted = most if amount_cents is None else amount_cents
    if order.status != OrderStatus.PAID:
        raise InvalidRequest(
            "Only a payment that was paid can be refunded.",
            param="payment_id",
            code="invalid_value",
        )
    if order.reversals.filter(kind=ReversalKind.DISPUTE, status=ReversalStatus.TAKEN).exists():
        raise InvalidRequest(
            "The payer's bank disputes this payment, so it cannot be refunded.",
            param="payment_id",
            code="invalid_value",
        )
    if not is_staff and referrals.has_been_spent(_reference(order)):
        raise InvalidRequest(
            "This payment brought referral credit, which has been spent. Support can refund it.",
            param="payment_id",
            code="invalid_value",
        )
    if wanted <= 0 or wanted > most:
        raise InvalidRequest(
            f"At most {format_usd(most * NANO_PER_CENT)} of this payment can be refunded.",
            param="amount_usd",
            code="invalid_value",
        )
    reversal = Reversal(
        id=new_id("rev"),
        order=order,
        kind=ReversalKind.REFUND,
        amount_cents=wanted,
        reason=reason[:200],
        idempotency_key=idempotency_key,
        created_at=clock.now(),
    )
    # What staff give back of spent credit is a gift.
    _take(order, reversal, freezes=not is_staff)
    return reversal, True


def refundable_cents(order: Order, *, is_staff: bool) -> int:
    """Of the payment, in a transaction that keeps it so: what has not gone back, for a customer also not been spent."""
    if order.status != OrderStatus.PAID:
        return 0
    left = order.amount_cents - order.refunded_cents
    if is_staff:
        return left
    spare = ledger_payments.spare_credit(order.organization_id)
    if _part(order, left).credit <= spare:
        return left
    whole = parts_of(order, order.amount_cents)
    cents = min(left, spare * order.amount_cents // whole.credit)
    # Shares are rounded down, so the last cent may be one too many.
    while cents > 0 and _part(order, cents).credit > spare:
        cents -= 1
    return cents


def _part(order: Order, cents: int) -> Parts:
    """The next so many cents of the order that go back. All parts together are exactly the whole."""
    before = parts_of(order, order.refunded_cents)
    after = parts_of(order, order.refunded_cents + cents)
    return Parts(after.money - before.money, after.fee - before.fee, after.bonus - before.bonus)


def _take(order: Order, reversal: Reversal, *, freezes: bool = True) -> None:
    """Take the credit of a reversal. The caller has locked the order."""
    parts = _part(order, reversal.amount_cents)
    left = order.amount_cents - order.refunded_cents - reversal.amount_cents
    if left * order.price_cents * NANO_PER_CENT < referrals.least_purchase() * order.amount_cents:
        referrals.forfeit(_reference(order))
    taken = ledger_payments.take_back(
        order.organization_id,
        parts,
        kind=ENTRY[ReversalKind(reversal.kind)],
        reference=f"{reversal.kind}:{reversal.pk}",
        memo=f"{ReversalKind(reversal.kind).label} of {order.pk}",
    )
    reversal.taken, reversal.uncovered = taken.taken, taken.uncovered
    reversal.fee, reversal.bonus = parts.fee, parts.bonus
    reversal.save()
    order.refunded_cents += reversal.amount_cents
    order.save(update_fields=["refunded_cents"])
    if taken.uncovered and freezes:
        accounts.freeze_spending(order.organization_id, now=clock.now())
        log.error(
            "payments.spending_frozen",
            organization=order.organization_id,
            order=order.pk,
            uncovered=format_usd(taken.uncovered),
        )


def _reference(order: Order) -> str:
    """Of the purchase's entry."""
    return f"stripe:{order.intent_id}"


@transaction.atomic
def _return(reversal_id: str) -> None:
    """The refund failed or the dispute was won: everything is as it was."""
    order = Order.objects.select_for_update().get(reversals=reversal_id)
    reversal = Reversal.objects.get(pk=reversal_id)
    if reversal.status == ReversalStatus.RETURNED:
        return
    parts = Parts(reversal.amount_cents * NANO_PER_CENT, reversal.fee, reversal.bonus)
    ledger_payments.give_back(
        order.organization_id,
        parts,
        Taken(reversal.taken, reversal.uncovered),
        kind=ENTRY[ReversalKind(reversal.kind)],
        reference=f"{reversal.kind}:{reversal.pk}:returned",
        memo=f"{ReversalKind(reversal.kind).label} of {order.pk} came back",
    )
    reversal.status = ReversalStatus.RETURNED
    reversal.save(update_fields=["status"])
    order.refunded_cents -= reversal.amount_cents
    order.save(update_fields=["refunded_cents"])
    if reversal.uncovered and not subscription_reversals.owes(order.organization_id):
        accounts.allow_spending(order.organization_id)


def send_refund(reversal: Reversal) -> None:
    """Tell Stripe to pay back. Raises StripeAway when the outcome is not known: then it is sent again later."""
    order = Order.objects.get(pk=reversal.order_id)
    try:
        refund = ask(
            lambda stripe: stripe.v1.refunds.create(
                {
                    "payment_intent": order.intent_id or "",
                    "amount": reversal.amount_cents,
                    "reason": "requested_by_customer",
                    "metadata": {"reversal": reversal.pk},
                },
                {"idempotency_key": reversal.pk},
            )
        )
    except (StripeRefused, NotFound, PaymentDeclined):
        _return(reversal.pk)
        raise
    apply_refund(order, refund)


def resend_refund(reversal: Reversal) -> None:
    """One whose answer was lost. Stripe may have forgotten the key, so it is looked for before it is sent again."""
    order = Order.objects.get(pk=reversal.order_id)
    page = ask(
        lambda stripe: stripe.v1.refunds.list(
            {"payment_intent": order.intent_id or "", "limit": 100}
        )
    )
    for refund in page["data"]:
        if (refund.get("metadata") or {}).get("reversal") == reversal.pk:
            apply_refund(order, refund)
            return
    send_refund(reversal)


def read_refunds_of(charge_id: str) -> None:
    page = ask(lambda stripe: stripe.v1.refunds.list({"charge": charge_id, "limit": 100}))
    for refund in page["data"]:
        _apply_to_its_order(refund, ReversalKind.REFUND)


def read_refund(refund_id: str) -> None:
    refund = ask(lambda stripe: stripe.v1.refunds.retrieve(refund_id))
    _apply_to_its_order(refund, ReversalKind.REFUND)


def read_dispute(dispute_id: str) -> None:
    dispute = ask(lambda stripe: stripe.v1.disputes.retrieve(dispute_id))
    _apply_to_its_order(dispute, ReversalKind.DISPUTE)


def _apply_to_its_order(found: Json, kind: ReversalKind) -> None:
    """A payment may be taken back before we have heard of it: then it is credited first."""
    intent_id = found["payment_intent"]
    if not intent_id:
        return
    order = Order.objects.filter(intent_id=intent_id).first()
    if order is None:
        intent = checkout.read_intent(intent_id)
        named = (intent.get("metadata") or {}).get("order", "")
        order = Order.objects.filter(pk=named).first()
    if order is None:
        if not subscription_reversals.compare_payment(intent_id):
            log.error("payments.without_order", object=found["object"], id=found["id"])
        return
    if order.status != OrderStatus.PAID:
        checkout.apply_intent(order, checkout.read_intent(intent_id))
        order.refresh_from_db()
    if order.status != OrderStatus.PAID:
        log.error("payments.reversal_of_unpaid", order=order.pk, id=found["id"])
        return
    if kind is ReversalKind.REFUND:
        apply_refund(order, found)
    else:
        apply_dispute(order, found)


def apply_refund(order: Order, refund: Json) -> None:
    """What a refund, as Stripe has it now, means here."""
    known = (refund.get("metadata") or {}).get("reversal", "")
    reversal = _find_or_take(
        order, refund, ReversalKind.REFUND, known=known, is_over=refund["status"] in GONE
    )
    if reversal is not None and refund["status"] in GONE:
        _return(reversal.pk)


def apply_dispute(order: Order, dispute: Json) -> None:
    """What a dispute, as Stripe has it now, means here."""
    if dispute["status"] in INQUIRIES:
        return
    is_won = dispute["status"] in WON
    reversal = _find_or_take(order, dispute, ReversalKind.DISPUTE, known="", is_over=is_won)
    if reversal is not None and is_won:
        _return(reversal.pk)


@transaction.atomic
def _find_or_take(
    order: Order, found: Json, kind: ReversalKind, *, known: str, is_over: bool
) -> Reversal | None:
    """The row of a refund or dispute; a new one takes the credit. None for one that came to nothing before we heard of it."""
    locked = Order.objects.select_for_update().get(pk=order.pk)
    reversal = (
        locked.reversals.filter(stripe_id=found["id"]).first()
        or locked.reversals.filter(pk=known, status=ReversalStatus.REQUESTED).first()
    )
    if reversal is not None:
        if reversal.status == ReversalStatus.REQUESTED:
            reversal.stripe_id, reversal.status = found["id"], ReversalStatus.TAKEN
            reversal.save(update_fields=["stripe_id", "status"])
        return reversal
    if is_over:
        return None
    left = locked.amount_cents - locked.refunded_cents
    if found["currency"] != locked.currency or found["amount"] > left:
        log.error("payments.reversal_too_large", order=order.pk, id=found["id"], left_cents=left)
    amount = min(found["amount"], left)
    if not amount:
        return None
    reversal = Reversal(
        id=new_id("rev"),
        order=locked,
        kind=kind,
        status=ReversalStatus.TAKEN,
        stripe_id=found["id"],
        amount_cents=amount,
        reason=str(found.get("reason") or "")[:200],
        created_at=clock.now(),
    )
    _take(locked, reversal)
    return reversal
