"""What the invoices of a subscription bring: the allowance of each paid period, once.

A line of a full period stands for the whole allowance of its price. A line of a proration stands for the share of the
period that it covers, the old price's against, the new one's for: an upgrade brings the difference for the rest.

What all paid invoices stand for is compared with what was given for them, and the rest is given. So whoever tells of an
invoice, however often, it is given once; and what money went back for counts against the next.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import structlog
from django.db.models import Sum

from apps.accounts import notices
from apps.accounts.notices import PaymentFailed, SubscriptionPaid
from apps.billing.models import (
    AccountKind,
    EntryKind,
    InvoiceStatus,
    PlanPrice,
    Subscription,
    SubscriptionInvoice,
)
from apps.billing.services import ledger, plan_prices
from apps.billing.services.orders import CURRENCY, NANO_PER_CENT
from apps.billing.services.referrals import complete_referral
from apps.billing.services.values import Posting
from apps.billing.stripe.client import Json, ask
from apps.common.errors import PaymentDeclined

log = structlog.get_logger(__name__)

PAGE = 100
FIRST = "subscription_create"
RENEWAL = "subscription_cycle"
"""Stripe's words for why there is an invoice."""
Periods = Mapping[int, int]
"""The start of each known period by its end; seconds."""


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice as Stripe has it now."""

    invoice: Json
    lines: list[Json]
    """Of a paid one that is not settled here; empty otherwise."""


class Unexplained(ValueError):
    """An invoice is not what was subscribed to; says why."""


def read_bills(row: Subscription, *, customer_id: str | None) -> list[Bill]:
    """All invoices of a subscription, the oldest first. Renewals that wait for an hour to pass are collected now."""
    settled = set(row.invoices.filter(status=InvoiceStatus.PAID).values_list("pk", flat=True))
    found = _list(row.stripe_id or "")
    drafts = [one for one in found if _waits(one) and one["customer"] == customer_id]
    if drafts:
        for draft in drafts:
            _collect(draft["id"])
        found = _list(row.stripe_id or "")
    return [
        Bill(one, _lines(one["id"]) if one["status"] == "paid" and one["id"] not in settled else [])
        for one in found[::-1]
    ]


def _list(subscription_id: str) -> list[Json]:
    """The newest first."""
    found: list[Json] = []
    more: dict[str, str] = {}
    while True:
        params: Json = {"subscription": subscription_id, "limit": PAGE, **more}
        page = ask(lambda stripe, params=params: stripe.v1.invoices.list(params))  # type: ignore[misc]
        found += page["data"]
        if not page["has_more"]:
            return found
        more = {"starting_after": found[-1]["id"]}


def _waits(invoice: Json) -> bool:
    return (
        invoice["status"] == "draft"
        and invoice["billing_reason"] == RENEWAL
        and bool(invoice["auto_advance"])
    )


def _collect(invoice_id: str) -> None:
    """Stripe leaves a renewal a draft for an hour, in which the organisation would have no allowance
    (https://docs.stripe.com/billing/invoices/subscription, 2026-11)."""
    ask(
        lambda stripe: stripe.v1.invoices.finalize_invoice(
            invoice_id, {"auto_advance": True}, {"idempotency_key": f"{invoice_id}:finalize"}
        )
    )
    try:
        ask(
            lambda stripe: stripe.v1.invoices.pay(
                invoice_id, {"off_session": True}, {"idempotency_key": f"{invoice_id}:pay"}
            )
        )
    except PaymentDeclined:
        log.info("payments.renewal_declined", invoice=invoice_id)


def _lines(invoice_id: str) -> list[Json]:
    """Up to a hundred: an invoice itself shows ten."""
    page = ask(lambda stripe: stripe.v1.invoices.line_items.list(invoice_id, {"limit": PAGE}))
    rows: list[Json] = page["data"]
    return rows


def earned_by(lines: Iterable[Json], periods: Periods) -> int:
    """Nano-USD of allowance that the lines stand for; below zero when more goes back than comes. Raises Unexplained."""
    earned = Fraction(0)
    for line in lines:
        allowance = _price_of(line).allowance * quantity_of(line)
        if not is_proration(line):
            earned += allowance if line["amount"] else 0
            continue
        start, end = line["period"]["start"], line["period"]["end"]
        if end not in periods:
            raise Unexplained(f"nobody knows the period that ends at {end}")
        sign = -1 if line["amount"] < 0 else 1 if line["amount"] else 0
        earned += Fraction(sign * allowance * (end - start), end - periods[end])
    # Half up, as everywhere.
    return (2 * earned.numerator + earned.denominator) // (2 * earned.denominator)


def is_proration(line: Json) -> bool:
    parent = line["parent"] or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return bool(details.get("proration"))


def quantity_of(line: Json) -> int:
    """A line that names none is about one."""
    quantity: int | None = line["quantity"]
    return 1 if quantity is None else quantity


def full_periods(lines: Iterable[Json]) -> dict[int, int]:
    return {
        line["period"]["end"]: line["period"]["start"] for line in lines if not is_proration(line)
    }


def _price_of(line: Json) -> PlanPrice:
    """Raises Unexplained for a line that is not about a plan of ours."""
    named = ((line.get("pricing") or {}).get("price_details") or {}).get("price") or ""
    price = plan_prices.find_by_stripe_id(named)
    if price is None:
        raise Unexplained(f"{named or 'a line without a price'} is no price of ours")
    return price


def due_before(row: Subscription) -> int:
    """Nano-USD that paid invoices stand for and that were not given; below zero after money went back."""
    sums = row.invoices.filter(status=InvoiceStatus.PAID).aggregate(
        earned=Sum("earned"), granted=Sum("granted")
    )
    return (sums["earned"] or 0) - (sums["granted"] or 0)


def known_periods(row: Subscription) -> dict[int, int]:
    """Those that were paid."""
    paid = row.invoices.filter(status=InvoiceStatus.PAID)
    return {
        int(end.timestamp()): int(start.timestamp())
        for start, end in paid.values_list("period_start", "period_end")
        if start and end
    }


def apply_bills(
    row: Subscription, bills: Iterable[Bill], periods: Periods, *, customer_id: str | None
) -> None:
    """Give what paid invoices bring, and tell of those that could not be paid. The caller has locked the row.

    ``periods`` are those that Stripe has told of beside the invoices.
    """
    for bill in bills:
        if bill.lines:
            _settle(row, bill, periods, customer_id=customer_id)
        elif bill.invoice["status"] == "open":
            _tell_of_failure(row, bill.invoice)


def _settle(row: Subscription, bill: Bill, periods: Periods, *, customer_id: str | None) -> None:
    invoice = bill.invoice
    full = full_periods(bill.lines)
    try:
        _compare(row, bill, customer_id=customer_id)
        earned = earned_by(bill.lines, {**periods, **known_periods(row), **full})
    except Unexplained as problem:
        _quarantine(row, invoice, str(problem))
        return
    granted = max(0, due_before(row) + earned)
    ends_at = moment(max(line["period"]["end"] for line in bill.lines))
    paid: int = invoice["amount_paid"]
    _post(row, invoice["id"], granted=granted, paid_cents=paid, expires_at=ends_at)
    end = max(full, default=None)
    SubscriptionInvoice.objects.update_or_create(
        pk=invoice["id"],
        defaults={
            "subscription": row,
            "status": InvoiceStatus.PAID,
            "reason": invoice["billing_reason"] or "",
            "paid_cents": paid,
            "earned": earned,
            "granted": granted,
            "period_start": None if end is None else moment(full[end]),
            "period_end": None if end is None else moment(end),
            "problem": "",
            "invoiced_at": moment(invoice["created"]),
        },
    )
    complete_referral(
        row.organization_id,
        purchase_nano_usd=paid * NANO_PER_CENT,
        reference=reference_of(invoice["id"]),
    )
    notices.notify(
        row.organization_id,
        SubscriptionPaid(
            plan=_price_of(bill.lines[-1]).plan.name,
            paid_cents=paid,
            allowance_nano_usd=granted,
            ends_at=ends_at,
            invoice=invoice["number"] or invoice["id"],
            invoice_url=invoice["hosted_invoice_url"] or "",
        ),
        reference=f"subscription-paid:{invoice['id']}",
    )
    log.info(
        "payments.subscription_paid",
        subscription=row.pk,
        organization=row.organization_id,
        invoice=invoice["id"],
    )


def reference_of(invoice_id: str) -> str:
    return f"subscription:{invoice_id}"


def _compare(row: Subscription, bill: Bill, *, customer_id: str | None) -> None:
    """Raises Unexplained when the invoice is not what was subscribed to."""
    invoice = bill.invoice
    if invoice["customer"] is None or invoice["customer"] != customer_id:
        raise Unexplained(f"paid by {invoice['customer']}, who is not this organisation")
    if invoice["currency"] != CURRENCY:
        raise Unexplained(f"paid in {invoice['currency']}")
    if invoice["amount_remaining"]:
        raise Unexplained(f"{invoice['amount_remaining']} cents of it are not paid")
    if sum(line["amount"] for line in bill.lines) != invoice["subtotal"]:
        raise Unexplained("its lines are not its sum")
    for line in bill.lines:
        price = _price_of(line)
        expected = price.price_cents * quantity_of(line)
        if line["amount"] not in (0, expected) and not is_proration(line):
            raise Unexplained(f"{line['amount']} cents for {price}")


def _post(
    row: Subscription,
    invoice_id: str,
    *,
    granted: int,
    paid_cents: int,
    expires_at: datetime.datetime,
) -> None:
    paid = paid_cents * NANO_PER_CENT
    difference = paid - granted
    lines = (
        (AccountKind.ALLOWANCE, granted),
        (AccountKind.STRIPE_CLEARING, -paid),
        # What the plan costs beyond its allowance is ours; what the allowance is worth beyond that is a gift.
        (AccountKind.FEES if difference > 0 else AccountKind.PROMO_EXPENSE, difference),
    )
    changes = tuple(line for line in lines if line[1])
    if not changes:
        return
    ledger.post(
        Posting(
            reference=reference_of(invoice_id),
            kind=EntryKind.SUBSCRIPTION,
            organization_id=row.organization_id,
            lines=changes,
            memo=f"Allowance until {expires_at:%Y-%m-%d %H:%M} UTC: {row.pk}",
            expires_at=expires_at,
        )
    )


def _quarantine(row: Subscription, invoice: Json, problem: str) -> None:
    """Nothing is given; staff look at it. Looked at anew whenever the subscription is compared, told of once."""
    known = row.invoices.filter(pk=invoice["id"]).first()
    if known is not None and known.problem == problem[:200]:
        return
    SubscriptionInvoice.objects.update_or_create(
        pk=invoice["id"],
        defaults={
            "subscription": row,
            "status": InvoiceStatus.QUARANTINED,
            "reason": invoice["billing_reason"] or "",
            "paid_cents": invoice["amount_paid"],
            "problem": problem[:200],
            "invoiced_at": moment(invoice["created"]),
        },
    )
    log.error(
        "payments.quarantined",
        subscription=row.pk,
        organization=row.organization_id,
        invoice=invoice["id"],
        problem=problem,
    )


def _tell_of_failure(row: Subscription, invoice: Json) -> None:
    """Of each attempt once. The first payment fails before the customer's eyes."""
    attempts: int = invoice["attempt_count"]
    if not attempts or invoice["billing_reason"] == FIRST:
        return
    notices.notify(
        row.organization_id,
        PaymentFailed(
            amount_cents=invoice["amount_remaining"],
            what_for="your subscription",
            is_given_up=invoice["next_payment_attempt"] is None,
        ),
        reference=f"subscription-failed:{invoice['id']}:{attempts}",
    )


def moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
