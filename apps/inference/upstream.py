"""Upstream: one call of one host. Lane and quirks make the body, the socket's bytes go through a relay.

    answer  = await fetch(call)           a whole JSON answer, tallied
    async for piece in stream(call): …    client bytes as they become ready, tallied before they are handed out

Both raise UpstreamFault; nothing here knows of other hosts.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from apps.common.deadline import Deadline
from apps.common.http import TransportError, UpstreamResponse, open_upstream
from apps.inference import faults
from apps.inference.faults import SHORT_PAUSE_SECONDS, FaultKind, UpstreamFault
from apps.inference.planner import Target
from apps.inference.relay import UNREADABLE, JsonRelay, StreamRelay


@dataclass(frozen=True, slots=True)
class Call:
    """What to send where, and how long to wait, in seconds."""

    target: Target
    url: str
    body: bytes
    headers: dict[str, str]
    first_content: float
    idle: float


async def fetch(call: Call, relay: JsonRelay) -> None:
    """Read a whole answer into the relay."""
    deadlines = call.target.offering.provider.timeouts
    try:
        async with Deadline(call.first_content) as deadline:
            response = await _open(call)
            try:
                deadline.move(deadlines.total)
                body = await response.read()
            finally:
                response.close()
            if response.status != 200:
                raise faults.from_status(response.status, response.headers, body)
    except TimeoutError as error:
        raise UpstreamFault(FaultKind.TIMEOUT, detail="no answer in time") from error
    except TransportError as error:
        raise _broken(error) from error
    try:
        relay.read(body, response.headers.get("content-type", "application/json"))
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
    if relay.tally.error is not None:
        raise faults.from_error(relay.tally.error)
    if not relay.tally.has_content and not relay.tally.finish_reason:
        raise UpstreamFault(FaultKind.EMPTY, detail="an answer without content")


async def stream(call: Call, relay: StreamRelay) -> AsyncGenerator[bytes, None]:
    """Client bytes, piece by piece, up to but without the closing records. Raises UpstreamFault at any point.

    The idle deadline runs only while the provider is waited for, not while the client reads.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    end_of_time = started + call.target.offering.provider.timeouts.total
    try:
        async with Deadline(call.first_content) as deadline:
            response = await _open(call)
            try:
                await _require_stream(response)
                while not relay.tally.ended and (data := await response.read_some()):
                    piece = relay.feed(data)
                    if relay.tally.error is not None:
                        raise faults.from_error(relay.tally.error)
                    now = loop.time()
                    if piece:
                        deadline.move(None)
                        waiting = now
                        yield piece
                        # What the client takes to read is not the provider's time.
                        now = loop.time()
                        end_of_time += now - waiting
                    if relay.tally.has_content:
                        deadline.move(min(call.idle, end_of_time - now))
                    else:
                        deadline.move(started + call.first_content - now)
            finally:
                response.close()
            deadline.move(None)
            if piece := relay.end():
                yield piece
    except TimeoutError as error:
        kind = FaultKind.STALLED if relay.tally.has_content else FaultKind.TIMEOUT
        raise UpstreamFault(kind, detail="the provider fell silent") from error
    except TransportError as error:
        if relay.tally.has_content:
            raise UpstreamFault(FaultKind.CUT, detail=type(error).__name__) from error
        raise _broken(error) from error
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
    _require_complete(relay)


async def _open(call: Call) -> UpstreamResponse:
    return await open_upstream(
        call.url,
        headers=call.headers,
        body=call.body,
        connect_timeout=call.target.offering.provider.timeouts.connect,
    )


async def _require_stream(response: UpstreamResponse) -> None:
    """A host that refuses says so in its status, or with JSON where a stream was asked for."""
    if response.status != 200:
        raise faults.from_status(response.status, response.headers, await response.read())
    if response.headers.get("content-type", "").startswith("application/json"):
        fault = faults.from_status(500, {}, await response.read())
        raise UpstreamFault(FaultKind.ERROR_IN_BODY, detail=fault.detail)


def _require_complete(relay: StreamRelay) -> None:
    """A stream that ended without saying why was cut, whatever it had delivered."""
    if relay.tally.error is not None:
        raise faults.from_error(relay.tally.error)
    if relay.tally.finish_reason and (relay.tally.ended or not relay.tally.open_choices):
        return
    if relay.tally.has_content:
        raise UpstreamFault(FaultKind.CUT, detail="the stream ended without a finish reason")
    raise UpstreamFault(FaultKind.EMPTY, detail="a stream without content")


def _broken(error: Exception) -> UpstreamFault:
    return UpstreamFault(
        FaultKind.CONNECTION, detail=type(error).__name__, pause=SHORT_PAUSE_SECONDS
    )
