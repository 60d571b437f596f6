"""Admission: who may ask for what, and whether it is paid for. Nothing is spent and nothing is kept for a refusal.

key → body → (choosing.py: model and targets) → limits → hold
"""

import asyncio
import datetime
from functools import partial

import orjson
from msgspec.structs import replace

from apps.billing.selectors import trial_that_ended
from apps.billing.services import budgets, rating
from apps.billing.services.known_budgets import Spender, Terms, known_budgets, terms_for
from apps.billing.services.values import HoldDecision, HoldRequest
from apps.catalog.providers.spec import Wire
from apps.common import clock, json
from apps.common.db import run_db, to_iso
from apps.common.errors import (
    InsufficientCredits,
    InvalidRequest,
    RateLimited,
    ServiceUnavailable,
    SpendingFrozen,
    TrialExpired,
)
from apps.common.money import format_usd, nano_to_usd
from apps.common.ratelimit import Acquire, Limits, Peek, Verdict
from apps.inference import cost_limit, tags
from apps.inference.context import RequestContext
from apps.inference.cover import Cover
from apps.inference.planner import Target
from apps.inference.relay import Body, Json
from apps.inference.requests.forms import read_form
from apps.inference.runtime import Runtime
from apps.inference.settlement import LEDGER_AWAY
from apps.keys.authenticate import authenticate, read_secret
from apps.keys.selectors import KeySnapshot

MOST_NESTING = 200
MOST_CHANGES = 3
"""Times that a hold is asked for again because a budget was changed at that moment."""

ANTHROPIC_VERSIONS: dict[str, tuple[str, ...]] = {
    "2023-06-01": (),
    "2026-10-21": ("temperature", "top_p", "top_k"),
}
"""Each version with the fields that it no longer takes."""

_LIMIT_CODES = {
    "requests": ("rate_limit_exceeded", "requests per minute"),
    "tokens": ("token_limit_exceeded", "tokens per minute"),
    "concurrency": ("concurrency_limit_exceeded", "requests at a time"),
}


async def identify(context: RequestContext) -> None:
    """Raises Unauthenticated."""
    secret = read_secret(
        authorization=context.headers.get("authorization"),
        x_api_key=context.headers.get("x-api-key") or context.headers.get("x-goog-api-key"),
    )
    context.key = await authenticate(secret)


def read_body(context: RequestContext) -> Body:
    """The body, checked. Raises InvalidRequest naming the field."""
    surface = context.surface
    tags.of_headers(context.headers)
    if surface.read_form is not None:
        form = read_form(context.body, context.headers.get("content-type", ""))
        context.facts = surface.read_form(form)
        return form
    if surface.read is not None:
        context.facts = surface.read(context.body)
    try:
        body: Json = json.loads(context.body)
        if context.body.count(b"{") + context.body.count(b"[") > MOST_NESTING:
            # Only a body with so many brackets can be nested deeper than it could be written again.
            orjson.dumps([[[[[[[[body]]]]]]]])
    except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
        raise InvalidRequest(
            "The body is not valid JSON: its text must be UTF-8, its numbers finite, its nesting moderate.",
            code="invalid_json",
        ) from error
    if surface.wire is Wire.ANTHROPIC_MESSAGES:
        _check_version(context.headers.get("anthropic-version"), body)
    if surface.read_json is not None:
        if not isinstance(body, dict):
            raise InvalidRequest("The body must be a JSON object.", code="invalid_type")
        body |= context.path_fields
        context.facts = surface.read_json(body)
    return body


def _check_version(version: str | None, body: Json) -> None:
    """What a version of Anthropic's API refuses is refused for every host. Raises InvalidRequest naming the field.

    https://platform.claude.com/docs/en/api/versioning; without the header the first of them is meant.
    """
    if version is None:
        return
    if version not in ANTHROPIC_VERSIONS:
        raise InvalidRequest(
            f"'anthropic-version' must be one of {', '.join(ANTHROPIC_VERSIONS)}.",
            param="anthropic-version",
            code="invalid_value",
        )
    for name in ANTHROPIC_VERSIONS[version]:
        if body.get(name) is not None:
            raise InvalidRequest(
                f"'{name}' is not offered in version {version} of this API.",
                param=name,
                code="invalid_value",
            )


async def take_slot(context: RequestContext, runtime: Runtime) -> None:
    """Count the request against its key. Raises RateLimited."""
    key = context.key
    assert key is not None
    limits = _limits(key, runtime)
    context.slot_asked = True
    verdict = await runtime.limiter.acquire(
        Acquire(
            subject=f"key:{key.id}",
            request_id=context.id,
            limits=limits,
            tokens=context.estimated_tokens,
        )
    )
    context.limit_headers = _limit_headers(limits, verdict, key, runtime)
    if not verdict.exceeded:
        return
    context.slot_asked = False
    code, what = _LIMIT_CODES[verdict.exceeded]
    limit = {
        "requests": limits.requests_per_minute, "tokens": limits.tokens_per_minute, "concurrency": limits.concurrency,
    }[verdict.exceeded]  # fmt: skip
    if verdict.exceeded == "tokens" and (never := beyond_limit(context)):
        raise never
    now = " while many providers fail" if runtime.velocity.is_on else ""
    raise RateLimited(
        f"This key may make {limit:,} {what}{now}.",
        code=code,
        retry_after_ms=verdict.retry_after_ms,
    )


def beyond_limit(context: RequestContext) -> InvalidRequest | None:
    """Why the key's limit forbids the request for good; None when it may have to wait at most."""
    assert context.key is not None
    limit = context.key.tokens_per_minute
    if context.estimated_tokens <= limit:
        return None
    return InvalidRequest(
        f"The request needs about {context.estimated_tokens:,} tokens; "
        f"this key may use {limit:,} a minute, so it can never be served. Lower max_tokens or raise the limit.",
        param="max_tokens",
        code="token_limit_exceeded",
    )


def expected_cost(context: RequestContext, target: Target) -> int:
    """Nano-USD that the request is expected to cost at this target."""
    assert context.facts is not None
    expected = replace(
        context.facts.units,
        input=context.estimated_input,
        output=context.estimated_tokens - context.estimated_input,
        # How often is the model's choice.
        searches=context.facts.units.searches + any(extra.is_search for extra in context.extras),
    )
    return rating.quote(expected, target.rates)


def hold_amount(context: RequestContext) -> int:
    """Nano-USD to set aside: the expected cost at the dearest target."""
    return max(expected_cost(context, target) for target in context.targets)


async def place_hold(context: RequestContext, runtime: Runtime) -> None:
    """Set the expected cost aside.

    Raises InsufficientCredits with what is needed and what there is, BudgetExceeded with which budget and until when.
    """
    assert context.key is not None
    amount = hold_amount(context)
    if amount and context.key.is_frozen:
        raise spending_frozen()
    terms, decision = await _ask_for_hold(context, runtime, amount)
    for _ in range(MOST_CHANGES):
        if not decision.is_outdated:
            break
        # Its budgets have been changed since they were read here.
        await run_db(known_budgets.check)
        terms, decision = await _ask_for_hold(context, runtime, amount)
    if decision.is_outdated:
        raise ServiceUnavailable("The budgets of this key are being changed; nothing was charged.")
    if not decision.placed:
        if amount <= decision.available:
            raise await run_db(budgets.refusal, terms.windows, amount)
        # Only here does a trial matter: nothing that is served waits for this question.
        ended = await run_db(trial_that_ended, context.key.organization_id)
        raise too_dear(amount, available=decision.available, trial_ended=ended)
    if context.facts is not None and context.facts.stream:
        context.cover = Cover(
            runtime.books,
            request_id=context.id,
            organization_id=context.key.organization_id,
            output_tokens=context.estimated_tokens - context.estimated_input,
            input_tokens=context.estimated_input,
            most_output=None
            if context.max_cost is None
            else partial(cost_limit.affordable_output, context),
        )


async def _ask_for_hold(
    context: RequestContext, runtime: Runtime, amount: int
) -> tuple[Terms, HoldDecision]:
    assert context.key is not None
    assert context.model is not None
    key, moment = context.key, clock.now()
    try:
        terms = await terms_for(Spender(key.organization_id, key.id, key.created_by_id), moment)
        context.held_at = moment
        context.hold = runtime.books.hold(
            HoldRequest(
                request_id=context.id,
                organization_id=key.organization_id,
                amount=amount,
                api_key_id=key.id,
                model=context.model.id,
                member_id=key.created_by_id,
                held_at=moment,
                budget_version=terms.version,
                windows=terms.windows,
            )
        )
        return terms, await asyncio.shield(context.hold)
    except LEDGER_AWAY as error:
        raise ServiceUnavailable("The ledger cannot be reached; nothing was charged.") from error


def spending_frozen() -> SpendingFrozen:
    return SpendingFrozen(
        "A payment of this organisation was taken back after its credit had been spent. Write to support."
    )


def too_dear(
    amount: int, *, available: int, trial_ended: datetime.datetime | None
) -> InsufficientCredits:
    """Both in nano-USD. ``trial_ended``: when the trial did that was all the credit there ever was."""
    details = {"needed_usd": nano_to_usd(amount), "available_usd": nano_to_usd(available)}
    if trial_ended is not None:
        return TrialExpired(
            f"The trial ended at {trial_ended:%Y-%m-%d %H:%M} UTC. Buy credit to go on; free models are still served.",
            details={**details, "trial_ended_at": to_iso(trial_ended)},
        )
    return InsufficientCredits(
        f"This request may cost {format_usd(amount)}; {format_usd(available)} is available.",
        details=details,
    )


async def peek_limits(key: KeySnapshot, runtime: Runtime) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that was not counted."""
    limits = _limits(key, runtime)
    verdict = await runtime.limiter.peek(Peek(f"key:{key.id}", limits))
    return _limit_headers(limits, verdict, key, runtime)


def _limits(key: KeySnapshot, runtime: Runtime) -> Limits:
    own = Limits(key.requests_per_minute, key.tokens_per_minute, key.concurrency)
    return runtime.velocity.shrink(own, percent=key.velocity_percent)


def _limit_headers(
    limits: Limits, verdict: Verdict, key: KeySnapshot, runtime: Runtime
) -> list[tuple[bytes, bytes]]:
    """OpenAI's header names: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers."""
    reset = f"{verdict.reset_ms}ms".encode()
    headers = [
        (b"x-ratelimit-limit-requests", str(limits.requests_per_minute).encode()),
        (b"x-ratelimit-limit-tokens", str(limits.tokens_per_minute).encode()),
        (b"x-ratelimit-remaining-requests", str(verdict.remaining_requests).encode()),
        (b"x-ratelimit-reset-requests", reset),
        (b"x-ratelimit-remaining-tokens", str(verdict.remaining_tokens).encode()),
        (b"x-ratelimit-reset-tokens", reset),
    ]
    if runtime.velocity.is_on:
        headers += [
            (b"x-velocity-mode-active", b"true"),
            (b"x-velocity-mode-multiplier", str(key.velocity_percent / 100).encode()),
        ]
    return headers
