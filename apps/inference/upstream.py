"""Upstream: one call of one host. Lane and quirks make the body, the socket's bytes go through a relay.

    call = await prepare(target, …)       address, headers and what authenticates this one request
    answer  = await fetch(call)           a whole JSON answer, tallied
    async for piece in stream(call): …    client bytes as they become ready, tallied before they are handed out

All raise UpstreamFault; nothing here knows of other hosts.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from math import inf

import msgspec

from apps.common.deadline import Deadline
from apps.common.http import TransportError, UpstreamResponse, open_upstream
from apps.inference import credentials, faults
from apps.inference.canonical.surrogates import mend_whole
from apps.inference.faults import FaultKind, UpstreamFault, short_pause
from apps.inference.planner import Target
from apps.inference.relay import (
    JSON_TYPE,
    UNREADABLE,
    JsonRelay,
    Outgoing,
    StreamRelay,
    Tally,
)

STREAM_TYPES = ("text/event-stream", "application/vnd.amazon.eventstream")
LAST_WORDS_SECONDS = 2.0
"""For usage and the end marker, when the answer has said why it ended: hosts send them in the same breath or never."""


class Waits(msgspec.Struct, frozen=True):
    """How long a call waits, in seconds."""

    connect: float
    first_content: float
    idle: float
    total: float
    body: float = inf
    """Until the first byte of a whole answer that is no blank, where its headers have come before."""

    whole: float = inf
    """Until the end of a whole answer, however steadily it comes."""

    def until_content(self) -> float:
        return min(self.first_content, self.total)

    def until_body(self) -> float:
        return min(self.body, self.total)

    def until_next(self, spent: float, silent_since: float) -> float:
        """Once there is content, ``spent`` seconds of the provider's time are over, and after ``silent_since`` nothing new came."""
        return min(silent_since + self.idle, self.total) - spent

    def until_more(self, spent: float) -> float:
        """Of a whole answer, once it has begun and ``spent`` seconds are over."""
        return min(self.until_next(spent, spent), self.whole - spent)

    def until_end(self, spent: float, silent_since: float) -> float:
        """Once the answer has said why it ended."""
        return min(silent_since + LAST_WORDS_SECONDS - spent, self.until_next(spent, silent_since))


class Call(msgspec.Struct, frozen=True):
    """What to send where, and how long to wait."""

    target: Target
    url: str
    body: bytes
    headers: dict[str, str]
    waits: Waits
    own: Waits
    """How long it would wait if the client had said nothing of it."""


async def prepare(
    target: Target,
    outgoing: Outgoing,
    *,
    stream: bool,
    waits: Waits,
    own: Waits | None = None,
    asked_headers: Mapping[str, str] = {},
) -> Call:
    """The call of this host, with the key that its target has. ``asked_headers`` are the client's own wishes.

    ``own`` is what ``waits`` would be without the client's word, where it has any.
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
        waits=waits,
        own=own or waits,
    )


async def fetch(call: Call, relay: JsonRelay) -> None:
    """Read a whole answer into the relay. Once it has begun, its bytes may not pause for longer than a stream's records."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    waits, own = call.waits, call.own
    is_hasty = waits.until_content() < own.until_content()
    kind = FaultKind.TIMEOUT

    def hear(data: bytes) -> None:
        nonlocal is_hasty, kind
        if data.isspace():
            return  # blanks keep a connection alive, and are no part of an answer
        spent = loop.time() - started
        deadline.move(waits.until_more(spent))
        is_hasty = waits.until_more(spent) < own.until_more(spent)
        kind = FaultKind.STALLED

    try:
        async with Deadline(waits.until_content()) as deadline:
            response = await _open(call)
            try:
                _require_whole(response)
                deadline.move(waits.until_body() - (loop.time() - started))
                is_hasty = waits.until_body() < own.until_body()
                body = await response.read(hear)
            finally:
                response.close()
            if response.status != 200:
                raise faults.from_status(response.status, response.headers, body)
    except TimeoutError as error:
        raise _late(kind, is_hasty=is_hasty) from error
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
        raise _empty(relay.tally, "an answer without content")


async def stream(call: Call, relay: StreamRelay) -> AsyncGenerator[bytes, None]:
    """Client bytes, piece by piece, up to but without the closing records. Raises UpstreamFault at any point.

    The idle deadline runs only while the provider is waited for, not while the client reads. An answer that has said why it
    ended is whole, however its connection ends.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    waits = call.waits
    spent = reading = silent_since = 0.0
    is_finished = False
    try:
        async with Deadline(waits.until_content()) as deadline:
            response = await _open(call)
            try:
                await _require_stream(response, relay)
                while not relay.tally.ended and (data := await response.read_some()):
                    before = relay.tally.progress
                    piece = relay.feed(data)
                    if relay.tally.error is not None:
                        raise faults.from_error(relay.tally.error)
                    is_new = relay.tally.progress != before
                    if not piece and not is_new:
                        continue  # a comment, or part of a record
                    if piece:
                        deadline.move(None)
                        waiting = loop.time()
                        yield piece
                        # What the client takes to read is not the provider's time.
                        reading += loop.time() - waiting
                    spent = loop.time() - started - reading
                    if is_new:
                        silent_since = spent
                    is_finished = relay.tally.is_finished
                    if is_finished:
                        deadline.move(waits.until_end(spent, silent_since))
                    elif relay.tally.has_content:
                        deadline.move(waits.until_next(spent, silent_since))
                    else:
                        deadline.move(waits.until_content() - spent)
            finally:
                response.close()
            last = relay.end()
    except TimeoutError as error:
        if not is_finished:
            raise _silent(call, relay.tally, silent_since) from error
        last = _break_off(relay)
    except TransportError as error:
        if not is_finished:
            raise _broken_off(error, relay.tally) from error
        last = _break_off(relay)
    except UNREADABLE as error:
        if not is_finished:
            raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error
        last = _break_off(relay)
    # What a reader takes for the end of a block or a call is none where the stream was cut.
    _require_complete(relay)
    if last:
        yield last


async def _open(call: Call) -> UpstreamResponse:
    try:
        return await open_upstream(
            call.url,
            headers=call.headers,
            body=call.body,
            connect_timeout=call.waits.connect,
        )
    except TimeoutError as error:
        is_hasty = call.waits.connect < call.own.connect
        raise _late(FaultKind.TIMEOUT, is_hasty=is_hasty) from error


async def _require_stream(response: UpstreamResponse, relay: StreamRelay) -> None:
    """A host that refuses says so in its status, or with JSON where a stream was asked for."""
    if response.status != 200:
        raise faults.from_status(response.status, response.headers, await response.read())
    media_type = response.headers.get("content-type", "")
    if media_type.startswith("application/json") and not relay.takes_json:
        fault = faults.from_status(500, {}, await response.read())
        raise UpstreamFault(FaultKind.ERROR_IN_BODY, detail=fault.detail)
    relay.open(media_type)


def _require_whole(response: UpstreamResponse) -> None:
    """A stream in the place of a whole answer is refused unread: it may have no end."""
    media_type = response.headers.get("content-type", "")
    if response.status == 200 and media_type.startswith(STREAM_TYPES):
        raise UpstreamFault(FaultKind.MALFORMED, detail="a stream instead of a whole answer")


def _break_off(relay: StreamRelay) -> bytes:
    try:
        return relay.break_off()
    except UNREADABLE as error:
        raise UpstreamFault(FaultKind.MALFORMED, detail=str(error)) from error


def _require_complete(relay: StreamRelay) -> None:
    """A stream that ended without saying why, of each of its choices, was cut: whatever it had delivered, and whatever its end marker says."""
    if relay.tally.error is not None:
        raise faults.from_error(relay.tally.error)
    if relay.tally.is_empty:
        raise _empty(relay.tally, "a stream without content")
    if relay.tally.finish_reason and not relay.tally.open_choices:
        return
    if relay.tally.has_content:
        raise UpstreamFault(
            FaultKind.CUT, detail="the stream ended without a finish reason of each choice"
        )
    raise UpstreamFault(FaultKind.EMPTY, detail="a stream without content")


def _empty(tally: Tally, detail: str) -> UpstreamFault:
    kind = FaultKind.WORDLESS if tally.finish_reason else FaultKind.EMPTY
    return UpstreamFault(kind, detail=detail)


def _late(kind: FaultKind, *, is_hasty: bool) -> UpstreamFault:
    """``is_hasty``: the deadline that has passed is the client's, and the provider's own is later."""
    if is_hasty:
        return UpstreamFault(FaultKind.DEADLINE, detail="the client waits no longer")
    return UpstreamFault(kind, detail="the provider was silent for too long")


def _silent(call: Call, tally: Tally, since: float) -> UpstreamFault:
    """A deadline of a stream has passed."""
    waits, own = call.waits, call.own
    if tally.has_content:
        is_hasty = waits.until_next(since, since) < own.until_next(since, since)
        return _late(FaultKind.STALLED, is_hasty=is_hasty)
    is_hasty = waits.until_content() < own.until_content()
    return _late(FaultKind.TIMEOUT, is_hasty=is_hasty)


def _broken_off(error: Exception, tally: Tally) -> UpstreamFault:
    if tally.has_content:
        return UpstreamFault(FaultKind.CUT, detail=type(error).__name__)
    return _broken(error)


def _broken(error: Exception) -> UpstreamFault:
    return UpstreamFault(FaultKind.CONNECTION, detail=type(error).__name__, pause=short_pause())
