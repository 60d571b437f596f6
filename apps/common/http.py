"""The one seam for calls to providers: a pooled aiohttp session for each event loop.

Small on purpose, so that another transport can replace it: ``open_upstream`` sends one POST and hands back status,
headers and bytes as they arrive. No cookies, no decompression (identity is asked for), no connection limit of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

KEEPALIVE_SECONDS = 30

_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

TransportError = (aiohttp.ClientError, OSError)
"""What a broken connection raises. Timeouts are the caller's: wrap reads in ``asyncio.timeout``."""


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    status: int
    headers: Mapping[str, str]
    """Names are matched without regard to case."""
    body: aiohttp.StreamReader

    async def read(self) -> bytes:
        return await self.body.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Bytes as they arrive, in whatever pieces."""
        while data := await self.body.readany():
            yield data


def session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    found = _sessions.get(loop)
    if found is None or found.closed:
        found = _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**18,
            skip_auto_headers=("User-Agent",),
        )
    return found


@asynccontextmanager
async def open_upstream(
    url: str, *, headers: Mapping[str, str], body: bytes, connect_timeout: float
) -> AsyncIterator[UpstreamResponse]:
    """Raises TransportError or TimeoutError. Leaving the block early closes the connection, which stops the provider."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout)
    async with session().post(
        url, data=body, headers=headers, timeout=timeout, allow_redirects=False
    ) as response:
        yield UpstreamResponse(response.status, response.headers, response.content)


async def close() -> None:
    found = _sessions.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()
