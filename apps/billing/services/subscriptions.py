"""Subscriptions: what Stripe says of one now, and what follows here: the plan, the allowance, what people are told.

    compare     asks Stripe and does what is missing; safe at any time, in any order, any number of times

Whoever hears of a subscription, a webhook, the payer who comes back, or the sweep, calls it. The answer of a call may be
older than what somebody else has written meanwhile: a row that has changed since it was read is read again.

A downgrade changes the price at Stripe at once, without proration, so that the next period is billed with it. Until then
the subscription's metadata there name the terms in force: one call, and nothing to do when the period ends.
"""

import datetime
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from apps.accounts import notices
from apps.accounts import services as accounts
from apps.accounts.notices import SubscriptionEnded
from apps.billing.models import (
    ENTITLED,
    LIVE,
    WAITING,
    PlanPrice,
    Subscription,
    SubscriptionStatus,
)
from apps.billing.services import customers, plan_prices, subscription_invoices
from apps.billing.services.orders import CURRENCY
from apps.billing.services.subscription_invoices import Bill, moment
from apps.billing.stripe.client import Json, ask
from apps.common import clock
from apps.common.errors import NotFound, ServiceUnavailable

log = structlog.get_logger(__name__)

ATTEMPTS = 10
IN_FORCE, UNTIL = "price_in_force", "in_force_until"
"""Names in the metadata at Stripe: the terms that end with the period, and its end in seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What Stripe says, in our words."""

    status: SubscriptionStatus
    price: PlanPrice
    next_price: PlanPrice | None
    period_start: datetime.datetime
    period_end: datetime.datetime
    cancel_at_period_end: bool
    ended_at: datetime.datetime | None


class Unexpected(ValueError):
    """A subscription at Stripe is not what was ordered here; says why."""


def current(organization_id: int) -> Subscription | None:
    """The live one; else the latest that was paid for or is to be."""
    mine = Subscription.objects.filter(organization_id=organization_id)
    mine = mine.select_related("price__plan", "next_price")
    return (
        mine.filter(status__in=LIVE).first()
        or mine.exclude(status=SubscriptionStatus.EXPIRED).order_by("-pk").first()
    )


def require_live(organization_id: int) -> Subscription:
    """Raises NotFound when there is none."""
    mine = Subscription.objects.filter(organization_id=organization_id, status__in=LIVE)
    row = mine.select_related("price__plan", "next_price").first()
    if row is None:
        raise NotFound("This organisation has no subscription.")
    return row


def find(organization_id: int, name: str) -> Subscription:
    """By our id or Stripe's. Raises NotFound, for what belongs to others too."""
    mine = Subscription.objects.filter(organization_id=organization_id)
    mine = mine.select_related("price__plan", "next_price")
    row = mine.filter(Q(pk=name) | Q(session_id=name) | Q(stripe_id=name)).first()
    if row is None:
        raise NotFound("This organisation has no such subscription.", param="subscription_id")
    return row


def metadata_of(row: Subscription) -> dict[str, str]:
    """What it carries at Stripe, to be recognised by."""
    return {"subscription": row.pk, "organization": str(row.organization_id)}


def compare(row: Subscription) -> Subscription:
    """As Stripe has it now. Raises StripeAway when it cannot be asked."""
    Subscription.objects.filter(pk=row.pk).update(checked_at=clock.now())
    customer_id = customers.customer_id_of(row.organization_id)
    for _ in range(ATTEMPTS):
        seen = Subscription.objects.get(pk=row.pk)
        if not seen.stripe_id:
            return seen
        found = read(seen.stripe_id)
        # Afterwards: the invoice that has made it active is among them.
        bills = subscription_invoices.read_bills(seen, customer_id=customer_id)
        if _write(seen, found, bills, customer_id=customer_id):
            return Subscription.objects.select_related("price__plan", "next_price").get(pk=row.pk)
    raise ServiceUnavailable("The subscription is changing; try again.")


def read(stripe_id: str) -> Json:
    return ask(lambda stripe: stripe.v1.subscriptions.retrieve(stripe_id))


@transaction.atomic
def _write(seen: Subscription, found: Json, bills: list[Bill], *, customer_id: str | None) -> bool:
    """False when the row has changed since it was ``seen``: what was read of Stripe may be older than that."""
    row = Subscription.objects.select_for_update().get(pk=seen.pk)
    if row.revision != seen.revision:
        return False
    try:
        standing = standing_of(row, found, customer_id=customer_id)
    except Unexpected as problem:
        _quarantine(row, str(problem))
        return True
    start, end = int(standing.period_start.timestamp()), int(standing.period_end.timestamp())
    before = row.price if row.status in ENTITLED else None
    _take_over(row, standing)
    subscription_invoices.apply_bills(row, bills, {end: start}, customer_id=customer_id)
    _give_plan(row, before)
    return True


def standing_of(row: Subscription, found: Json, *, customer_id: str | None) -> Standing:
    """Raises Unexpected."""
    metadata = found.get("metadata") or {}
    if found["customer"] is None or found["customer"] != customer_id:
        raise Unexpected(f"of {found['customer']}, who is not this organisation")
    if any(metadata.get(name) != value for name, value in metadata_of(row).items()):
        raise Unexpected("it names another subscription or organisation")
    if found["currency"] != CURRENCY:
        raise Unexpected(f"in {found['currency']}")
    status = SubscriptionStatus(found["status"])
    if status in LIVE and _has_another(row):
        raise Unexpected("the organisation has another subscription")
    # What has ended is over, whatever had become of its price.
    billed = _price_billed(found) if status in LIVE else row.price
    in_force = _price_in_force(found, billed)
    item = found["items"]["data"][0]
    return Standing(
        status=status,
        price=in_force,
        next_price=None if in_force == billed else billed,
        period_start=moment(item["current_period_start"]),
        period_end=moment(item["current_period_end"]),
        cancel_at_period_end=ends_with_period(found),
        ended_at=moment(found["ended_at"]) if found["ended_at"] else None,
    )


def ends_with_period(found: Json) -> bool:
    """Also when a date says so, as Stripe's own pages do."""
    end = found["items"]["data"][0]["current_period_end"]
    return bool(found["cancel_at_period_end"]) or (found["cancel_at"] or end + 1) <= end


def _price_billed(found: Json) -> PlanPrice:
    """Raises Unexpected."""
    items = found["items"]["data"]
    if len(items) != 1 or items[0]["quantity"] != 1:
        raise Unexpected("it is not one plan")
    price = items[0]["price"]
    billed = plan_prices.find_by_stripe_id(price["id"])
    if billed is None:
        raise Unexpected(f"{price['id']} is no price of ours")
    if price["unit_amount"] != billed.price_cents:
        raise Unexpected(f"{price['unit_amount']} cents a month, not {billed.price_cents}")
    return billed


def _price_in_force(found: Json, billed: PlanPrice) -> PlanPrice:
    """The terms until the period's end, where a downgrade from them waits for that; else those that are billed."""
    metadata = found.get("metadata") or {}
    if metadata.get(UNTIL) != str(found["items"]["data"][0]["current_period_end"]):
        return billed
    kept = plan_prices.find_by_stripe_id(metadata.get(IN_FORCE) or "")
    return billed if kept is None or kept.price_cents < billed.price_cents else kept


def _has_another(row: Subscription) -> bool:
    others = Subscription.objects.filter(organization_id=row.organization_id, status__in=LIVE)
    return others.exclude(pk=row.pk).exists()


def _take_over(row: Subscription, standing: Standing) -> None:
    told = {name: getattr(standing, name) for name in Standing.__slots__}
    told["problem"] = ""
    if all(getattr(row, name) == value for name, value in told.items()):
        return
    for name, value in told.items():
        setattr(row, name, value)
    row.revision += 1
    row.save()
    log.info(
        "payments.subscription",
        subscription=row.pk,
        organization=row.organization_id,
        status=row.status,
        plan=row.price.plan_id,
    )


def _give_plan(row: Subscription, before: PlanPrice | None) -> None:
    """The plan changes when the subscription does, and only then: what staff have given meanwhile stays."""
    after = row.price if row.status in ENTITLED else None
    if after is not None and (before is None or before.plan_id != after.plan_id):
        accounts.assign_plan(row.organization_id, plan=after.plan_id)
    elif after is None and before is not None:
        accounts.leave_plan(row.organization_id, plan=before.plan_id)
        notices.notify(
            row.organization_id,
            SubscriptionEnded(plan=before.plan.name),
            reference=f"subscription-ended:{row.pk}:{row.revision}",
        )


def quarantine(row: Subscription, problem: str) -> None:
    with transaction.atomic():
        _quarantine(Subscription.objects.select_for_update().get(pk=row.pk), problem)


def _quarantine(row: Subscription, problem: str) -> None:
    """Staff look at it, and are told once. One that was in order stays what it was, and gives nothing meanwhile."""
    if row.problem == problem[:200]:
        return
    log.error(
        "payments.quarantined",
        subscription=row.pk,
        organization=row.organization_id,
        problem=problem,
    )
    row.problem = problem[:200]
    if row.status not in LIVE:
        row.status = SubscriptionStatus.QUARANTINED
    row.revision += 1
    row.save()


def close(row: Subscription, problem: str) -> None:
    """Nobody has paid, and nobody can any more."""
    waiting = Subscription.objects.filter(pk=row.pk, status__in=WAITING)
    waiting.update(status=SubscriptionStatus.EXPIRED, problem=problem)


def to_compare(now: datetime.datetime, *, most: int) -> list[Subscription]:
    """Those that somebody should ask Stripe about: they wait, they should have been renewed, or it was long ago."""
    soon = now - settings.ORDER_CHECKED_AFTER
    late = now - settings.SUBSCRIPTION_CHECKED_AFTER
    waiting = Q(status__in=WAITING, created_at__lt=soon)
    renewing = Q(status__in=LIVE, period_end__lt=soon)
    due = (waiting | renewing) & (Q(checked_at=None) | Q(checked_at__lt=soon))
    due |= Q(status__in=LIVE) & (Q(checked_at=None) | Q(checked_at__lt=late))
    return list(Subscription.objects.filter(due).order_by("checked_at", "pk")[:most])
