"""Money of a subscription that goes back, refunded at Stripe or disputed: the allowance goes back in the same proportion.

    compare_payment     what Stripe says now of all refunds and disputes of a payment; does what is missing here

What is left of the invoice's allowance is taken; what has expired unused is nothing to anybody; what had been spent is
written off, and when a bank took the money, spending is frozen until staff allow it again or the dispute is won.
"""

from collections import Counter
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet, Sum

from apps.accounts import services as accounts
from apps.billing.models import (
    AccountKind,
    Balance,
    CreditLot,
    EntryKind,
    EntryLine,
    InvoiceStatus,
    Reversal,
    ReversalStatus,
    Subscription,
    SubscriptionInvoice,
)
from apps.billing.services import invoices, ledger, lots, referrals, subscriptions
from apps.billing.services.orders import NANO_PER_CENT
from apps.billing.services.subscription_invoices import reference_of
from apps.billing.services.values import Posting
from apps.billing.stripe.client import Json, ask
from apps.common import clock
from apps.common.errors import ServiceUnavailable
from apps.common.money import format_usd

log = structlog.get_logger(__name__)

ATTEMPTS = 10
GONE = ("failed", "canceled")
"""A refund that did not arrive."""
WITH_US = ("won", "warning_closed", "prevented", "warning_needs_response", "warning_under_review")
"""A dispute for which the bank has not taken the money, or has given it back."""


@dataclass(frozen=True, slots=True)
class Returned:
    """Cents of a payment that are with the payer again."""

    refunded: int
    disputed: int


def compare_payment(intent_id: str) -> bool:
    """False when the payment is none of a subscription's."""
    page = ask(
        lambda stripe: stripe.v1.invoice_payments.list(
            {"payment": {"type": "payment_intent", "payment_intent": intent_id}, "limit": 1}
        )
    )
    if not page["data"]:
        return False
    invoice_id = page["data"][0]["invoice"]
    invoice = ask(lambda stripe: stripe.v1.invoices.retrieve(invoice_id))
    row = Subscription.objects.filter(stripe_id=invoices.subscription_of(invoice) or "").first()
    if row is None:
        return False
    # The money may be back before anybody told us that it came.
    if not _settled(invoice_id).exists():
        subscriptions.compare(row)
    for _ in range(ATTEMPTS):
        seen = _settled(invoice_id).first()
        if seen is None:
            return True  # quarantined: nothing was given
        if _write(seen, _read(intent_id)):
            return True
    raise ServiceUnavailable("The payment is changing; try again.")


def _settled(invoice_id: str) -> QuerySet[SubscriptionInvoice]:
    return SubscriptionInvoice.objects.filter(pk=invoice_id, status=InvoiceStatus.PAID)


def _read(intent_id: str) -> Returned:
    refunds = ask(
        lambda stripe: stripe.v1.refunds.list({"payment_intent": intent_id, "limit": 100})
    )
    disputes = ask(
        lambda stripe: stripe.v1.disputes.list({"payment_intent": intent_id, "limit": 100})
    )
    return Returned(_sum(refunds["data"], but=GONE), _sum(disputes["data"], but=WITH_US))


def _sum(rows: list[Json], *, but: tuple[str, ...]) -> int:
    return sum(row["amount"] for row in rows if row["status"] not in but)


@transaction.atomic
def _write(seen: SubscriptionInvoice, returned: Returned) -> bool:
    """False when the row has changed since it was ``seen``: what was read of Stripe may be older than that."""
    owner = Subscription.objects.select_for_update().get(pk=seen.subscription_id)
    row = SubscriptionInvoice.objects.select_for_update().get(pk=seen.pk)
    if row.returns != seen.returns:
        return False
    cents = min(row.paid_cents, returned.refunded + returned.disputed)
    if cents == row.returned_cents:
        return True
    if (row.paid_cents - cents) * NANO_PER_CENT < referrals.least_purchase():
        referrals.forfeit(reference_of(row.pk))
    before, after = _share(row, row.returned_cents), _share(row, cents)
    money = (cents - row.returned_cents) * NANO_PER_CENT
    parts = _take(owner, row, before, after) if after > before else _give(row, before, after)
    lines = Counter(
        {
            AccountKind.ALLOWANCE: -parts.taken,
            AccountKind.WRITTEN_OFF: -parts.uncovered,
            AccountKind.PROMO_EXPENSE: -parts.lapsed,
            AccountKind.STRIPE_CLEARING: money,
        }
    )
    # The house's part of the payment: a fee, or a gift on top of it.
    has_fee = row.paid_cents * NANO_PER_CENT > row.granted
    lines[AccountKind.FEES if has_fee else AccountKind.PROMO_EXPENSE] += after - before - money
    row.returns += 1
    row.returned_cents = cents
    row.taken += parts.taken
    row.uncovered += parts.uncovered
    row.save()
    is_disputed = returned.disputed > 0
    _post(owner, row, lines, kind=EntryKind.DISPUTE if is_disputed else EntryKind.REFUND)
    _freeze_or_allow(owner, parts, is_disputed=is_disputed)
    return True


@dataclass(frozen=True, slots=True)
class Parts:
    """Of allowance whose money went back, in nano-USD; below zero when it came again."""

    taken: int
    lapsed: int
    """Had expired unused: it was taken then."""
    uncovered: int
    """Had been spent."""


def _share(row: SubscriptionInvoice, cents: int) -> int:
    """Nano-USD of its allowance that so many cents stand for; all of them stand for all of it."""
    return row.granted * cents // row.paid_cents


def _take(owner: Subscription, row: SubscriptionInvoice, before: int, after: int) -> Parts:
    """What is left first, never what requests have on hold; then what has expired."""
    balance = Balance.objects.select_for_update().get(pk=owner.organization_id)
    lots.book_spending(balance)
    found = list(_lots(row))
    left = max(0, min(sum(lot.remaining for lot in found), balance.available))
    taken = min(after - before, left)
    lapsed = min(after - before - taken, _expired(found) - _lapsed(row, before))
    return Parts(taken, lapsed, after - before - taken - lapsed)


def _give(row: SubscriptionInvoice, before: int, after: int) -> Parts:
    """The other way round: the refund failed, or the dispute was won."""
    uncovered = min(before - after, row.uncovered)
    lapsed = min(before - after - uncovered, _lapsed(row, before))
    return Parts(-(before - after - uncovered - lapsed), -lapsed, -uncovered)


def _lapsed(row: SubscriptionInvoice, returned: int) -> int:
    return returned - row.taken - row.uncovered


def _lots(row: SubscriptionInvoice) -> QuerySet[CreditLot]:
    """Its own, and those with which it came again."""
    base = reference_of(row.pk)
    return CreditLot.objects.filter(Q(reference=base) | Q(reference__startswith=f"{base}:"))


def _expired(found: list[CreditLot]) -> int:
    mine = Q()
    for lot in found:
        mine |= Q(entry__reference__startswith=f"expiry:{lot.pk}:")
    if not mine:
        return 0
    lines = EntryLine.objects.filter(mine, account__kind=AccountKind.ALLOWANCE)
    return -(lines.aggregate(total=Sum("amount"))["total"] or 0)


def _post(
    owner: Subscription,
    row: SubscriptionInvoice,
    lines: Counter[AccountKind],
    *,
    kind: EntryKind,
) -> None:
    first = _lots(row).order_by("pk").first()
    ledger.post(
        Posting(
            reference=f"{reference_of(row.pk)}:{row.returns}",
            kind=kind,
            organization_id=owner.organization_id,
            lines=tuple((account, amount) for account, amount in lines.items() if amount),
            memo=f"{kind.label.partition(':')[0]} of {row.pk}",
            # When its time is over, the job takes what comes again.
            expires_at=first.expires_at if first else None,
        )
    )


def _freeze_or_allow(owner: Subscription, parts: Parts, *, is_disputed: bool) -> None:
    if parts.uncovered > 0 and is_disputed:
        accounts.freeze_spending(owner.organization_id, now=clock.now())
        log.error(
            "payments.spending_frozen",
            organization=owner.organization_id,
            subscription=owner.pk,
            uncovered=format_usd(parts.uncovered),
        )
    elif parts.uncovered < 0 and not owes(owner.organization_id):
        accounts.allow_spending(owner.organization_id)


def owes(organization_id: int) -> bool:
    """Whether credit had been spent whose money went back."""
    orders = Reversal.objects.filter(order__organization_id=organization_id, uncovered__gt=0)
    invoiced = SubscriptionInvoice.objects.filter(
        subscription__organization_id=organization_id, uncovered__gt=0
    )
    return orders.exclude(status=ReversalStatus.RETURNED).exists() or invoiced.exists()
