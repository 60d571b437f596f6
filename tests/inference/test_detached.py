"""A request that outlives its client, and ends with the server."""

import asyncio
from typing import Any, cast

import pytest

from apps.common.errors import ServiceUnavailable
from apps.inference.context import RequestContext
from apps.inference.detached import MOST_WAITING, serve_to_its_end

CONTEXT = cast("RequestContext", None)


class Reader:
    """A client that reads, unless it is told to wait."""

    def __init__(self) -> None:
        self.is_gone = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.got: list[Any] = []

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.got.append(status)

    async def send_body(self, body: bytes, *, more: bool) -> None:
        await self.reads.wait()
        self.got.append(body)


class Server:
    """An answer of many pieces."""

    def __init__(self, pieces: int, *, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error
        self.sent = 0
        self.was_cancelled = False
        self.may_end = asyncio.Event()

    async def __call__(self, _context, client) -> None:
        try:
            await client.start(200, [])
            for number in range(self.pieces):
                await client.send_body(b"%d" % number, more=True)
                self.sent += 1
                await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


async def settle() -> None:
    for _ in range(2000):
        await asyncio.sleep(0)


async def test_client_gets_every_piece_in_order_when_it_stays():
    client, server = Reader(), Server(300)
    server.may_end.set()

    await serve_to_its_end(server, CONTEXT, client)

    assert client.got == [200, *(b"%d" % number for number in range(300))]


async def test_error_comes_after_what_was_sent_before_it():
    client, server = Reader(), Server(3, error=ServiceUnavailable("away"))

    with pytest.raises(ServiceUnavailable):
        await serve_to_its_end(server, CONTEXT, client)

    assert client.got == [200, b"0", b"1", b"2"]


async def test_request_goes_on_when_its_client_leaves_in_the_middle():
    client, server = Reader(), Server(300)
    client.reads.clear()
    serving = asyncio.ensure_future(serve_to_its_end(server, CONTEXT, client))
    await settle()
    sent = server.sent

    client.is_gone = True
    serving.cancel()
    await settle()

    assert serving.cancelled()
    assert 0 < sent <= MOST_WAITING + 1  # a client that does not read holds the provider up
    assert server.sent == 300
    assert not server.was_cancelled
    server.may_end.set()
    await settle()


async def test_error_is_nobodys_when_the_client_has_left(caplog):
    client, server = Reader(), Server(300, error=ServiceUnavailable("away"))
    client.reads.clear()
    serving = asyncio.ensure_future(serve_to_its_end(server, CONTEXT, client))
    await settle()

    client.is_gone = True
    serving.cancel()
    await settle()

    assert server.sent == 300
    assert not caplog.records


async def test_request_ends_when_the_server_stops():
    client, server = Reader(), Server(3)
    serving = asyncio.ensure_future(serve_to_its_end(server, CONTEXT, client))
    await settle()

    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    assert server.was_cancelled
