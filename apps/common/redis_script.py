"""A Lua script in Redis that answers a batch of steps at once, on a connection of its own, one batch at a time.

For limits and breakers: rules that several processes must apply together. A client's pool and retries would cost more
than the script does. While Redis is away the caller goes by its own memory, and asks again after a pause.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
import redis.asyncio
import structlog
from redis.exceptions import NoScriptError, RedisError

from apps.common import clock

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 0.5


class RedisScript:
    """Belongs to one event loop. The script gets the steps as JSON in ``ARGV[1]``, then ``arguments``; it answers with JSON."""

    def __init__(self, url: str, source: str, *arguments: str | float) -> None:
        self._source = source
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._arguments = arguments
        self._connection = redis.asyncio.ConnectionPool.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        ).make_connection()  # type: ignore[no-untyped-call]
        self._away_until = 0.0

    async def run(self, steps: Sequence[Any]) -> list[Any] | None:
        """An answer for each step; None while Redis is away."""
        if clock.monotonic() < self._away_until:
            return None
        try:
            answers: list[Any] = orjson.loads(await self._evaluate(orjson.dumps(steps)))
        except (TimeoutError, RedisError, OSError) as error:
            log.warning("redis.away", error=type(error).__name__)
            self._away_until = clock.monotonic() + PAUSE_SECONDS
            await self._connection.disconnect(nowait=True)
            return None
        return answers

    async def close(self) -> None:
        await self._connection.disconnect()

    async def _evaluate(self, packed: bytes) -> bytes:
        """Redis forgets scripts when it restarts, so one that it does not know is sent whole."""
        if not self._connection.is_connected:
            await self._connection.connect()
        try:
            return await self._command("EVALSHA", self._sha, 0, packed, *self._arguments)
        except NoScriptError:
            return await self._command("EVAL", self._source, 0, packed, *self._arguments)

    async def _command(self, *words: str | bytes | float) -> bytes:
        await self._connection.send_command(*words)
        answer: bytes = await self._connection.read_response()
        return answer
