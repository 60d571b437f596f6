"""Changes of a subscription that its owner asks for. Each is one call to Stripe; what then is, ``compare`` reads from it.

    upgrade     at once: the difference for the rest of the period is charged, and its allowance given; or nothing happens
    downgrade   when the period ends: no refund, and no allowance is taken
    cancel      when the period ends, or now
    resume      takes back what waits for the period's end

The same change twice is one: a subscription that has the wanted price already has nothing to prorate.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from apps.accounts.selectors import PlanCard, is_first_plan
from apps.billing.models import PlanPrice, Subscription, SubscriptionStatus
from apps.billing.services import plan_prices, subscription_invoices, subscriptions
from apps.billing.services.subscription_invoices import Unexplained, moment
from apps.billing.services.subscriptions import IN_FORCE, UNTIL
from apps.billing.stripe.client import Json, ask
from apps.common import clock
from apps.common.errors import InvalidRequest, NotFound, PaymentDeclined

PREVIEW_HOLDS = datetime.timedelta(hours=1)
IN_ORDER = (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an upgrade costs and brings at a moment."""

    price: PlanPrice
    due_cents: int
    """Charged at once."""
    allowance: int
    """Nano-USD given at once."""
    prorated_at: datetime.datetime
    period_end: datetime.datetime


def preview_upgrade(row: Subscription, plan: str) -> Preview:
    """Raises InvalidRequest, PaymentDeclined as ``upgrade`` does."""
    row, price = _prepare_upgrade(subscriptions.compare(row), plan)
    found = subscriptions.read(_at_stripe(row))
    params: Any = {
        "customer": found["customer"],
        "subscription": found["id"],
        "subscription_details": {
            "items": [_item(found, price)],
            "proration_behavior": "always_invoice",
        },
    }
    invoice = ask(lambda stripe: stripe.v1.invoices.create_preview(params))
    lines = invoice["lines"]["data"]
    start, end = _period_of(found)
    periods = {**subscription_invoices.known_periods(row), end: start}
    try:
        earned = subscription_invoices.earned_by(lines, periods)
    except Unexplained as error:
        raise _looked_at() from error
    starts = [line["period"]["start"] for line in lines if line["period"]["end"] == end]
    return Preview(
        price=price,
        due_cents=invoice["amount_due"],
        allowance=max(0, subscription_invoices.due_before(row) + earned),
        prorated_at=moment(max(starts, default=int(clock.now().timestamp()))),
        period_end=moment(end),
    )


def upgrade(row: Subscription, plan: str, *, prorated_at: datetime.datetime | None) -> Subscription:
    """To a dearer plan, now. ``prorated_at`` is a preview's: then exactly what it said is charged.

    Raises InvalidRequest, and PaymentDeclined when the card is refused: then nothing has changed.
    """
    row = subscriptions.compare(row)
    if row.price.plan_id == plan and row.next_price is None:
        return row  # asked again after an answer that was lost
    if prorated_at is not None and not (
        datetime.timedelta() <= clock.now() - prorated_at <= PREVIEW_HOLDS
    ):
        raise InvalidRequest(
            "'prorated_at' must be that of a preview of the last hour.",
            param="prorated_at",
            code="invalid_value",
        )
    row, price = _prepare_upgrade(row, plan)
    found = subscriptions.read(_at_stripe(row))
    params: Any = {
        "items": [_item(found, price)],
        "proration_behavior": "always_invoice",
        "payment_behavior": "error_if_incomplete",
        "off_session": True,
    }
    if prorated_at is not None:
        params["proration_date"] = int(prorated_at.timestamp())
    _change(row, params)
    return subscriptions.compare(row)


def _prepare_upgrade(row: Subscription, plan: str) -> tuple[Subscription, PlanPrice]:
    """Raises InvalidRequest and PaymentDeclined when it cannot be."""
    card = plan_prices.find_sold(plan)
    _require_in_order(row)
    _require_nothing_planned(row)
    if _cents(card) <= row.price.price_cents:
        raise InvalidRequest(
            "This plan costs no more than yours: /api/stripe/subscription/downgrade leads there.",
            param="plan",
            code="invalid_value",
        )
    price = plan_prices.price_of(card)
    plan_prices.ensure_at_stripe(price)
    return row, price


def downgrade(row: Subscription, plan: str) -> Subscription:
    """To a cheaper plan when the period ends; the free one is a cancellation. Raises InvalidRequest, PaymentDeclined."""
    if is_first_plan(plan):
        return cancel(row, at_period_end=True)
    row = subscriptions.compare(row)
    card = plan_prices.find_sold(plan)
    _require_in_order(row)
    if row.cancel_at_period_end:
        _require_nothing_planned(row)
    if _cents(card) >= row.price.price_cents:
        raise InvalidRequest(
            "This plan costs no less than yours: /api/stripe/subscription/upgrade leads there.",
            param="plan",
            code="invalid_value",
        )
    price = plan_prices.price_of(card)
    plan_prices.ensure_at_stripe(price)
    found = subscriptions.read(_at_stripe(row))
    _, end = _period_of(found)
    in_force = plan_prices.ensure_at_stripe(row.price)
    _change(
        row,
        {
            "items": [_item(found, price)],
            "proration_behavior": "none",
            "metadata": {IN_FORCE: in_force, UNTIL: str(end)},
        },
    )
    return subscriptions.compare(row)


def cancel(row: Subscription, *, at_period_end: bool) -> Subscription:
    """No money goes back; the allowance that was paid for stays until the period ends."""
    row = subscriptions.compare(row)
    if row.ended_at is not None or (at_period_end and row.cancel_at_period_end):
        return row
    if at_period_end:
        _change(row, {"cancel_at_period_end": True})
    else:
        stripe_id = _at_stripe(row)
        ask(lambda stripe: stripe.v1.subscriptions.cancel(stripe_id, {"prorate": False}))
    return subscriptions.compare(row)


def resume(row: Subscription) -> Subscription:
    """It goes on as it is: neither a cancellation nor a downgrade waits any more. Raises NotFound when it has ended."""
    row = subscriptions.compare(row)
    if row.ended_at is not None:
        raise NotFound(
            "The subscription has ended; begin another at /api/stripe/subscription-checkout."
        )
    if not row.cancel_at_period_end and row.next_price is None:
        return row
    found = subscriptions.read(_at_stripe(row))
    params: Json = {}
    if found["cancel_at_period_end"]:
        params["cancel_at_period_end"] = False
    elif found["cancel_at"]:
        params["cancel_at"] = ""
    if row.next_price is not None:
        params |= {
            "items": [_item(found, row.price)],
            "proration_behavior": "none",
            "metadata": {IN_FORCE: "", UNTIL: ""},
        }
    _change(row, params)
    return subscriptions.compare(row)


def _change(row: Subscription, params: Any) -> None:
    stripe_id = _at_stripe(row)
    ask(lambda stripe: stripe.v1.subscriptions.update(stripe_id, params))


def _item(found: Json, price: PlanPrice) -> Json:
    """The one item with another price."""
    return {"id": found["items"]["data"][0]["id"], "price": plan_prices.ensure_at_stripe(price)}


def _period_of(found: Json) -> tuple[int, int]:
    item = found["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def _at_stripe(row: Subscription) -> str:
    assert row.stripe_id  # every live one has it; a constraint says so
    return row.stripe_id


def _cents(card: PlanCard) -> int:
    assert card.price_cents
    return card.price_cents


def _looked_at() -> InvalidRequest:
    return InvalidRequest("The subscription is being looked at; write to support.")


def _require_in_order(row: Subscription) -> None:
    if row.problem:
        raise _looked_at()
    if row.ended_at is not None:
        raise NotFound(
            "The subscription has ended; begin another at /api/stripe/subscription-checkout."
        )
    if row.status not in IN_ORDER:
        raise PaymentDeclined(
            "The last invoice of the subscription is not paid: pay it first, /api/stripe/invoices has its page."
        )


def _require_nothing_planned(row: Subscription) -> None:
    if row.cancel_at_period_end or row.next_price is not None:
        raise InvalidRequest(
            "The subscription ends or changes with its period: take that back first, at /api/stripe/subscription/resume.",
            code="invalid_value",
        )
