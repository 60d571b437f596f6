"""The one seam for calls to providers: a pooled aiohttp session for each event loop.

Small on purpose, so that another transport can replace it: ``open_upstream`` sends one POST and hands back status,
headers and bytes as they arrive. No cookies, no decompression (identity is asked for), no connection limit of its own.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache

import aiohttp
import yarl

KEEPALIVE_SECONDS = 30

_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

TransportError = (aiohttp.ClientError, OSError)
"""What a broken connection raises. Timeouts are the caller's: wrap reads in ``asyncio.timeout``."""


class UpstreamResponse:
    """An answer under way. ``close`` it when done: early closing ends the connection, which stops the provider."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        """Names are matched without regard to case."""

    async def read(self) -> bytes:
        """The whole body."""
        return await self._response.content.read()

    async def read_some(self) -> bytes:
        """What has arrived, at least a byte; nothing at the end of the body."""
        return await self._response.content.readany()

    def close(self) -> None:
        """Keeps the connection for the next call when the body was read to its end."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    found = _sessions.get(loop)
    if found is None or found.closed:
        found = _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEPALIVE_SECONDS, ttl_dns_cache=60
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**18,
            skip_auto_headers=("User-Agent",),
        )
    return found


_url = lru_cache(maxsize=1024)(yarl.URL)


@lru_cache(maxsize=64)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect)


async def open_upstream(
    url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
) -> UpstreamResponse:
    """Send a POST and wait for the answer's headers. Raises TransportError or TimeoutError."""
    response = await session().post(
        _url(url),
        data=body,
        headers=headers,
        timeout=_timeout(connect_timeout),
        allow_redirects=False,
    )
    return UpstreamResponse(response)


async def close() -> None:
    found = _sessions.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
