"""StreamConsumer: the HTTP edge of everything that spends at a provider.

Channels' own AsyncHttpConsumer reads no disconnect while it streams (django/channels #1249) and hops to a thread per
message; both would cost money. This one reads the body itself, runs ``handle`` beside a watch for the client's
disconnect, and cancels it the moment the client is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from channels.consumer import AsyncConsumer
from typing_extensions import override

from apps.common.deadline import Deadline
from apps.common.errors import BodyTooLarge

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CLOSE_GRACE_SECONDS = 0.5


class ClientTooSlow(Exception):
    """The client keeps its connection open and does not read; it is treated like one that has gone away."""


class StreamConsumer(AsyncConsumer):  # type: ignore[misc]
    """One HTTP request. Subclasses implement ``handle`` and ``max_body_bytes``, which caps what is read."""

    slowest_read_seconds: float
    scope: dict[str, Any]

    @override
    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.started = False
        self._handled = False
        self.is_gone = False
        async with Deadline(None) as self._patience:
            try:
                body = await self._read_body(receive)
            except BodyTooLarge as error:
                await self.refuse(error)
                return
            if body is None:
                self.left()
                return
            await self._watched(receive, self.handle(body))

    async def _watched(self, receive: Receive, handling: Coroutine[Any, Any, None]) -> None:
        """Run ``handling``, cancelled the moment the client goes away."""
        work = asyncio.current_task()
        assert work is not None
        watch = work.get_loop().create_task(self._cancel_on_disconnect(receive, work))
        try:
            await handling
        except asyncio.CancelledError:
            if not self.is_gone:
                raise
            work.uncancel()
        finally:
            self._handled = True
            watch.cancel()

    async def handle(self, body: bytes) -> None:
        """Answer the request. Cancelled when the client goes away; must settle whatever happens."""
        raise NotImplementedError

    def max_body_bytes(self) -> int:
        raise NotImplementedError

    async def refuse(self, error: BodyTooLarge) -> None:
        """Answer a request whose body was too large to read."""
        raise NotImplementedError

    def left(self) -> None:
        """The client went away before it had sent its body."""

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name; the first one when it was sent twice."""
        for key, value in self.scope["headers"]:
            if key == name:
                decoded: str = value.decode("latin-1")
                return decoded
        return None

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )

    async def send_body(self, body: bytes, *, more: bool) -> None:
        """Waits while the client does not read. Raises ClientTooSlow when that takes too long."""
        self._patience.move(self.slowest_read_seconds)
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except asyncio.CancelledError as error:
            if not self._patience.expired:
                raise
            self._patience.absolve()
            raise ClientTooSlow from error
        finally:
            self._patience.move(None)

    async def _read_body(self, receive: Receive) -> bytes | None:
        """The whole body, or None when the client left before sending it. Raises BodyTooLarge."""
        parts: list[bytes] = []
        size, most = 0, self.max_body_bytes()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                raise BodyTooLarge(f"The body is larger than {most:,} bytes.")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _cancel_on_disconnect(self, receive: Receive, work: asyncio.Task[Any]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not self._handled:
            self.is_gone = True
            work.cancel()
