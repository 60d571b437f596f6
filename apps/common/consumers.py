"""StreamConsumer: the HTTP edge of everything that spends at a provider.

Channels' own AsyncHttpConsumer reads no disconnect while it streams (django/channels #1249) and hops to a thread per
message; both would cost money. This one reads the body itself, runs ``handle`` as a task beside a watch for the
client's disconnect, and cancels it the moment the client is gone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from channels.consumer import AsyncConsumer
from typing_extensions import override

from apps.common import background
from apps.common.errors import BodyTooLarge

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CLOSE_GRACE_SECONDS = 0.5


class ClientTooSlow(Exception):
    """The client keeps its connection open and does not read; it is treated like one that has gone away."""


class StreamConsumer(AsyncConsumer):  # type: ignore[misc]
    """One HTTP request. Subclasses implement ``handle``; ``max_body_bytes`` caps what is read."""

    max_body_bytes: int
    slowest_read_seconds: float
    scope: dict[str, Any]

    @override
    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self._send = send
        self.started = False
        try:
            body = await self._read_body(receive)
        except BodyTooLarge as error:
            await self.refuse(error)
            return
        if body is None:
            return
        work = background.spawn(self.handle(body), name="inference.request")
        gone = asyncio.ensure_future(self._until_disconnect(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()  # no effect when it is done
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def handle(self, body: bytes) -> None:
        """Answer the request. Cancelled when the client goes away; must settle whatever happens."""
        raise NotImplementedError

    async def refuse(self, error: BodyTooLarge) -> None:
        """Answer a request whose body was too large to read."""
        raise NotImplementedError

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
        try:
            async with asyncio.timeout(self.slowest_read_seconds):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError as error:
            raise ClientTooSlow from error

    async def _read_body(self, receive: Receive) -> bytes | None:
        """The whole body, or None when the client left before sending it. Raises BodyTooLarge."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size += len(part)
            if size > self.max_body_bytes:
                raise BodyTooLarge(f"The body is larger than {self.max_body_bytes:,} bytes.")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    @staticmethod
    async def _until_disconnect(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
