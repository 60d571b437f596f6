"""Costs: what an answer has used, and what that costs its client."""

from apps.billing.services import rating
from apps.common.money import nano_to_usd
from apps.common.usage import Usage
from apps.inference.canonical.codec import PriceUsage
from apps.inference.context import RequestContext
from apps.inference.outcomes import final_usage
from apps.inference.planner import Target
from apps.inference.relay import Json, Tally


def final_usage_of(context: RequestContext, target: Target, tally: Tally) -> Usage:
    """What the answer has used, as its client is told and billed."""
    facts = context.facts_at(target)
    allowed = (facts.max_output_tokens, target.offering.max_output_tokens)
    usage, _ = final_usage(
        tally,
        estimated_input=context.estimated_input,
        context_length=target.offering.context_length,
        most_output=min(filter(None, allowed), default=None),
        choices=facts.choices,
        units=facts.units,
        body_bytes=len(context.body),
    )
    return usage


def cost_of(context: RequestContext, usage: Usage, target: Target) -> int:
    """Nano-USD. What a host says beyond the ``max_cost`` of the request is not the client's to pay."""
    cost = rating.cost(usage, target.rates).total
    return cost if context.max_cost is None else min(cost, context.max_cost)


def price_usage(context: RequestContext, target: Target) -> PriceUsage:
    """Usage to the cost fields of the client's ``usage``: dollars, in all and by part."""

    def price(usage: Usage) -> Json:
        cost = rating.cost(usage, target.rates)
        return {
            "cost": nano_to_usd(cost_of(context, usage, target)),
            # Told of every answer: a provider that is a gateway itself speaks of its own customer, the house.
            "is_byok": target.is_byok,
            "cost_details": {
                **(_upstream(usage, target) if target.is_byok else {}),
                "input": nano_to_usd(cost.input),
                "cache_read": nano_to_usd(cost.cache_read),
                "cache_write": nano_to_usd(cost.cache_write),
                "output": nano_to_usd(cost.output),
                "reasoning": nano_to_usd(cost.reasoning),
                "request": nano_to_usd(cost.request),
                **({"audio": nano_to_usd(cost.audio)} if cost.audio else {}),
                **({"units": nano_to_usd(cost.units)} if cost.units else {}),
            },
        }

    return price


def _upstream(usage: Usage, target: Target) -> Json:
    """What the provider bills its own customer, as far as its price is known here; in OpenRouter's words."""
    return {"upstream_inference_cost": nano_to_usd(rating.list_price(usage, target.rates))}
