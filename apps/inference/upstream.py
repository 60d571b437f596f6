"""Upstream: one call of one host. Lane and quirks make the body, the socket's bytes go through a relay.

    call = await prepare(target, …)       address, headers and what authenticates this one request
    answer  = await fetch(call)           a whole JSON answer, tallied
    async for piece in stream(call): …    client bytes as they become ready, tallied before they are handed out

All raise UpstreamFault; nothing here knows of other hosts.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec

from apps.common.deadline import Deadline
from apps.common.http import TransportError, UpstreamResponse, open_upstream
from apps.inference import credentials, faults
from apps.inference.canonical.surrogates import mend_whole
from apps.inference.faults import SHORT_PAUSE_SECONDS, FaultKind, UpstreamFault
from apps.inference.planner import Target
from apps.inference.relay import JSON_TYPE, UNREADABLE, JsonRelay, Outgoing, StreamRelay


class Call(msgspec.Struct, frozen=True):
    """What to send where, and how long to wait, in seconds."""

    target: Target
    url: str
    body: bytes
    headers: dict[str, str]
    first_content: float
    idle: float
    connect: float
    total: float


async def prepare(
    target: Target,
    outgoing: Outgoing,
    *,
    stream: bool,
    first_content: float,
    idle: float,
    connect: float | None = None,
    total: float | None = None,
    asked_headers: Mapping[str, str] = {},
) -> Call:
    """The call of this host, with the key that its target has. ``asked_headers`` are the client's own wishes.

    ``connect`` and ``total`` are the provider's unless somebody knows better.
    """
    provider = target.offering.provider
    headers = {
        "content-type": outgoing.content_type,
        "accept-encoding": "identity",
        "user-agent": "gatewayz",
        **provider.request_headers(),
        **asked_headers,
    }
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
    return Call(
        target=target,
        url=url,
        body=outgoing.body,
        headers=headers,
        first_content=first_content,
        idle=idle,
        connect=connect or provider.timeouts.connect,
        total=total or provider.timeouts.total,
    )


async def fetch(call: Call, relay: JsonRelay) -> None:
    """Read a whole answer into the relay."""
    started = asyncio.get_running_loop().time()
    try:
        async with Deadline(min(call.first_content, call.total)) as deadline:
            response = await _open(call)
            try:
                deadline.move(started + call.total - asyncio.get_running_loop().time())
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
        media_type = response.headers.get("content-type", JSON_TYPE)
        relay.read(mend_whole(body) if "json" in media_type else body, media_type)
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
    if relay.tally.error is not None:
        raise faults.from_error(relay.tally.error)
    if relay.tally.is_empty:
        raise UpstreamFault(FaultKind.EMPTY, detail="an answer without content")


async def stream(call: Call, relay: StreamRelay) -> AsyncGenerator[bytes, None]:
    """Client bytes, piece by piece, up to but without the closing records. Raises UpstreamFault at any point.

    The idle deadline runs only while the provider is waited for, not while the client reads.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    first_content = min(call.first_content, call.total)
    end_of_time = started + call.total
    try:
        async with Deadline(first_content) as deadline:
            response = await _open(call)
            try:
                await _require_stream(response, relay)
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
                        deadline.move(started + first_content - now)
            finally:
                response.close()
            last = relay.end()
    except TimeoutError as error:
        kind = FaultKind.STALLED if relay.tally.has_content else FaultKind.TIMEOUT
        raise UpstreamFault(kind, detail="the provider fell silent") from error
    except TransportError as error:
        if relay.tally.has_content:
            raise UpstreamFault(FaultKind.CUT, detail=type(error).__name__) from error
        raise _broken(error) from error
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
    # What a reader takes for the end of a block or a call is none where the stream was cut.
    _require_complete(relay)
    if last:
        yield last


async def _open(call: Call) -> UpstreamResponse:
    return await open_upstream(
        call.url,
        headers=call.headers,
        body=call.body,
        connect_timeout=call.connect,
    )


async def _require_stream(response: UpstreamResponse, relay: StreamRelay) -> None:
    """A host that refuses says so in its status, or with JSON where a stream was asked for."""
    if response.status != 200:
        raise faults.from_status(response.status, response.headers, await response.read())
    media_type = response.headers.get("content-type", "")
    if media_type.startswith("application/json") and not relay.takes_json:
        fault = faults.from_status(500, {}, await response.read())
        raise UpstreamFault(FaultKind.ERROR_IN_BODY, detail=fault.detail)
    relay.open(media_type)


def _require_complete(relay: StreamRelay) -> None:
    """A stream that ended without saying why was cut, whatever it had delivered."""
    if relay.tally.error is not None:
        raise faults.from_error(relay.tally.error)
    if relay.tally.is_empty:
        raise UpstreamFault(FaultKind.EMPTY, detail="a stream without content")
    if relay.tally.finish_reason and (relay.tally.ended or not relay.tally.open_choices):
        return
    if relay.tally.has_content:
        raise UpstreamFault(FaultKind.CUT, detail="the stream ended without a finish reason")
    raise UpstreamFault(FaultKind.EMPTY, detail="a stream without content")


def _broken(error: Exception) -> UpstreamFault:
    return UpstreamFault(
        FaultKind.CONNECTION, detail=type(error).__name__, pause=SHORT_PAUSE_SECONDS
    )
