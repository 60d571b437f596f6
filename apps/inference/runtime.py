"""Runtime: what the requests of one event loop share, and the tasks that run beside them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.conf import settings

from apps.billing.services.known_budgets import known_budgets
from apps.catalog.selectors import catalog
from apps.common import background, cache, http, single
from apps.common.db import run_db
from apps.common.ratelimit import Limiter, RedisLimiter, make_limiter
from apps.inference.answer_store import AnswerStore, make_answer_store
from apps.inference.breaker import Breaker, LocalBreaker, Standing, rules
from apps.inference.breaker_redis import RedisBreaker
from apps.inference.coalescing import Flights
from apps.inference.gate import Gate
from apps.inference.health import Health, HealthBook
from apps.inference.own_keys import WholeCatalog
from apps.inference.request_log import RequestLog
from apps.inference.resting import Resting
from apps.inference.retry_budget import RetryBudget
from apps.inference.settlement import Books
from apps.inference.similar import Similar
from apps.inference.velocity import Velocity
from apps.keys.selectors import known_keys

DRAIN_SECONDS = 20


@dataclass(slots=True)
class Runtime:
    gate: Gate
    velocity: Velocity
    limiter: Limiter
    books: Books
    breaker: Breaker
    health: HealthBook
    retries: RetryBudget
    resting: Resting
    request_log: RequestLog
    kept_answers: AnswerStore
    """Of requests with an ``Idempotency-Key``."""
    response_cache: AnswerStore
    similar: Similar
    flights: Flights[Any]
    whole_catalog: WholeCatalog
    beside: list[asyncio.Task[None]]

    def standing(self, key: str) -> Standing:
        """With ``of`` what the planner knows of a host."""
        return Standing.OPEN if self.resting.is_resting(key) else self.breaker.standing(key)

    def retry_after_ms(self, keys: Iterable[str]) -> int:
        """Until the first of these hosts may be asked; one that somebody is trying now may be back in a second."""
        left = (max(self.resting.seconds_left(k), self.breaker.seconds_left(k)) for k in keys)
        return max(1000, ceil(1000 * min(left)))

    def of(self, key: str) -> Health:
        return self.health.of(key)

    def is_ailing(self, key: str) -> bool:
        return self.health.is_ailing(key)


_runtimes: dict[asyncio.AbstractEventLoop, Runtime] = {}


def current() -> Runtime:
    """The running loop's; started by its first request where the server has no lifespan (daphne)."""
    loop = asyncio.get_running_loop()
    found = _runtimes.get(loop)
    if found is None:
        books = Books()
        beside = [loop.create_task(cache.watch()), loop.create_task(books.keep_holds())]
        breaker = _make_breaker()
        if isinstance(breaker, RedisBreaker):
            beside.append(loop.create_task(breaker.watch()))
        found = _runtimes[loop] = Runtime(
            Gate(),
            Velocity(),
            make_limiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX),
            books,
            breaker,
            HealthBook(),
            RetryBudget(),
            Resting(),
            RequestLog(),
            _make_store(),
            _make_store(),
            Similar(),
            Flights(),
            WholeCatalog(),
            beside,
        )
    return found


def serving() -> list[tuple[asyncio.AbstractEventLoop, Runtime]]:
    """The loops of this process that serve requests now; none in a worker or a command."""
    return [(loop, found) for loop, found in list(_runtimes.items()) if loop.is_running()]


def _make_breaker() -> Breaker:
    if settings.REDIS_URL:
        return RedisBreaker(settings.REDIS_URL, rules(), prefix=settings.REDIS_PREFIX)
    return LocalBreaker(rules())


def _make_store() -> AnswerStore:
    return make_answer_store(
        settings.REDIS_URL,
        prefix=settings.REDIS_PREFIX,
        most_entries=settings.KEPT_ANSWERS,
        most_bytes=settings.KEPT_ANSWERS_BYTES,
    )


async def start() -> None:
    """Load the snapshots, so that the first request finds them. Raises SecondWebProcess."""
    single.claim()
    await run_db(catalog.check)
    await run_db(known_keys.check)
    await run_db(known_budgets.check)
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
    if isinstance(found.breaker, RedisBreaker):
        await found.breaker.close()
    await found.kept_answers.close()
    await found.response_cache.close()
    await found.books.shut()
    single.release()
