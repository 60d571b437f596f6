"""Admission: who may ask for what, and whether it is paid for. Nothing is spent and nothing is kept for a refusal.

key → body → model and targets → limits → hold
"""

import asyncio
from dataclasses import replace

import orjson
from django.conf import settings

from apps.billing.services import rating
from apps.billing.services.values import HoldRequest
from apps.catalog.providers.spec import Wire
from apps.catalog.selectors import ModelSnapshot, catalog
from apps.common import json
from apps.common.errors import (
    AllProvidersFailed,
    ContextTooLong,
    GatewayzError,
    InsufficientCredits,
    InvalidRequest,
    ModelNotFound,
    ModelNotPriced,
    PermissionDenied,
    RateLimited,
    ServiceUnavailable,
)
from apps.common.money import format_usd, nano_to_usd
from apps.common.ratelimit import Acquire, Limits, Peek, Verdict
from apps.inference import tokens
from apps.inference.context import RequestContext
from apps.inference.planner import Target, plan
from apps.inference.relay import Body, Json
from apps.inference.requests.forms import read_form
from apps.inference.runtime import Runtime
from apps.inference.settlement import LEDGER_AWAY
from apps.keys.authenticate import authenticate, read_secret
from apps.keys.selectors import KeySnapshot

MOST_NESTING = 200

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


async def choose(context: RequestContext) -> None:
    """Model, targets and estimates. Raises ModelNotFound, ModelNotPriced, PermissionDenied or ContextTooLong."""
    assert context.key is not None
    assert context.facts is not None
    facts = context.facts
    model = (await catalog.fresh()).resolve(facts.model)
    if model is None:
        raise ModelNotFound(f"There is no model '{facts.model[:200]}'.", param="model")
    if not model.is_priced:
        raise ModelNotPriced(f"'{model.id}' has no price, so it cannot be served.", param="model")
    context.model = model
    surface = context.surface
    is_for_this = model.does(surface.operation)
    if is_for_this:
        context.targets = plan(
            model, operation=surface.operation, wire=surface.wire, is_test_key=context.key.is_test
        )
    if not context.targets and (surface.is_billed or not is_for_this):
        raise _nobody_can(context, model)
    context.estimated_input = tokens.estimate_input(facts)
    if context.targets:
        context.targets = _with_room(context)
        context.estimated_tokens = context.estimated_input + _expected_output(context)


def _nobody_can(context: RequestContext, model: ModelSnapshot) -> GatewayzError:
    """Why no host can be asked: the model is not for this, the key is not, or nobody is there now."""
    surface = context.surface
    hosts = [host.endpoint(surface.operation, surface.wire) for host in model.offerings]
    if not model.does(surface.operation) or (hosts and not any(hosts)):
        return InvalidRequest(
            f"'{model.id}' cannot be asked at {surface.paths[0]}.",
            param="model",
            code="model_not_supported",
        )
    assert context.key is not None
    if context.key.is_test and model.offerings:
        return PermissionDenied("A test key reaches only the sandbox's models.", param="model")
    return AllProvidersFailed("No provider can serve this model now.")


def _with_room(context: RequestContext) -> tuple[Target, ...]:
    """The targets whose context can hold the input. Raises ContextTooLong when none can for certain."""
    assert context.facts is not None
    least = tokens.least_input(context.facts)
    roomy = tuple(
        target
        for target in context.targets
        if target.offering.context_length is None or least <= target.offering.context_length
    )
    if not roomy:
        raise ContextTooLong(
            f"The input has at least {least:,} tokens; the context of '{context.facts.model[:200]}' "
            f"holds {max(t.offering.context_length or 0 for t in context.targets):,}.",
            param="messages",
        )
    return roomy


def _expected_output(context: RequestContext) -> int:
    assert context.facts is not None
    return max(
        tokens.expected_output(
            context.facts,
            model_maximum=target.offering.max_output_tokens,
            usual=settings.EXPECTED_OUTPUT_TOKENS,
        )
        for target in context.targets
    )


async def take_slot(context: RequestContext, runtime: Runtime) -> None:
    """Count the request against its key. Raises RateLimited."""
    key = context.key
    assert key is not None
    context.slot_asked = True
    verdict = await runtime.limiter.acquire(
        Acquire(
            subject=f"key:{key.id}",
            request_id=context.id,
            limits=_limits(key),
            tokens=context.estimated_tokens,
        )
    )
    context.limit_headers = [*_limit_headers(key), *_window_headers(verdict)]
    if not verdict.exceeded:
        return
    context.slot_asked = False
    code, what = _LIMIT_CODES[verdict.exceeded]
    limit = {
        "requests": key.requests_per_minute, "tokens": key.tokens_per_minute, "concurrency": key.concurrency,
    }[verdict.exceeded]  # fmt: skip
    if verdict.exceeded == "tokens" and context.estimated_tokens > limit:
        raise InvalidRequest(
            f"The request needs about {context.estimated_tokens:,} tokens; "
            f"this key may use {limit:,} a minute, so it can never be served. Lower max_tokens or raise the limit.",
            param="max_tokens",
            code="token_limit_exceeded",
        )
    raise RateLimited(
        f"This key may make {limit:,} {what}.", code=code, retry_after_ms=verdict.retry_after_ms
    )


def expected_cost(context: RequestContext, target: Target) -> int:
    """Nano-USD that the request is expected to cost at this target; a hold is that of the dearest."""
    assert context.facts is not None
    expected = replace(
        context.facts.units,
        input=context.estimated_input,
        output=context.estimated_tokens - context.estimated_input,
    )
    return rating.quote(expected, target.rates)


async def place_hold(context: RequestContext, runtime: Runtime) -> None:
    """Set the expected cost aside. Raises InsufficientCredits with what is needed and what there is."""
    assert context.key is not None
    assert context.model is not None
    amount = max(expected_cost(context, target) for target in context.targets)
    context.hold = runtime.books.hold(
        HoldRequest(
            request_id=context.id,
            organization_id=context.key.organization_id,
            amount=amount,
            api_key_id=context.key.id,
            model=context.model.id,
        )
    )
    try:
        decision = await asyncio.shield(context.hold)
    except LEDGER_AWAY as error:
        raise ServiceUnavailable("The ledger cannot be reached; nothing was charged.") from error
    if not decision.placed:
        raise InsufficientCredits(
            f"This request may cost {format_usd(amount)}; {format_usd(decision.available)} is available.",
            details={
                "needed_usd": nano_to_usd(amount),
                "available_usd": nano_to_usd(decision.available),
            },
        )


async def peek_limits(key: KeySnapshot, runtime: Runtime) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that was not counted."""
    verdict = await runtime.limiter.peek(Peek(f"key:{key.id}", _limits(key)))
    return [*_limit_headers(key), *_window_headers(verdict)]


def _limits(key: KeySnapshot) -> Limits:
    return Limits(key.requests_per_minute, key.tokens_per_minute, key.concurrency)


def _limit_headers(key: KeySnapshot) -> list[tuple[bytes, bytes]]:
    """OpenAI's header names: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers."""
    return [
        (b"x-ratelimit-limit-requests", str(key.requests_per_minute).encode()),
        (b"x-ratelimit-limit-tokens", str(key.tokens_per_minute).encode()),
    ]


def _window_headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    reset = f"{verdict.reset_ms}ms".encode()
    return [
        (b"x-ratelimit-remaining-requests", str(verdict.remaining_requests).encode()),
        (b"x-ratelimit-reset-requests", reset),
        (b"x-ratelimit-remaining-tokens", str(verdict.remaining_tokens).encode()),
        (b"x-ratelimit-reset-tokens", reset),
    ]
