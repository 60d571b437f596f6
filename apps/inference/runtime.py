"""Runtime: what the requests of one event loop share, and the tasks that run beside them."""

import asyncio
from dataclasses import dataclass

from django.conf import settings

from apps.catalog.selectors import catalog
from apps.common import background, cache, http, single
from apps.common.db import run_db
from apps.common.ratelimit import Limiter, RedisLimiter, make_limiter
from apps.inference.request_log import RequestLog
from apps.inference.settlement import Books
from apps.keys.selectors import known_keys

DRAIN_SECONDS = 20


@dataclass(slots=True)
class Runtime:
    limiter: Limiter
    books: Books
    request_log: RequestLog
    beside: list[asyncio.Task[None]]


_runtimes: dict[asyncio.AbstractEventLoop, Runtime] = {}


def current() -> Runtime:
    """The running loop's; started by its first request where the server has no lifespan (daphne)."""
    loop = asyncio.get_running_loop()
    found = _runtimes.get(loop)
    if found is None:
        books = Books()
        beside = [loop.create_task(cache.watch()), loop.create_task(books.keep_holds())]
        found = _runtimes[loop] = Runtime(
            make_limiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX),
            books,
            RequestLog(),
            beside,
        )
    return found


async def start() -> None:
    """Load the snapshots, so that the first request finds them. Raises SecondWebProcess."""
    single.claim()
    await run_db(catalog.check)
    await run_db(known_keys.check)
    current()


async def stop() -> None:
    """Let the settlements under way finish, then close what this loop holds open."""
    found = _runtimes.pop(asyncio.get_running_loop(), None)
    await background.drain(DRAIN_SECONDS)
    await http.close()
    if found is None:
        return
    found.request_log.flush()
    for task in found.beside:
        task.cancel()
    await asyncio.gather(*found.beside, return_exceptions=True)
    if isinstance(found.limiter, RedisLimiter):
        await found.limiter.close()
    await found.books.shut()
    single.release()
