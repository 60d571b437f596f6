"""Closing: what happens when a request ends, however it ends.

Its slot goes back to the key, its hold is settled for what outcomes.py says, its record is written with the
settlement, its series are counted, its one log line is printed.
"""

import asyncio

import structlog

from apps.billing.services import rating
from apps.billing.services.values import HoldDecision, Settlement
from apps.common import background, clock
from apps.common.errors import GatewayzError
from apps.common.ratelimit import Release
from apps.common.usage import BUCKETS, NOTHING, UsageSource
from apps.inference import metrics, tags
from apps.inference.context import Recalled, RequestContext
from apps.inference.costs import cost_of, final_usage_of
from apps.inference.explaining import explain
from apps.inference.faults import FaultKind
from apps.inference.models import Outcome
from apps.inference.outcomes import Bill, bill
from apps.inference.recorder import Row
from apps.inference.relay import Tally
from apps.inference.request_log import describe
from apps.inference.runtime import Runtime
from apps.inference.settlement import Closing

log = structlog.get_logger(__name__)


def close(
    context: RequestContext, runtime: Runtime, outcome: Outcome, error: GatewayzError | None
) -> None:
    """Bill and record, and give the slot back, soon. Never awaits, so a cancellation cannot skip it."""
    if context.recalled is not None:
        _close_recalled(context, runtime, outcome, error, context.recalled)
    elif context.hold is None:
        _close_refused(context, runtime, outcome, error)
    elif context.hold.done():
        _close_held(context, runtime, outcome, error, was_placed=_was_placed(context.hold))
    else:  # the client left before the ledger had decided
        context.hold.add_done_callback(
            lambda hold: _close_held(context, runtime, outcome, error, was_placed=_was_placed(hold))
        )
        background.keep(context.hold)


def _close_refused(
    context: RequestContext, runtime: Runtime, outcome: Outcome, error: GatewayzError | None
) -> None:
    _release_slot(context, runtime, used=0)
    if error is not None:
        metrics.refusals.labels(error.code).inc()
    runtime.request_log.write(describe(context, outcome, error, None, charged=0))


def _close_recalled(
    context: RequestContext,
    runtime: Runtime,
    outcome: Outcome,
    error: GatewayzError | None,
    recalled: Recalled,
) -> None:
    """No provider was asked and nothing was held: the record says what the answer was, at no cost."""
    assert context.key is not None
    _release_slot(context, runtime, used=0)
    billed = Bill(outcome, recalled.usage, recalled.source)
    row = _row(context, billed, error, cost=0, saved=recalled.cost) | {
        "model": recalled.model,
        "finish_reason": _clean(recalled.finish_reason, 20),
        "cached": True,
    }
    settlement = Settlement(
        request_id=context.id, organization_id=context.key.organization_id, cost=0, price_id=None
    )
    metrics.child(metrics.requests, "", recalled.model, context.surface.name, outcome.value).inc()
    runtime.books.close_request(Closing(settlement, row)).add_done_callback(
        lambda charge: runtime.request_log.write(
            describe(context, outcome, error, billed, charged=charge.result())
        )
    )


def _was_placed(hold: asyncio.Future[HoldDecision]) -> bool:
    return hold.exception() is None and hold.result().placed


def _close_held(
    context: RequestContext,
    runtime: Runtime,
    outcome: Outcome,
    error: GatewayzError | None,
    *,
    was_placed: bool,
) -> None:
    if not was_placed:
        _close_refused(context, runtime, outcome, error)
        return
    try:
        _settle(context, runtime, outcome, error)
    except BaseException:
        # Whatever went wrong: a hold that nobody will settle must not be renewed for ever.
        runtime.books.forget(context.id)
        raise


def _settle(
    context: RequestContext, runtime: Runtime, outcome: Outcome, error: GatewayzError | None
) -> None:
    assert context.key is not None
    billed = _bill(context, outcome)
    if _tells_of_providers(context):
        runtime.velocity.ended(failed=error is not None and _is_of_providers(context, error))
    _release_slot(context, runtime, used=billed.usage.total)
    target = context.progress.target
    cost = cost_of(context, billed.usage, target) if target and billed.usage != NOTHING else 0
    settlement = Settlement(
        request_id=context.id,
        organization_id=context.key.organization_id,
        cost=cost,
        price_id=target.rates.price_id or None if target else None,
        api_key_id=context.key.id,
        member_id=context.key.created_by_id,
        held_at=context.held_at,
    )
    saved = rating.saved(billed.usage, target.rates) if target and billed.usage.cache_read else 0
    row = _row(context, billed, error, cost=cost, saved=saved)

    def settled(charge: asyncio.Future[int]) -> None:
        charged = charge.result()
        _measure(context, billed, charged=charged, cost=cost)
        runtime.request_log.write(describe(context, billed.outcome, error, billed, charged=charged))

    runtime.books.close_request(Closing(settlement, row)).add_done_callback(settled)


def _tells_of_providers(context: RequestContext) -> bool:
    """Whether a provider was asked that does not fail to order."""
    asked = context.progress.attempts
    return bool(asked) and not context.targets[0].offering.provider.is_sandbox


def _is_of_providers(context: RequestContext, error: GatewayzError) -> bool:
    """Whether they failed: not when the client did not wait for one that might have answered."""
    faults = [attempt.fault for attempt in context.progress.attempts]
    return error.status >= 500 and bool(faults[-1]) and FaultKind.DEADLINE not in faults


def _bill(context: RequestContext, outcome: Outcome) -> Bill:
    progress = context.progress
    target, tally = progress.target, progress.tally
    if target is None:
        return bill(outcome, tally, usage=tally.counted(input_tokens=0), source=UsageSource.NONE)
    usage = progress.usage or final_usage_of(context, target, tally)
    source = UsageSource.PROVIDER if usage is tally.usage else UsageSource.COUNTED
    was_reported = tally.usage is not None or tally.usage_rejected
    if was_reported and source is UsageSource.COUNTED:
        metrics.usage_quarantined.labels(target.offering.provider.slug).inc()
        log.warning(
            "usage.quarantined", request_id=context.id, provider=target.offering.provider.slug
        )
    # A whole answer that had arrived from the provider, but not yet begun to reach the client, is not content to it.
    seen = tally if progress.delivered else Tally()
    return bill(outcome, seen, usage=usage, source=source)


def _release_slot(context: RequestContext, runtime: Runtime, *, used: int) -> None:
    if not context.slot_asked:
        return
    assert context.key is not None
    correction = used - context.estimated_tokens
    runtime.limiter.release(Release(f"key:{context.key.id}", context.id, correction))


def _row(
    context: RequestContext, billed: Bill, error: GatewayzError | None, *, cost: int, saved: int
) -> Row:
    """The record's columns, in the order of ``recorder.COLUMNS``."""
    assert context.key is not None
    assert context.facts is not None
    progress = context.progress
    target = progress.target
    first = progress.first_content_at
    usage = billed.usage
    status = 200 if progress.delivered else (error.status if error else 499)
    return {
        "organization_id": context.key.organization_id,
        "api_key_id": context.key.id,
        "created_at": clock.now(),
        "surface": context.surface.name,
        "streamed": context.facts.stream,
        "requested_model": _clean(context.facts.model, 200),
        "model": target.offering.model_id if target else "",
        "provider": target.offering.provider.slug if target else "",
        "price_id": target.rates.price_id or None if target else None,
        "markup_ppm": target.rates.markup_ppm if target else None,
        "terms_bp": target.rates.terms_bp if target else None,
        "share_bp": target.rates.share_bp if target else None,
        "outcome": billed.outcome.value,
        "status": status,
        "error_code": error.code if error else "",
        "finish_reason": _clean(progress.tally.finish_reason, 20),
        "usage_source": billed.source.value,
        "input_tokens": usage.input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_5m_tokens": usage.cache_write_5m,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_tokens": usage.output,
        "reasoning_tokens": usage.reasoning,
        "audio_input_tokens": usage.audio_input,
        "audio_output_tokens": usage.audio_output,
        "images": usage.images,
        "characters": usage.characters,
        "seconds": usage.seconds,
        "searches": usage.searches,
        "cost": cost,
        "saved": saved,
        "cached": False,
        "is_byok": target is not None and target.is_byok,
        "first_token_ms": round((first - context.started) * 1000) if first else None,
        "latency_ms": context.elapsed_ms(),
        "attempts": [
            {**attempt.as_json(), "model": _clean(attempt.model, 200)}
            for attempt in progress.attempts
        ],
        "route": explain(context),
        "app_title": _clean(
            context.headers.get("x-openrouter-title") or context.headers.get("x-title") or "", 120
        ),
        "app_url": _clean(
            context.headers.get("http-referer") or context.headers.get("referer") or "", 200
        ),
        "receipt": None,
        "tag": context.headers.get(tags.HEADER) or context.facts.tag or context.key.tag,
    }


def _clean(text: str, longest: int) -> str:
    """PostgreSQL's text cannot hold NUL."""
    return text[:longest].replace("\x00", "")


def _measure(context: RequestContext, billed: Bill, *, charged: int, cost: int) -> None:
    target = context.progress.target
    provider = target.offering.provider.slug if target else ""
    model = target.offering.model_id if target else ""
    usage = billed.usage
    child = metrics.child
    child(metrics.requests, provider, model, context.surface.name, billed.outcome.value).inc()
    child(metrics.latency, provider, model).observe(clock.monotonic() - context.started)
    if first := context.progress.first_content_at:
        child(metrics.first_token, provider, model).observe(first - context.started)
    for bucket in BUCKETS:
        if number := getattr(usage, bucket):
            child(metrics.tokens, provider, model, bucket).inc(number)
    if charged:
        child(metrics.cost, provider, model).inc(charged)
    if cost > charged:
        child(metrics.uncovered, provider).inc(cost - charged)
    for attempt in context.progress.attempts:
        child(metrics.attempts, attempt.provider, attempt.fault).inc()
