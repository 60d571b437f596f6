"""Delivery: one host's answer on its way to one client.

The first content event commits the answer to this host: until then nothing has reached the client, and another host
may be asked instead.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from math import inf
from typing import Any, Protocol

from apps.catalog.providers.spec import Wire
from apps.common import clock
from apps.common.usage import Usage
from apps.inference import conversations, patience, upstream
from apps.inference.cached_input import reader_of_answer, reader_of_stream
from apps.inference.canonical.codec import AnswerIdentity
from apps.inference.context import RequestContext
from apps.inference.costs import final_usage_of, price_usage
from apps.inference.faults import FaultKind, UpstreamFault
from apps.inference.lanes import lane_for
from apps.inference.needs import answers_a_tool, names_its_end
from apps.inference.planner import Target
from apps.inference.relay import (
    UNREADABLE,
    AnswerShape,
    Body,
    JsonRelay,
    Lane,
    Outgoing,
    StreamRelay,
    without_unheard,
)

Lanes = dict[tuple[Wire, int | None], Lane]
"""By wire and most output tokens: a body is written once for all hosts that take it so."""


MOST_KEPT = 4 * 2**20
"""Bytes of a stream that are kept for a recovery; about 15,000 tokens."""


class Client(Protocol):
    """The client's side of an answer."""

    @property
    def is_gone(self) -> bool:
        """It has closed its connection."""
        ...

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None: ...

    async def send_body(self, body: bytes, *, more: bool) -> None: ...


class Race:
    """Two hosts asked for one answer: the first that has content for the client has won, and the other one ends."""

    def __init__(self) -> None:
        self.tasks: dict[Delivery, asyncio.Task[None]] = {}
        self.winner: Delivery | None = None

    def start(
        self, delivery: "Delivery", attempt: Callable[["Delivery"], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        delivery.race = self
        task = self.tasks[delivery] = asyncio.ensure_future(attempt(delivery))
        return task

    def claim(self, delivery: "Delivery") -> None:
        """Raises UpstreamFault for the one that is late."""
        if self.winner not in (None, delivery):
            raise UpstreamFault(FaultKind.OUTRUN, detail="another host was first")
        self.winner = delivery
        for other, task in self.tasks.items():
            if other is not delivery:
                task.cancel()

    async def finish(self) -> None:
        """Until the winner has answered or failed, or everybody has failed."""
        pending = set(self.tasks.values())
        while pending and self.winner is None:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if self.winner is not None:
            await asyncio.wait([self.tasks[self.winner]])

    async def end(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


class Delivery:
    """``run`` raises UpstreamFault; what had reached the client by then, ``context.progress`` knows."""

    first_content_at: float | None = None

    def __init__(
        self,
        context: RequestContext,
        client: Client,
        body: Body,
        lanes: Lanes,
        target: Target,
        *,
        is_last: bool,
    ) -> None:
        self.target = target
        self._context = context
        self._client = client
        self._body = body
        self._lanes = lanes
        self.is_last = is_last
        self.race: Race | None = None
        self.most_wait = inf
        """Seconds for the first content, or until a whole answer begins, of a host that has just been down."""

    @property
    def may_think(self) -> bool:
        """Whether the model may be silent because it thinks: the catalogue cannot tell who does so unasked."""
        facts, model = self._context.facts, self._context.model
        assert facts is not None
        known = model.supported_parameters if model is not None else ()
        return facts.reasoning or ("reasoning" in known and not facts.is_thoughtless)

    @property
    def is_outrun(self) -> bool:
        return self.race is not None and self.race.winner not in (None, self)

    async def run(self) -> None:
        assert self._context.facts is not None
        self._lane = lane_of(self._context, self._body, self._lanes, self.target)
        provider, endpoint = self.target.offering.provider, self.target.endpoint
        quirks = (*provider.quirks, *endpoint.quirks)
        outgoing = self._lane.outgoing(self.target.offering.upstream_model, endpoint, quirks)
        self._dropped = (*self._lane.dropped, *outgoing.dropped)
        self._shape = without_unheard(shape_of(self._context, self.target), outgoing.dropped)
        call = await self._call(outgoing)
        if self._context.facts.stream:
            await self._deliver_stream(call)
        else:
            await self._deliver_whole(call)

    async def _call(self, outgoing: Outgoing) -> upstream.Call:
        context, target = self._context, self.target
        assert context.facts is not None
        asked = {}
        if target.endpoint.wire is context.surface.wire is Wire.ANTHROPIC_MESSAGES:
            # What the client asks of Anthropic itself: its version of the API, and what is in preview.
            names = ("anthropic-version", "anthropic-beta")
            asked = {name: text for name in names if (text := context.headers.get(name))}
        waits, own = patience.waits_of(
            target.offering.provider.timeouts,
            context.deadlines,
            stream=context.facts.stream,
            is_slow=context.facts.is_slow,
            may_think=self.may_think,
            is_last=self.is_last,
            most=self.most_wait,
        )
        return await upstream.prepare(
            target,
            outgoing,
            stream=context.facts.stream,
            waits=waits,
            own=own,
            asked_headers=asked,
        )

    @property
    def _may_be_silent(self) -> bool:
        body = self._body
        return isinstance(body, dict) and (answers_a_tool(body) or names_its_end(body))

    async def _deliver_whole(self, call: upstream.Call) -> None:
        progress = self._context.progress
        relay = self._lane.answer(self._shape)
        relay.tally.may_be_silent = self._may_be_silent
        progress.target, progress.tally = self.target, relay.tally
        await upstream.fetch(call, reader_of_answer(relay, self.target))
        if self.race is not None:
            self.race.claim(self)
            progress.target, progress.tally = self.target, relay.tally
        progress.first_content_at = clock.monotonic()
        usage = self._usage(relay)
        body = finish(relay, usage)
        await self._keep(body)
        progress.usage = usage
        headers = [
            (b"content-type", relay.media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *self._headers(),
        ]
        await self._client.start(200, headers)
        progress.delivered = True
        await self._client.send_body(body, more=False)
        progress.is_complete = True

    async def _deliver_stream(self, call: upstream.Call) -> None:
        progress = self._context.progress
        relay = self._lane.stream(self._shape)
        relay.tally.may_be_silent = self._may_be_silent
        progress.target, progress.relay, progress.tally = self.target, relay, relay.tally
        cover = self._context.cover
        held: list[bytes] = []
        # Closed at once when the client goes away, so that the provider stops at once.
        reader = reader_of_stream(relay, self.target)
        async with aclosing(upstream.stream(call, reader)) as pieces:
            async for piece in pieces:
                if progress.delivered:
                    await self._send(piece)
                else:
                    held.append(piece)
                    if relay.tally.has_content:
                        await self._commit(relay)
                        await self._send(b"".join(held))
                if cover and relay.tally.output_bytes + relay.tally.reasoning_bytes > cover.until:
                    await cover.grow(relay.tally, self.target)
        if not progress.delivered:  # complete without content: a finish reason alone
            await self._commit(relay)
            await self._send(b"".join(held))
        await self._finish_stream(relay)

    async def _commit(self, relay: StreamRelay) -> None:
        """From here on the answer is this host's."""
        progress = self._context.progress
        if self.race is not None:
            self.race.claim(self)
            progress.target, progress.relay, progress.tally = self.target, relay, relay.tally
        self.first_content_at = progress.first_content_at = clock.monotonic()
        progress.delivered = True
        headers = [
            (b"content-type", relay.media_type.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
            *self._headers(),
        ]
        await self._client.start(200, headers)

    async def _send(self, piece: bytes) -> None:
        if (sent := self._context.sent) is not None:
            sent.add(piece)
            if sent.size > MOST_KEPT:
                self._context.sent = None
        await self._client.send_body(piece, more=True)

    async def _finish_stream(self, relay: StreamRelay) -> None:
        usage = self._usage(relay)
        tail = finish(relay, usage)
        await self._keep(tail)
        self._context.progress.usage = usage
        await self._client.send_body(tail, more=False)
        self._context.progress.is_complete = True

    def _usage(self, relay: StreamRelay | JsonRelay) -> Usage:
        return final_usage_of(self._context, self.target, relay.tally)

    async def _keep(self, tail: bytes) -> None:
        if self._context.surface.is_kept:
            await conversations.keep(self._context, tail)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        context, offering = self._context, self.target.offering
        assert context.facts is not None
        # A call that has ended is among the attempts already.
        calls = self.race.tasks.values() if self.race is not None else ()
        running = sum(not call.done() for call in calls) or 1
        headers = [
            *context.id_headers(),
            (b"x-gatewayz-provider", offering.provider.slug.encode()),
            (b"x-gatewayz-model", offering.model_id.encode()),
            (b"x-gatewayz-attempts", str(len(context.progress.attempts) + running).encode()),
            *context.limit_headers,
        ]
        if context.facts.model != offering.model_id:
            # A header may hold printable ASCII only, and the name is the client's own text.
            requested = context.facts.model.encode("ascii", "replace")[:200]
            headers.append(
                (b"x-gatewayz-requested-model", bytes(c for c in requested if 32 <= c < 127))
            )
        if self._dropped:
            headers.append((b"x-gatewayz-dropped-params", ", ".join(self._dropped).encode()))
        return headers


def lane_of(context: RequestContext, body: Body, lanes: Lanes, target: Target) -> Lane:
    """One for the hosts of a wire that allow as much output."""
    wire, most = target.endpoint.wire, target.offering.max_output_tokens
    lane = lanes.get((wire, most))
    if lane is None:
        lane = lanes[wire, most] = lane_for(context.surface, wire, body, most_output=most)
    return lane


def shape_of(context: RequestContext, target: Target) -> AnswerShape:
    assert context.facts is not None
    return AnswerShape(
        identity=AnswerIdentity(
            id=context.id,
            model=target.offering.model_id,
            created=int(clock.now().timestamp()),
            echo=context.echo,
        ),
        # Of the host that ends the answer, which may be another than the one that began it.
        price=lambda usage: price_usage(context, context.progress.target or target)(usage),
        include_usage=context.facts.include_usage,
        expected=context.facts.units,
    )


def finish(relay: StreamRelay | JsonRelay, usage: Usage) -> bytes:
    try:
        return relay.finish(usage)
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
