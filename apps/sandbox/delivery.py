"""Brings an answer to the client, well or badly: pauses, broken streams, closed sockets, odd byte borders.

This is the one place where the faults of ``options`` happen; wires only render. A fault that ends an exchange names
the outcome that the counters keep for it.
"""

import asyncio
import socket
import struct
from enum import StrEnum

import orjson
from aiohttp import web

from apps.sandbox.options import Options
from apps.sandbox.wire import Answer, Kind, Record, Refused, Wire

COMMENT_EVERY = 0.1
FOREVER = 10**9
LINGER_ZERO = struct.pack("ii", 1, 0)
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
    """A started response: frames, splits and writes bytes."""

    def __init__(self, response: web.StreamResponse, options: Options) -> None:
        self._response = response
        self._options = options
        self._waiting = bytearray()
        self._line_end = b"\r\n" if options.crlf else b"\n"

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

    async def write_record(self, record: Record) -> None:
        end = self._line_end
        name = b"event: " + record.event + end if record.event else b""
        await self.write(name + b"data: " + record.data + end + end)

    async def pause(self, seconds: float) -> None:
        """Send nothing for a while, or nothing but comments."""
        if not self._options.comments:
            await asyncio.sleep(seconds)
            return
        remaining = seconds
        while remaining > 0:
            await self.write(b": OPENROUTER PROCESSING" + self._line_end * 2)
            await asyncio.sleep(min(COMMENT_EVERY, remaining))
            remaining -= COMMENT_EVERY

    async def flush(self) -> None:
        if self._waiting:
            await self._response.write(bytes(self._waiting))
            self._waiting.clear()


async def deliver_stream(
    request: web.Request, wire: Wire, answer: Answer
) -> tuple[web.StreamResponse, Outcome]:
    response = web.StreamResponse(
        headers={
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            wire.name_request_id_header(): answer.id,
        }
    )
    await response.prepare(request)
    outlet = Outlet(response, answer.options)
    outcome = await _send_records(request, wire, answer, outlet)
    if outcome is not Outcome.BROKEN:
        await outlet.flush()
        await response.write_eof()
    return response, outcome


async def _send_records(
    request: web.Request, wire: Wire, answer: Answer, outlet: Outlet
) -> Outcome:
    options = answer.options
    failure = Refused(OVERLOADED, status=529 if options.midstream_error is not None else 500)
    if options.empty == "body":
        await outlet.pause(options.ttft / 1000)
        return Outcome.COMPLETED
    if options.errorbody:
        await outlet.pause(options.ttft / 1000)
        await outlet.write_record(wire.refusal_record(failure, request_id=answer.id))
        return Outcome.FAILED
    sent = 0
    opened = False
    spoiled = options.malformed is None
    for record in wire.render_stream(answer):
        if record.kind is Kind.OPENING:
            await outlet.write_record(record)
            continue
        if not opened:
            opened = True
            await outlet.pause(max(options.ttft / 1000, 0.001 if options.comments else 0))
        at_end = record.kind is Kind.CLOSING
        if at_end or record.kind is Kind.CONTENT:
            if _is_due(options.cut, sent, at_end=at_end):
                await outlet.flush()
                close_socket(request)
                return Outcome.BROKEN
            if _is_due(options.stall, sent, at_end=at_end):
                await outlet.flush()
                await outlet.pause(FOREVER)
            if _is_due(options.midstream_error, sent, at_end=at_end):
                await outlet.write_record(wire.refusal_record(failure, request_id=answer.id))
                return Outcome.FAILED
            if not spoiled and _is_due(options.malformed, sent, at_end=at_end):
                spoiled = True
                sent += 1
                await outlet.write_record(Record(record.kind, _spoil(record.data), record.event))
                continue
        if at_end and options.nofinish:
            return Outcome.COMPLETED
        await outlet.write_record(record)
        if record.kind is Kind.CONTENT:
            sent += 1
            if options.interval:
                await outlet.pause(options.interval / 1000)
    return Outcome.COMPLETED


async def deliver_json(
    request: web.Request, wire: Wire, answer: Answer
) -> tuple[web.StreamResponse, Outcome]:
    options = answer.options
    outcome = Outcome.COMPLETED
    if options.errorbody:
        failure = Refused(OVERLOADED, status=500)
        body = orjson.dumps(wire.render_refusal(failure, request_id=answer.id))
        outcome = Outcome.FAILED
    else:
        body = orjson.dumps(wire.render_answer(answer))
    if options.empty == "body":
        body = b""
    half = body[: len(body) // 2]
    if options.malformed is not None:
        body = half
    response = web.StreamResponse(
        headers={"content-type": "application/json", wire.name_request_id_header(): answer.id}
    )
    response.content_length = len(body)
    await response.prepare(request)
    # No comments in JSON: they are SSE's.
    await asyncio.sleep(options.ttft / 1000)
    if options.cut is not None or options.stall is not None:
        await response.write(half)
        if options.cut is None:
            await asyncio.sleep(FOREVER)
        close_socket(request)
        return response, Outcome.BROKEN
    outlet = Outlet(response, options)
    await outlet.write(body)
    await outlet.flush()
    await response.write_eof()
    return response, outcome


async def deliver_refusal(
    request: web.Request,
    wire: Wire,
    refusal: Refused,
    *,
    request_id: str,
    retry_after: float | None = None,
) -> tuple[web.StreamResponse, Outcome]:
    response = web.Response(
        status=refusal.status,
        body=orjson.dumps(wire.render_refusal(refusal, request_id=request_id)),
        headers={"content-type": "application/json", wire.name_request_id_header(): request_id},
    )
    if retry_after is not None:
        response.headers["retry-after"] = f"{retry_after:g}"
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


def _is_due(after: int | None, sent: int, *, at_end: bool) -> bool:
    return after is not None and (sent >= after or at_end)


def _spoil(data: bytes) -> bytes:
    """Cut a record's JSON off in the middle, and never leave it valid."""
    return data[: len(data) // 2] or b"{"
