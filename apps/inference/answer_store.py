"""The answer store: sealed bytes under a name, for a time. In Redis where there is one, else within the process.

It is a convenience and never a condition: while Redis is away or slow nothing is found and nothing is kept, the log and a
series say so, and requests go on as if nobody had asked for it.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, cast

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.common import clock
from apps.common.deadline import Deadline
from apps.inference import metrics

log = structlog.get_logger(__name__)

T = TypeVar("T")

REDIS_TIMEOUT_SECONDS = 0.5
REDIS_PAUSE_SECONDS = 1.0
"""After a failure Redis is not asked for so long, so that a slow one delays a request in a second, not every one."""
_away_until: dict[str, float] = {}
"""By address: whichever store of this process finds it away spares the others the wait."""


class AnswerStore(Protocol):
    """None of these raises for a store that cannot be reached."""

    async def get(self, name: str) -> bytes | None: ...

    async def put(self, name: str, value: bytes, *, seconds: float) -> None: ...

    async def claim(self, name: str, value: bytes, *, seconds: float) -> bytes | None:
        """Put ``value`` there unless something is there already: that is the answer then, else None."""
        ...

    async def extend(self, name: str, *, seconds: float) -> None:
        """What is there stays for so long from now."""
        ...

    async def remove(self, name: str) -> None: ...

    async def close(self) -> None: ...


class LocalAnswerStore:
    """Within one process: the most recently used entries, within both bounds. An entry larger than all is not kept."""

    def __init__(
        self, *, most_entries: int, most_bytes: int, now: Callable[[], float] = clock.monotonic
    ) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._now = now
        self._bytes = 0
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def get(self, name: str) -> bytes | None:
        found = self._entries.get(name)
        if found is None:
            return None
        value, until = found
        if until <= self._now():
            self._drop(name)
            return None
        self._entries.move_to_end(name)
        return value

    async def put(self, name: str, value: bytes, *, seconds: float) -> None:
        self._drop(name)
        if len(value) > self._most_bytes:
            return
        self._entries[name] = value, self._now() + seconds
        self._bytes += len(value)
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    async def claim(self, name: str, value: bytes, *, seconds: float) -> bytes | None:
        found = await self.get(name)
        if found is None:
            await self.put(name, value, seconds=seconds)
        return found

    async def extend(self, name: str, *, seconds: float) -> None:
        if (value := await self.get(name)) is not None:
            self._entries[name] = value, self._now() + seconds

    async def remove(self, name: str) -> None:
        self._drop(name)

    async def close(self) -> None:
        return

    def _drop(self, name: str) -> None:
        if (found := self._entries.pop(name, None)) is not None:
            self._bytes -= len(found[0])


class RedisAnswerStore:
    """In Redis, shared by all processes. Belongs to one event loop."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._prefix = prefix
        self._redis: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._url = url

    async def get(self, name: str) -> bytes | None:
        async def work() -> bytes | None:
            return cast("bytes | None", await self._redis.get(self._prefix + name))

        return await self._ask(work, otherwise=None)

    async def put(self, name: str, value: bytes, *, seconds: float) -> None:
        async def work() -> None:
            await self._redis.set(self._prefix + name, value, px=round(seconds * 1000))

        await self._ask(work, otherwise=None)

    async def claim(self, name: str, value: bytes, *, seconds: float) -> bytes | None:
        async def work() -> bytes | None:
            async with self._redis.pipeline(transaction=True) as steps:
                steps.set(self._prefix + name, value, nx=True, px=round(seconds * 1000))
                steps.get(self._prefix + name)
                is_ours, found = await steps.execute()
            return None if is_ours else found

        return await self._ask(work, otherwise=None)

    async def extend(self, name: str, *, seconds: float) -> None:
        async def work() -> None:
            await self._redis.pexpire(self._prefix + name, round(seconds * 1000))

        await self._ask(work, otherwise=None)

    async def remove(self, name: str) -> None:
        async def work() -> None:
            await self._redis.delete(self._prefix + name)

        await self._ask(work, otherwise=None)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, work: Callable[[], Awaitable[T]], *, otherwise: T) -> T:
        if clock.monotonic() < _away_until.get(self._url, 0.0):
            metrics.answer_store_failures.inc()
            return otherwise
        try:
            async with Deadline(REDIS_TIMEOUT_SECONDS):
                return await work()
        except (TimeoutError, RedisError, OSError) as error:
            log.warning("answers.redis_away", error=type(error).__name__)
            metrics.answer_store_failures.inc()
            _away_until[self._url] = clock.monotonic() + REDIS_PAUSE_SECONDS
            return otherwise


def make_answer_store(url: str, *, prefix: str, most_entries: int, most_bytes: int) -> AnswerStore:
    """Redis at ``url``, under names that begin with ``prefix``; within the process and these bounds without an address."""
    if url:
        return RedisAnswerStore(url, prefix=f"{prefix}:")
    return LocalAnswerStore(most_entries=most_entries, most_bytes=most_bytes)
