"""The one seam for calls to providers: a pool of HTTP/1.1 connections for each event loop.

Small on purpose, so that another transport can replace it: ``open_upstream`` sends one POST and hands back status,
headers and bytes as they arrive. No cookies, no redirects, no decompression (identity is asked for), no connection limit
of its own. Half of what a general client costs a request under load (docs/performance.md).
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import aiohappyeyeballs
import yarl

from apps.common.http11 import BrokenConnection, Connection

KEEPALIVE_SECONDS = 30
LARGEST_BODY = 64 * 1024 * 1024
"""Of a whole answer: ten large images in base64, or an hour of speech."""
HAPPY_EYEBALLS_SECONDS = 0.25
"""After so long without a connection the next address is tried too (RFC 8305)."""

TransportError = (OSError,)
"""What a broken connection raises. Timeouts are the caller's: wrap reads in ``asyncio.timeout``."""


@dataclass(frozen=True, slots=True)
class _Origin:
    scheme: str
    host: str
    port: int


@lru_cache(maxsize=1024)
def _parse(url: str) -> tuple[_Origin, str]:
    """Where to connect, and the head of a request but for its own headers."""
    parsed = yarl.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.raw_host or not parsed.port:
        raise ValueError(f"not an HTTP address: {url}")
    origin = _Origin(parsed.scheme, parsed.raw_host, parsed.port)
    return (
        origin,
        f"POST {parsed.raw_path_qs} HTTP/1.1\r\nhost: {parsed.host_port_subcomponent}\r\n",
    )


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _head(start: str, headers: Mapping[str, str], size: int) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if fields.count("\n") != len(headers) or fields.count("\r") != len(headers) or "\0" in fields:
        raise ValueError("a header holds a line break")
    return f"{start}{fields}content-length: {size}\r\n\r\n".encode()


_Idle = list[tuple[float, Connection]]
"""Connections that wait for their next request, and since when."""


class UpstreamResponse:
    """An answer under way. ``close`` it when done: early closing ends the connection, which stops the provider."""

    __slots__ = ("_connection", "_idle", "headers", "status")

    def __init__(self, connection: Connection, idle: _Idle) -> None:
        self._connection = connection
        self._idle = idle
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.response_headers
        """Names are in lower case."""

    async def read(self, hear: Callable[[bytes], None] | None = None) -> bytes:
        """The whole body; ``hear`` is told of each part as it arrives. Raises BrokenConnection when it is larger than ``LARGEST_BODY``."""
        parts: list[bytes] = []
        size = 0
        while part := await self._connection.read_some():
            parts.append(part)
            if hear is not None:
                hear(part)
            size += len(part)
            if size > LARGEST_BODY:
                raise BrokenConnection("a body without end")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read_some(self) -> bytes:
        """What has arrived, at least a byte; nothing at the end of the body."""
        return await self._connection.read_some()

    def close(self) -> None:
        """Keeps the connection for the next call when the body has arrived to its end."""
        connection = self._connection
        if connection.complete and connection.reusable and connection.is_open:
            self._idle.append((connection.loop.time(), connection))
        else:
            connection.close()


class _Pool:
    """The idle connections of one event loop. The last one used is used first, so that the others can grow old."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: dict[_Origin, _Idle] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
    ) -> UpstreamResponse:
        origin, start = _parse(url)
        head = _head(start, headers, len(body))
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = []
        connection = self._take(idle)
        if connection is None:
            async with asyncio.timeout(connect_timeout):
                connection = await _connect(origin)
        try:
            connection.send(head, body)
            await connection.headers()
        except BaseException:
            connection.close()
            raise
        return UpstreamResponse(connection, idle)

    def _take(self, idle: _Idle) -> Connection | None:
        if self._sweep is None:
            self._sweep = self._loop.call_later(KEEPALIVE_SECONDS, self._close_old)
        while idle:
            since, connection = idle.pop()
            if connection.is_open and since > self._loop.time() - KEEPALIVE_SECONDS:
                return connection
            connection.close()
        return None

    def _close_old(self) -> None:
        oldest = self._loop.time() - KEEPALIVE_SECONDS
        for idle in self._idle.values():
            for since, connection in idle:
                if since < oldest:
                    connection.close()
            idle[:] = [(since, kept) for since, kept in idle if kept.is_open]
        self._sweep = self._loop.call_later(KEEPALIVE_SECONDS / 2, self._close_old)

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for idle in self._idle.values():
            for _, connection in idle:
                connection.close()
        self._idle.clear()


async def _connect(origin: _Origin) -> Connection:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(origin.host, origin.port, type=1)
    socket = await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1, loop=loop
    )
    secure = origin.scheme == "https"
    try:
        _, connection = await loop.create_connection(
            lambda: Connection(loop), sock=socket, ssl=_tls() if secure else None,
            server_hostname=origin.host if secure else None,
        )  # fmt: skip
    except BaseException:
        socket.close()
        raise
    return connection


_pools: dict[asyncio.AbstractEventLoop, _Pool] = {}


async def open_upstream(
    url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
) -> UpstreamResponse:
    """Send a POST and wait for the answer's headers. Raises OSError, TimeoutError after ``connect_timeout`` seconds."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = _Pool()
    return await pool.post(url, headers=headers, body=body, connect_timeout=connect_timeout)


async def close() -> None:
    """Close the running loop's idle connections."""
    found = _pools.pop(asyncio.get_running_loop(), None)
    if found is not None:
        found.close()
