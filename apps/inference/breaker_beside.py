"""The breaker for what runs beside requests: scheduled jobs and commands that ask hosts too.

with Redis                                the circuit that all processes share
without, in the process that serves       its own circuit, asked and told on its loop (``manage.py serve``)
without, in a process of its own          a circuit that nobody else sees: what is learnt stays in the rows
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol

from django.conf import settings

from apps.inference import runtime
from apps.inference.breaker import Breaker, LocalBreaker, Standing, rules
from apps.inference.breaker_redis import RedisBreaker

ANSWER_SECONDS = 1.0
"""A loop that takes longer to say whether a host may be asked is ending, or has better things to do."""


class BesideBreaker(Breaker, Protocol):
    async def settle(self) -> None:
        """Until what was said so far counts, where it is heard at all."""
        ...


@asynccontextmanager
async def open_breaker() -> AsyncIterator[BesideBreaker]:
    """Belongs to the running loop, which must not be one that serves requests."""
    if not settings.REDIS_URL:
        served = runtime.serving()
        yield BorrowedBreaker(served) if served else LonelyBreaker(rules())
        return
    breaker = RedisBreaker(settings.REDIS_URL, rules(), prefix=settings.REDIS_PREFIX)
    try:
        await breaker.learn()
        yield breaker
        await breaker.settle()
    finally:
        await breaker.close()


def is_heard() -> bool:
    """Whether routing learns what is recorded here."""
    return bool(settings.REDIS_URL or runtime.serving())


class LonelyBreaker(LocalBreaker):
    async def settle(self) -> None:
        return


class BorrowedBreaker:
    """The breakers of the loops that serve in this process. They are touched on their own loops alone."""

    def __init__(self, served: Sequence[tuple[asyncio.AbstractEventLoop, runtime.Runtime]]) -> None:
        self._served = served

    def standing(self, key: str) -> Standing:
        """The worst of them; reads only, so from any thread."""
        standings = {found.breaker.standing(key) for _, found in self._served}
        for standing in (Standing.OPEN, Standing.HALF_OPEN):
            if standing in standings:
                return standing
        return Standing.CLOSED

    def seconds_left(self, key: str) -> float:
        return max(found.breaker.seconds_left(key) for _, found in self._served)

    async def claim(self, key: str, *, by: str) -> bool:
        for at, (loop, found) in enumerate(self._served):
            asked = asyncio.run_coroutine_threadsafe(found.breaker.claim(key, by=by), loop)
            try:
                may = await asyncio.wait_for(asyncio.wrap_future(asked), ANSWER_SECONDS)
            except TimeoutError:
                may = False
            if not may:
                for other, claimed in self._served[:at]:
                    other.call_soon_threadsafe(partial(claimed.breaker.give_back, key, by=by))
                return False
        return True

    def renew(self, key: str, *, by: str) -> None:
        for loop, found in self._served:
            loop.call_soon_threadsafe(partial(found.breaker.renew, key, by=by))

    def record(self, key: str, *, by: str, succeeded: bool) -> None:
        for loop, found in self._served:
            told = partial(found.breaker.record, key, by=by, succeeded=succeeded)
            loop.call_soon_threadsafe(told)

    def give_back(self, key: str, *, by: str) -> None:
        for loop, found in self._served:
            loop.call_soon_threadsafe(partial(found.breaker.give_back, key, by=by))

    async def settle(self) -> None:
        ends = [
            asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop))
            for loop, _ in self._served
        ]
        await asyncio.wait(ends, timeout=ANSWER_SECONDS)
