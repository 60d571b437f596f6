"""Brings an answer to the client, well or badly: pauses, broken streams, closed sockets, odd byte borders.

This is the one place where the faults of ``options`` happen; wires and tasks only render. A fault that ends an exchange names
the outcome that the counters keep for it.
"""

import asyncio
import socket
import struct
from dataclasses import replace
from enum import StrEnum

import orjson
from aiohttp import web

from apps.sandbox.framing import Framing, Sse
from apps.sandbox.options import Options
from apps.sandbox.wire import Dialect, Kind, Outgoing, Record, Refused

COMMENT_EVERY = 0.1
FOREVER = 10**9
LINGER_ZERO = struct.pack("ii", 1, 0)
ENDLESS_EVERY = 0.01
ENDLESS = {"blanks": b" ", "text": b"a", "events": b"data: {}\n\n"}
"""What an unstreamed answer without end says again and again."""
PAGE = b"<!doctype html><title>Welcome</title><h1>It works!</h1>"
_REASON_EVENTS = frozenset({b"message_delta", b"messageStop", b"response.completed"})
_REASONS = (b'"finish_reason":"', b'"finishReason":"')
OVERLOADED = "The sandbox failed on request."


class Outcome(StrEnum):
    """How an exchange ended, from the sandbox's side."""

    COMPLETED = "completed"
    """Everything that was meant to be sent was sent, well-formed or not, with status 200."""
    FAILED = "failed"
    """The client got an error: by status, in the body or in the stream."""
    BROKEN = "broken"
    """The sandbox closed the socket, as it was told."""
    ABORTED = "aborted"
    """The client left first."""


class Outlet:
    """A started response: splits and writes bytes."""

    def __init__(self, response: web.StreamResponse, options: Options) -> None:
        self._response = response
        self._options = options
        self._waiting = bytearray()

    async def write(self, data: bytes) -> None:
        size = self._options.split
        if size is None:
            await self._response.write(data)
            return
        self._waiting += data
        while len(self._waiting) >= size:
            block = bytes(self._waiting[:size])
            del self._waiting[:size]
            await self._response.write(block)
            # One turn of the loop, so that the blocks leave as separate segments where the kernel lets them.
            await asyncio.sleep(0)

    async def flush(self) -> None:
        if self._waiting:
            await self._response.write(bytes(self._waiting))
            self._waiting.clear()


class Stream:
    """A started stream: frames and numbers its records, and keeps silence with or without comments."""

    def __init__(self, response: web.StreamResponse, outgoing: Outgoing, framing: Framing) -> None:
        self.outlet = Outlet(response, outgoing.options)
        self._outgoing = outgoing
        self._framing = framing
        self._line_end = b"\r\n" if outgoing.options.crlf else b"\n"
        self._comment = framing.comment(self._line_end) if outgoing.options.comments else b""
        self._count = 0

    async def write(self, record: Record) -> None:
        position = self._count
        self._count += 1
        if self._outgoing.options.lines and record.data.startswith(b"{"):
            record = replace(record, data=_over_lines(record.data))
        await self.outlet.write(
            self._framing.frame(record, position=position, line_end=self._line_end)
        )

    async def fail(self, *, status: int) -> None:
        """Say in the stream that something went wrong, where the format has words for it."""
        if self._outgoing.fail is not None:
            await self.write(self._outgoing.fail(Refused(OVERLOADED, status=status), self._count))
        await self.end()

    async def end(self) -> None:
        await self.outlet.write(self._framing.end(self._count))

    async def pause(self, seconds: float) -> None:
        """Send nothing for a while, or nothing but comments."""
        if not self._comment:
            await asyncio.sleep(seconds)
            return
        remaining = seconds
        while remaining > 0:
            await self.outlet.write(self._comment)
            await asyncio.sleep(min(COMMENT_EVERY, remaining))
            remaining -= COMMENT_EVERY


async def deliver_stream(
    request: web.Request, dialect: Dialect, outgoing: Outgoing, framing: Framing
) -> tuple[web.StreamResponse, Outcome]:
    if outgoing.options.html:
        return await _deliver_page(request)
    response = web.StreamResponse(
        headers={
            "content-type": framing.content_type,
            "cache-control": "no-cache",
            **dialect.render_headers(request_id=outgoing.id, refusal=None),
        }
    )
    await response.prepare(request)
    stream = Stream(response, outgoing, framing)
    outcome = await _send_records(request, outgoing, stream)
    if outcome is not Outcome.BROKEN:
        await stream.outlet.flush()
        await response.write_eof()
    return response, outcome


async def _send_records(request: web.Request, outgoing: Outgoing, stream: Stream) -> Outcome:
    options = outgoing.options
    if options.empty == "body":
        await stream.pause(options.ttft / 1000)
        return Outcome.COMPLETED
    if options.errorbody:
        await stream.pause(options.ttft / 1000)
        await stream.fail(status=500)
        return Outcome.FAILED
    sent = 0
    opened = False
    spoiled = options.malformed is None
    lull = options.lull / 1000
    for record in outgoing.records:
        if record.kind is Kind.OPENING:
            await stream.write(record)
            continue
        if not opened:
            opened = True
            await stream.pause(max(options.ttft / 1000, 0.001 if options.comments else 0))
        at_end = record.kind in (Kind.CLOSING, Kind.FAILURE)
        if lull and _is_about_to_break(options, record, sent, at_end=at_end):
            await stream.outlet.flush()
            await stream.pause(lull)
            lull = 0
        if at_end or record.kind is Kind.CONTENT:
            if _is_due(options.cut, sent, at_end=at_end):
                await stream.outlet.flush()
                close_socket(request)
                return Outcome.BROKEN
            if _is_due(options.stall, sent, at_end=at_end):
                await stream.outlet.flush()
                await stream.pause(FOREVER)
            if _is_due(options.midstream_error, sent, at_end=at_end):
                await stream.fail(status=529)
                return Outcome.FAILED
            if not spoiled and _is_due(options.malformed, sent, at_end=at_end):
                spoiled = True
                sent += 1
                await stream.write(Record(record.kind, _spoil(record.data), record.event))
                continue
            if _is_due(options.marker, sent, at_end=at_end) and not _is_marker(record):
                continue
        if at_end and (options.nofinish or (options.nomarker and _is_marker(record))):
            return Outcome.COMPLETED
        await stream.write(record)
        if options.lost_end and _says_why(record):
            await stream.outlet.flush()
            if options.lost_end == "hold":
                await stream.pause(FOREVER)
            close_socket(request)
            return Outcome.BROKEN
        if record.kind is Kind.FAILURE:
            await stream.end()
            return Outcome.FAILED
        if record.kind is Kind.CONTENT:
            sent += 1
            if options.interval:
                await stream.pause(options.interval / 1000)
            while options.endless:
                await stream.pause(ENDLESS_EVERY)
                await stream.write(record)
    await stream.end()
    return Outcome.COMPLETED


async def _deliver_page(request: web.Request) -> tuple[web.StreamResponse, Outcome]:
    """What a proxy says whose backend is another one than it was."""
    response = web.Response(body=PAGE, content_type="text/html")
    await response.prepare(request)
    await response.write_eof()
    return response, Outcome.COMPLETED


async def deliver_body(
    request: web.Request, dialect: Dialect, outgoing: Outgoing
) -> tuple[web.StreamResponse, Outcome]:
    options = outgoing.options
    if options.html:
        return await _deliver_page(request)
    outcome = Outcome.COMPLETED
    content_type = outgoing.content_type
    if options.errorbody:
        failure = Refused(OVERLOADED, status=500)
        body = orjson.dumps(dialect.render_refusal(failure, request_id=outgoing.id))
        content_type = "application/json"
        outcome = Outcome.FAILED
    else:
        body = outgoing.body()
    if options.empty == "body":
        body = b""
    half = body[: len(body) // 2]
    if options.malformed is not None:
        body = half
    response = web.StreamResponse(
        headers={
            "content-type": content_type,
            **dialect.render_headers(request_id=outgoing.id, refusal=None),
        }
    )
    if not options.endless:
        response.content_length = len(body)
    if options.endless == "events":
        response.content_type = Sse.content_type.partition(";")[0]
    await response.prepare(request)
    # No comments here: they are SSE's.
    await asyncio.sleep(options.ttft / 1000)
    if options.cut is not None or options.stall is not None:
        await response.write(half)
        if options.cut is None:
            await asyncio.sleep(FOREVER)
        close_socket(request)
        return response, Outcome.BROKEN
    while options.endless:
        await response.write(ENDLESS[options.endless])
        await asyncio.sleep(ENDLESS_EVERY)
    outlet = Outlet(response, options)
    await outlet.write(body)
    await outlet.flush()
    await response.write_eof()
    return response, outcome


async def deliver_refusal(
    request: web.Request, dialect: Dialect, refusal: Refused, *, request_id: str
) -> tuple[web.StreamResponse, Outcome]:
    response = web.Response(
        status=refusal.status,
        body=orjson.dumps(dialect.render_refusal(refusal, request_id=request_id)),
        headers={
            "content-type": "application/json",
            **dialect.render_headers(request_id=request_id, refusal=refusal),
        },
    )
    if refusal.retry_after is not None:
        response.headers["retry-after"] = f"{refusal.retry_after:g}"
    await response.prepare(request)
    await response.write_eof()
    return response, Outcome.FAILED


def close_socket(request: web.Request) -> None:
    """End the connection in the middle of the body; what was written before still arrives."""
    if request.transport is not None:
        request.transport.close()


def reset_socket(request: web.Request) -> None:
    """End the connection with a TCP reset."""
    if request.transport is None:
        return
    request.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO
    )
    request.transport.abort()


def _is_about_to_break(options: Options, record: Record, sent: int, *, at_end: bool) -> bool:
    faults = (
        options.cut,
        options.stall,
        options.midstream_error,
        options.malformed,
        options.marker,
    )
    due = any(_is_due(fault, sent, at_end=at_end) for fault in faults)
    at_fault = options.nofinish or options.abort is not None
    return due or (at_end and at_fault) or record.kind is Kind.FAILURE


def _is_due(after: int | None, sent: int, *, at_end: bool) -> bool:
    return after is not None and (sent >= after or at_end)


def _is_marker(record: Record) -> bool:
    """Whether it says nothing but that the stream has ended; two of the formats have such a record."""
    return record.data == b"[DONE]" or record.event == b"message_stop"


def _says_why(record: Record) -> bool:
    """Whether it has the reason why the answer ended."""
    return record.event in _REASON_EVENTS or any(word in record.data for word in _REASONS)


def _over_lines(data: bytes) -> bytes:
    """JSON as it is written for people; cut-off JSON stays on its line."""
    try:
        return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2)
    except orjson.JSONDecodeError:
        return data


def _spoil(data: bytes) -> bytes:
    """Cut a record's JSON off in the middle, and never leave it valid."""
    return data[: len(data) // 2] or b"{"
