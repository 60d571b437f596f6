"""Detached: a request that is served to its end although its client has left.

One with an ``Idempotency-Key`` will be asked for again by a client that lost its connection. So the pipeline runs in a
task of its own, and what it sends goes through a pipe: the client's own task reads it, and may be cancelled at any moment.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from apps.common import background
from apps.inference.context import RequestContext
from apps.inference.delivery import Client

MOST_WAITING = 64
"""Pieces of an answer that a slow client has not read; the provider waits beyond them."""

Headers = list[tuple[bytes, bytes]]
Serve = Callable[[RequestContext, Client], Coroutine[Any, Any, None]]


class Pipe:
    """The pipeline's side is a client that never leaves; ``pour`` is the other side."""

    is_gone = False

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Callable[[Client], Coroutine[Any, Any, None]] | None]
        self._waiting = asyncio.Queue(MOST_WAITING)
        self._is_left = False

    async def start(self, status: int, headers: Headers) -> None:
        await self._put(lambda client: client.start(status, headers))

    async def send_body(self, body: bytes, *, more: bool) -> None:
        await self._put(lambda client: client.send_body(body, more=more))

    async def end(self) -> None:
        await self._put(None)

    async def pour(self, client: Client) -> None:
        """Until the pipeline has ended. Raises what the client raises."""
        while (send := await self._waiting.get()) is not None:
            await send(client)

    def leave(self) -> None:
        """Nobody reads any more; whatever comes is thrown away."""
        self._is_left = True
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def _put(self, item: Callable[[Client], Coroutine[Any, Any, None]] | None) -> None:
        if not self._is_left:
            await self._waiting.put(item)


async def serve_to_its_end(serve: Serve, context: RequestContext, client: Client) -> None:
    """``serve``, which goes on when this is cancelled because the client left. Raises what it raises."""
    pipe = Pipe()

    async def work() -> None:
        try:
            await serve(context, pipe)
        finally:
            await pipe.end()

    working = asyncio.get_running_loop().create_task(work(), name="inference.detached")
    background.keep(working)
    working.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        await pipe.pour(client)
        await working
    except asyncio.CancelledError:
        if not client.is_gone:  # the server is stopping
            working.cancel()
            pipe.leave()
            await asyncio.wait({working})
        raise
    finally:
        pipe.leave()
