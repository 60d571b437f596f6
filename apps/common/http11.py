"""One HTTP/1.1 connection to a provider: an asyncio protocol around httptools' parser (llhttp, as in Node.js).

    connection.send(head, body)        one request; the next one only when the answer was read to its end
    await connection.headers()         status and headers are known
    await connection.read_some()       bytes of the body as they arrive; b"" at its end

Bytes that nobody reads stop the socket at ``HIGH_WATER``, so a slow client slows its provider instead of filling memory.
"""

import asyncio
from typing import Any, cast

import httptools
from typing_extensions import override

HIGH_WATER = 2**18
LARGEST_HEAD = 2**16
"""Of an answer's status line and headers, and of what follows its last chunk: the parser gathers a header until it ends."""


class BrokenConnection(OSError):
    """The connection ended before the answer did, or what came was not HTTP."""


class Connection(asyncio.Protocol):
    """Belongs to one event loop and serves one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._failure: BrokenConnection | None = None
        self._paused = False
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.response_headers: dict[str, str] = {}
        self.complete = False
        self.reusable = False
        self._is_over = False
        """A second answer has begun behind the whole one."""
        self._head_done = False
        self._until_close = False
        self._unread_head = 0
        """Raw bytes since the last ones that were content."""
        self._chunks: list[bytes] = []
        self._buffered = 0

    @property
    def is_open(self) -> bool:
        return (
            self._transport is not None
            and not self._transport.is_closing()
            and self._failure is None
        )

    def send(self, head: bytes, body: bytes) -> None:
        """Start the next request. Nothing is awaited: a provider may answer before it has read everything."""
        assert self._transport is not None
        self._resume()
        self._begin()
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._transport.writelines((head, body))

    async def headers(self) -> None:
        """Raises BrokenConnection."""
        while not self._head_done:
            await self._wait()

    async def read_some(self) -> bytes:
        """What has arrived, at least a byte; nothing at the end of the body. Raises BrokenConnection."""
        while not self._chunks:
            if self.complete:
                return b""
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        self._resume()
        return data

    def close(self) -> None:
        """Ends the connection at once, which stops a provider that is still answering."""
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            assert self._transport is not None
            self._transport.resume_reading()

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or BrokenConnection(reason)
        self.close()
        self._wake()

    # What asyncio calls.

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if not self._expects_bytes():
            self._fail("bytes that belong to no request")
            return
        self._unread_head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if self._expects_bytes():  # else something stood behind a whole answer
                self._fail(f"not HTTP/1.1: {type(error).__name__}")
            return
        if self._unread_head > LARGEST_HEAD and self._expects_bytes():
            self._fail("endless headers")

    def _expects_bytes(self) -> bool:
        return self._parser is not None and not self.complete

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._until_close and exc is None and not self.complete:
            self.complete = True
        elif not self.complete:
            name = type(exc).__name__ if exc else "closed by the other side"
            self._failure = self._failure or BrokenConnection(name)
        self.reusable = False
        self._wake()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.complete:
            # Bytes behind a whole answer: whatever they are, they answer nothing.
            self._is_over = True
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # a trailer, or a header of a second answer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self.response_headers.get(key)
        self.response_headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        if self._is_over:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return  # 100 and 103 announce the answer, they are not it
        self.status = status
        self._head_done = True
        self._unread_head = 0
        names = self.response_headers
        coding = names.get("transfer-encoding", "").lower()
        self._until_close = "content-length" not in names and "chunked" not in coding
        self._wake()

    def on_body(self, body: bytes) -> None:
        if self._is_over:
            return
        self._unread_head = 0
        self._chunks.append(body)
        self._buffered += len(body)
        if self._buffered > HIGH_WATER and not self._paused:
            assert self._transport is not None
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self._is_over:
            return
        if not self._head_done:
            self.response_headers.clear()
            return
        self.complete = True
        self.reusable = self._parser.should_keep_alive()
        self._wake()
