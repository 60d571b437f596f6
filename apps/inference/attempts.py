"""Attempts: ask one host after another until one answers.

Before the first content event a failure moves on to the next host, unseen by the client; the first content event
commits. After it a failure ends the answer with an in-band error: a stream never pretends to be complete.
"""

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from apps.billing.services import rating
from apps.catalog.providers.spec import Timeouts, Wire
from apps.common import clock
from apps.common.errors import AllProvidersFailed, GatewayzError, UpstreamInvalid
from apps.common.money import nano_to_usd
from apps.common.usage import Usage
from apps.inference import conversations, credentials, upstream
from apps.inference.canonical.codec import AnswerIdentity, PriceUsage
from apps.inference.context import Attempt, RequestContext
from apps.inference.faults import FaultKind, UpstreamFault
from apps.inference.lanes import lane_for
from apps.inference.outcomes import final_usage
from apps.inference.planner import Target
from apps.inference.relay import (
    UNREADABLE,
    AnswerShape,
    Body,
    Json,
    JsonRelay,
    Lane,
    StreamRelay,
)


class Client(Protocol):
    """The client's side of an answer."""

    @property
    def is_gone(self) -> bool:
        """It has closed its connection."""
        ...

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None: ...

    async def send_body(self, body: bytes, *, more: bool) -> None: ...


class AnswerBroken(Exception):
    """The host failed after content had reached the client. ``fault`` says how."""

    def __init__(self, fault: UpstreamFault) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.client_error = UpstreamInvalid(
            "The provider failed while it was answering. Nothing was charged."
        )


@dataclass(slots=True)
class Attempts:
    """The failover loop of one request."""

    context: RequestContext
    client: Client
    body: Body
    lanes: dict[Wire, Lane]

    async def run(self) -> None:
        """Answer the client. Raises GatewayzError when nothing was sent, AnswerBroken when something was."""
        targets = list(self.context.targets)
        last: UpstreamFault | None = None
        retried: set[int] = set()
        while targets and len(self.context.progress.attempts) < settings.MAX_ATTEMPTS:
            target = targets[0]
            try:
                await self._attempt(target, is_last=len(targets) == 1)
                return
            except UpstreamFault as fault:
                last = fault
                if self.context.progress.delivered:
                    raise AnswerBroken(fault) from fault
                if fault.client_error is not None:
                    raise fault.client_error from fault
                pause = fault.pause
                provider = target.offering.provider
                if fault.status == 401 and credentials.forget(provider.auth, provider.secret):
                    pause = 0.0
                if pause is not None and target.offering.id not in retried:
                    retried.add(target.offering.id)
                    # Jitter, so that a crowd that was turned away together does not come back together.
                    await asyncio.sleep(pause * (1 + secrets.randbelow(100) / 400))
                    continue
                targets.pop(0)
        raise _all_failed(last)

    async def _attempt(self, target: Target, *, is_last: bool) -> None:
        progress = self.context.progress
        started = clock.monotonic()
        progress.target = target
        fault: UpstreamFault | None = None
        try:
            await self._ask(target, is_last=is_last)
        except UpstreamFault as error:
            fault = error
            raise
        finally:
            progress.attempts.append(
                Attempt(
                    provider=target.offering.provider.slug,
                    model=target.offering.upstream_model,
                    fault=fault.kind if fault else "",
                    status=fault.status if fault else None,
                    milliseconds=round((clock.monotonic() - started) * 1000),
                )
            )

    async def _ask(self, target: Target, *, is_last: bool) -> None:
        assert self.context.facts is not None
        provider = target.offering.provider
        wire = target.endpoint.wire
        lane = self._lane(wire)
        quirks = (*provider.quirks, *target.endpoint.quirks)
        outgoing = lane.outgoing(target.offering.upstream_model, target.endpoint, quirks)
        headers = {
            "content-type": outgoing.content_type,
            "accept-encoding": "identity",
            "user-agent": "gatewayz",
            **provider.request_headers(),
        }
        if wire is self.context.surface.wire is Wire.ANTHROPIC_MESSAGES:
            # What the client asks of Anthropic itself: its version of the API, and what is in preview.
            for name in ("anthropic-version", "anthropic-beta"):
                if asked := self.context.headers.get(name):
                    headers[name] = asked
        stream = self.context.facts.stream
        url = target.offering.url(target.endpoint, stream=stream)
        if isinstance(provider.auth, credentials.MADE_FOR_EACH_REQUEST):
            headers |= await credentials.headers(
                provider.auth,
                provider.secret,
                url=url,
                body=outgoing.body,
                content_type=outgoing.content_type,
                settings=provider.settings,
            )
        first_content, idle = self._deadlines(provider.timeouts, is_last=is_last)
        call = upstream.Call(
            target=target,
            url=url,
            body=outgoing.body,
            headers=headers,
            first_content=first_content,
            idle=idle,
        )
        deliver = self._deliver_stream if stream else self._deliver_json
        await deliver(call, lane, self._shape(target), (*lane.dropped, *outgoing.dropped))

    def _deadlines(self, timeouts: Timeouts, *, is_last: bool) -> tuple[float, float]:
        """Seconds for the first content and between chunks."""
        assert self.context.facts is not None
        facts = self.context.facts
        # A whole answer shows nothing until it is done, so only a stream can be judged by its first content.
        patient = is_last or not facts.stream
        first_content = timeouts.first_content_last if patient else timeouts.first_content
        if not facts.reasoning:
            return first_content, timeouts.idle
        return max(first_content, timeouts.reasoning), max(timeouts.idle, timeouts.reasoning)

    async def _deliver_json(
        self, call: upstream.Call, lane: Lane, shape: AnswerShape, dropped: tuple[str, ...]
    ) -> None:
        progress = self.context.progress
        relay = lane.answer(shape)
        progress.tally = relay.tally
        await upstream.fetch(call, relay)
        progress.first_content_at = clock.monotonic()
        usage = self._final_usage(call.target)
        body = _finish(relay, usage)
        await self._keep(body)
        progress.usage = usage
        headers = [
            (b"content-type", relay.media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *self._headers(call.target, dropped),
        ]
        await self.client.start(200, headers)
        progress.delivered = True
        await self.client.send_body(body, more=False)

    async def _deliver_stream(
        self, call: upstream.Call, lane: Lane, shape: AnswerShape, dropped: tuple[str, ...]
    ) -> None:
        progress = self.context.progress
        relay = progress.relay = lane.stream(shape)
        progress.tally = relay.tally
        held: list[bytes] = []
        # Closed at once when the client goes away, so that the provider stops at once.
        async with aclosing(upstream.stream(call, relay)) as pieces:
            async for piece in pieces:
                if progress.delivered:
                    await self.client.send_body(piece, more=True)
                    continue
                held.append(piece)
                if relay.tally.has_content:
                    await self._commit(call.target, dropped)
                    await self.client.send_body(b"".join(held), more=True)
        if not progress.delivered:  # complete without content: a finish reason alone
            await self._commit(call.target, dropped)
            await self.client.send_body(b"".join(held), more=True)
        usage = self._final_usage(call.target)
        tail = _finish(relay, usage)
        await self._keep(tail)
        progress.usage = usage
        await self.client.send_body(tail, more=False)

    async def _keep(self, tail: bytes) -> None:
        if self.context.surface.is_kept:
            await conversations.keep(self.context, tail)

    async def _commit(self, target: Target, dropped: tuple[str, ...]) -> None:
        """From here on the answer is this host's."""
        progress = self.context.progress
        progress.first_content_at = clock.monotonic()
        progress.delivered = True
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            *self._headers(target, dropped),
        ]
        await self.client.start(200, headers)

    def _lane(self, wire: Wire) -> Lane:
        lane = self.lanes.get(wire)
        if lane is None:
            lane = self.lanes[wire] = lane_for(self.context.surface, wire, self.body)
        return lane

    def _shape(self, target: Target) -> AnswerShape:
        assert self.context.facts is not None
        return AnswerShape(
            identity=AnswerIdentity(
                id=self.context.id,
                model=target.offering.model_id,
                created=int(clock.now().timestamp()),
                echo=self.context.echo,
            ),
            price=price_usage(target),
            include_usage=self.context.facts.include_usage,
            expected=self.context.facts.units,
        )

    def _final_usage(self, target: Target) -> Usage:
        return final_usage_of(self.context, target)

    def _headers(self, target: Target, dropped: tuple[str, ...]) -> list[tuple[bytes, bytes]]:
        assert self.context.facts is not None
        headers = [
            *self.context.id_headers(),
            (b"x-gatewayz-provider", target.offering.provider.slug.encode()),
            (b"x-gatewayz-model", target.offering.model_id.encode()),
            (b"x-gatewayz-attempts", str(len(self.context.progress.attempts) + 1).encode()),
            *self.context.limit_headers,
        ]
        if self.context.facts.model != target.offering.model_id:
            # A header may hold printable ASCII only, and the name is the client's own text.
            requested = self.context.facts.model.encode("ascii", "replace")[:200]
            headers.append(
                (b"x-gatewayz-requested-model", bytes(c for c in requested if 32 <= c < 127))
            )
        if dropped:
            headers.append((b"x-gatewayz-dropped-params", ", ".join(dropped).encode()))
        return headers


def _finish(relay: StreamRelay | JsonRelay, usage: Usage) -> bytes:
    try:
        return relay.finish(usage)
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error


def final_usage_of(context: RequestContext, target: Target) -> Usage:
    """What the answer has used, as its client is told and billed."""
    assert context.facts is not None
    allowed = (context.facts.max_output_tokens, target.offering.max_output_tokens)
    usage, _ = final_usage(
        context.progress.tally,
        estimated_input=context.estimated_input,
        context_length=target.offering.context_length,
        most_output=min(filter(None, allowed), default=None),
        choices=context.facts.choices,
        units=context.facts.units,
        body_bytes=len(context.body),
    )
    return usage


def price_usage(target: Target) -> PriceUsage:
    """Usage to the cost fields of the client's ``usage``: dollars, in all and by part."""

    def price(usage: Usage) -> Json:
        cost = rating.cost(usage, target.rates)
        return {
            "cost": nano_to_usd(cost.total),
            "cost_details": {
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


def _all_failed(last: UpstreamFault | None) -> GatewayzError:
    if last is None:
        return AllProvidersFailed("No provider can serve this model now.")
    return AllProvidersFailed("No provider could answer. Nothing was charged.", retry_after_ms=1000)
