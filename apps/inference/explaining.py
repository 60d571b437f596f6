"""Explaining: which hosts were considered for a request, what was known of them, and why others were left out.

Part of ``GET /v1/generation`` and all of ``POST /v1/route``. What is known of a host is noted when the plan is made; by
the end of the request it may be another.
"""

from math import isfinite
from typing import Any

import msgspec

from apps.catalog.cards import exact_usd
from apps.common.usage import Rates
from apps.inference.context import RequestContext
from apps.inference.planner import Considered, Rejection, Target

MOST_NOTED = 10
"""Of either kind in a record: one of a model with fifty hosts would be larger than most answers."""


def explain(context: RequestContext) -> dict[str, Any] | None:
    """The plan as JSON; None for a request that was refused before there was one."""
    if not context.targets and not context.rejected:
        return None
    noted = describe(context, most=MOST_NOTED)
    chosen = context.choice
    return noted if chosen is None else {**noted, "router": msgspec.to_builtins(chosen)}


def describe(context: RequestContext, *, most: int | None = None) -> dict[str, Any]:
    """``most`` bounds both lists; ``left_out`` says how many hosts are in neither."""
    considered, rejected = context.considered[:most], context.rejected[:most]
    everybody = len(context.considered) + len(context.rejected)
    has_policy = context.key is not None and context.key.provider_policy is not None
    return {
        "sort": context.sorted_by,
        **({"key_policy": True} if has_policy else {}),
        "candidates": [_candidate(found, context.estimated_input) for found in considered],
        "rejected": [_rejected(rejection) for rejection in rejected],
        "left_out": everybody - len(considered) - len(rejected),
    }


def _candidate(found: Considered, input_tokens: int) -> dict[str, Any]:
    health = found.health
    return {
        **_host(found.target),
        "reason": found.reason.value,
        # Nothing known comes last: JSON has no infinity.
        "score": [float(part) if isfinite(part) else None for part in found.score],
        "priority": [found.target.offering.priority, found.target.offering.provider.priority],
        "pricing": _pricing(found.target.rates.at(input_tokens)),
        "requests": health.requests,
        "error_rate": round(health.errors, 4) if health.requests else None,
        "first_token_ms": _rounded(health.first_content_ms),
        "latency_ms": _rounded(health.latency_ms),
        "tokens_per_second": _rounded(health.tokens_per_second),
        "ailing": found.is_ailing,
    }


def _rejected(rejection: Rejection) -> dict[str, Any]:
    told = {**_host(rejection.target), "why": rejection.why.value}
    return {**told, "detail": rejection.detail} if rejection.detail else told


def _host(target: Target) -> dict[str, Any]:
    told = {"provider": target.offering.provider.slug, "model": target.offering.model_id}
    return {**told, "is_byok": True} if target.is_byok else told


def _pricing(rates: Rates) -> dict[str, str]:
    """Dollars for a million tokens, as exact decimals."""
    return {"prompt": _per_million(rates.input), "completion": _per_million(rates.output)}


def _per_million(nano: int) -> str:
    return exact_usd(nano, digits=9)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
