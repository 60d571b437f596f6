"""Which plans are sold, what they cost at this moment, and their prices at Stripe.

A plan's row is staff's to change; what somebody subscribes to is a row of its own that never changes. At Stripe a price is
made when it is first needed, so that nothing has to be set up there.
"""

from apps.accounts.selectors import PlanCard, find_public_plan
from apps.billing.models import PlanPrice
from apps.billing.services.orders import CURRENCY
from apps.billing.stripe.client import ask
from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.common.ids import new_id


def find_sold(plan: str) -> PlanCard:
    """Raises InvalidRequest for a plan that nobody can subscribe to."""
    card = find_public_plan(plan)
    if card is None:
        raise InvalidRequest(
            "'plan' is none of those at /v1/subscription/plans.", param="plan", code="invalid_value"
        )
    if not card.price_cents:
        reason = "is free" if card.price_cents == 0 else "is by agreement; write to us"
        raise InvalidRequest(
            f"There is nothing to subscribe to: this plan {reason}.",
            param="plan",
            code="invalid_value",
        )
    return card


def price_of(card: PlanCard) -> PlanPrice:
    """The terms of a sold plan as they are now."""
    assert card.price_cents
    price, _ = PlanPrice.objects.get_or_create(
        plan_id=card.slug,
        price_cents=card.price_cents,
        allowance=card.allowance,
        defaults={"token": new_id("plan"), "created_at": clock.now()},
    )
    return price


def ensure_at_stripe(price: PlanPrice) -> str:
    """Stripe's id of the price. The row's token makes the call, however often it is repeated, one price."""
    if price.stripe_id:
        return price.stripe_id
    made = ask(
        lambda stripe: stripe.v1.prices.create(
            {
                "currency": CURRENCY,
                "unit_amount": price.price_cents,
                "recurring": {"interval": "month"},
                "product_data": {"name": f"Gatewayz {price.plan.name}"},
                "metadata": {"plan": price.plan_id, "plan_price": str(price.pk)},
            },
            {"idempotency_key": price.token},
        )
    )
    PlanPrice.objects.filter(pk=price.pk, stripe_id=None).update(stripe_id=made["id"])
    return str(made["id"])


def find_by_stripe_id(stripe_id: str) -> PlanPrice | None:
    """By the very price, never by a name or an amount."""
    return PlanPrice.objects.filter(stripe_id=stripe_id).select_related("plan").first()
