"""Asking: one tiny honest request of a host, by the way that clients' requests go, and what it tells.

The host's own wire, quirks, credentials and connections; streamed, as most clients ask, so that the first content is
seen. What it cost is rated by the provider's price: no client pays for it, and no ledger knows of it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog
from django.conf import settings

from apps.billing.services import rating
from apps.catalog.providers.spec import Wire
from apps.common import clock, http
from apps.common.ids import new_id
from apps.common.usage import Rates
from apps.inference import breaker_beside, upstream
from apps.inference.breaker import Standing, kept_claim
from apps.inference.breaker_beside import BesideBreaker
from apps.inference.canonical.codec import AnswerIdentity
from apps.inference.faults import FaultKind, UpstreamFault
from apps.inference.outcomes import final_usage
from apps.inference.relay import AnswerShape, Tally
from apps.inference.translated import TranslatedLane
from apps.monitoring.hosts import INPUT_TOKENS, Host

log = structlog.get_logger(__name__)

TEXT = "Hi"
UNASKABLE = "unaskable"
"""The row is wrong in a way that no request survives, such as an address that is none. The log says where."""
WITHOUT_COST = frozenset({FaultKind.CONNECTION, FaultKind.STATUS, FaultKind.REJECTED})
"""Where the host has not begun to work. What it does before another fault it may charge for."""


@dataclass(frozen=True, slots=True)
class Question:
    host: Host
    rates: Rates
    timeout: float
    estimate: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found. ``succeeded`` is None when it says nothing of the host."""

    succeeded: bool | None
    fault: str = ""
    status: int | None = None
    latency_ms: int | None = None
    first_content_ms: int | None = None
    cost: int = 0
    is_closed: bool = True
    """The breaker, after it has heard of this."""


def ask_all(questions: Sequence[Question]) -> list[Finding | None]:
    """In the order of the questions; None where the breaker lets nobody through now. Not for a running event loop."""
    return asyncio.run(_ask_all(questions))


async def _ask_all(questions: Sequence[Question]) -> list[Finding | None]:
    places = asyncio.Semaphore(settings.PROBES_AT_ONCE)
    try:
        async with breaker_beside.open_breaker() as breaker:
            found = await asyncio.gather(
                *[_ask_claimed(question, breaker, places) for question in questions],
                return_exceptions=True,
            )
            await breaker.settle()
            return [
                _settled(question, one, breaker)
                for question, one in zip(questions, found, strict=True)
            ]
    finally:
        await http.close()


def _settled(
    question: Question, found: Finding | BaseException | None, breaker: BesideBreaker
) -> Finding | None:
    """One that cannot be asked must not keep the others from being told."""
    if found is None:
        return None
    if isinstance(found, BaseException):
        if not isinstance(found, Exception):
            raise found
        host = question.host
        log.error("probe.unaskable", provider=host.provider, model=host.model, exc_info=found)
        return Finding(None, UNASKABLE)
    is_closed = breaker.standing(question.host.target.key) is Standing.CLOSED
    return replace(found, is_closed=is_closed)


async def _ask_claimed(
    question: Question, breaker: BesideBreaker, places: asyncio.Semaphore
) -> Finding | None:
    """Half open, a probe is the one request that is let through, or there is another."""
    key, by = question.host.target.key, new_id("probe")
    async with places:
        if not await breaker.claim(key, by=by):
            return None
        found = None
        try:
            async with kept_claim(breaker, key, by=by):
                found = await _ask(question)
        finally:
            if found is None or found.succeeded is None:
                breaker.give_back(key, by=by)
            else:
                breaker.record(key, by=by, succeeded=found.succeeded)
        return found


async def _ask(question: Question) -> Finding:
    offering, endpoint = question.host.target.offering, question.host.target.endpoint
    provider = offering.provider
    body = {
        "model": offering.model_id,
        "messages": [{"role": "user", "content": TEXT}],
        "max_completion_tokens": question.host.room,
        "stream": True,
    }
    lane = TranslatedLane(Wire.OPENAI_CHAT, endpoint.wire, body)
    outgoing = lane.outgoing(
        offering.upstream_model, endpoint, (*provider.quirks, *endpoint.quirks)
    )
    created = int(clock.now().timestamp())
    relay = lane.stream(
        AnswerShape(
            identity=AnswerIdentity(id=new_id("probe"), model=offering.model_id, created=created),
            price=lambda usage: {},
            include_usage=True,
        )
    )
    fault: UpstreamFault | None = None
    first_content_ms: int | None = None
    started = clock.monotonic()
    try:
        async with asyncio.timeout(question.timeout):
            call = await upstream.prepare(
                question.host.target,
                outgoing,
                stream=True,
                waits=upstream.Waits(
                    connect=provider.timeouts.connect,
                    first_content=question.timeout,
                    idle=question.timeout,
                    total=provider.timeouts.total,
                ),
            )
            async with aclosing(upstream.stream(call, relay)) as pieces:
                async for _ in pieces:
                    if first_content_ms is None and relay.tally.has_content:
                        first_content_ms = _milliseconds_since(started)
    except UpstreamFault as error:
        fault = error
    except TimeoutError:
        kind = FaultKind.STALLED if relay.tally.has_content else FaultKind.TIMEOUT
        fault = UpstreamFault(kind, detail="longer than a probe waits")
    return Finding(
        succeeded=_verdict(fault),
        fault=fault.kind.value if fault else "",
        status=fault.status if fault else None,
        latency_ms=_milliseconds_since(started),
        first_content_ms=first_content_ms,
        cost=_cost(question, relay.tally, fault, body_bytes=len(outgoing.body)),
    )


def _milliseconds_since(started: float) -> int:
    return round((clock.monotonic() - started) * 1000)


def _verdict(fault: UpstreamFault | None) -> bool | None:
    """A request that the host rejects is our mistake, and no verdict on it."""
    if fault is None:
        return True
    return None if fault.client_error is not None else False


def _cost(question: Question, tally: Tally, fault: UpstreamFault | None, *, body_bytes: int) -> int:
    if fault is not None and tally.usage is None:
        return 0 if fault.kind in WITHOUT_COST else question.estimate
    usage, _ = final_usage(
        tally,
        estimated_input=INPUT_TOKENS,
        context_length=question.host.target.offering.context_length,
        most_output=question.host.room,
        body_bytes=body_bytes,
    )
    return rating.cost(usage, question.rates).total
