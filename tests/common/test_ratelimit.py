"""The limiter: one rule, in the process and in Redis, and what happens while Redis is away.

Everything that both must do runs on both where there is a Redis (``make test-services``), and on the local one alone
where there is none. No test is skipped.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis.asyncio
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from apps.common import background, ratelimit, redis_script
from apps.common.ratelimit import (
    SLOT_SECONDS,
    WINDOW_SECONDS,
    Acquire,
    Limiter,
    Limits,
    LocalLimiter,
    Peek,
    RedisLimiter,
    Release,
    Verdict,
    make_limiter,
)

KINDS = ["local", "redis"] if settings.REDIS_URL else ["local"]
PLENTY = Limits(requests_per_minute=10**6, tokens_per_minute=10**9, concurrency=10**6)
START = 60_000.0
"""The fake clock's beginning: the first moment of a minute."""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
async def limiter(request, clock) -> AsyncIterator[Limiter]:
    if request.param == "local":
        yield LocalLimiter(now=clock)
        return
    if (left := WINDOW_SECONDS - time.time() % WINDOW_SECONDS) < 2:
        await asyncio.sleep(left)  # Redis has its own clock: begin where the minute does not end
    limiter = RedisLimiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX)
    yield limiter
    await background.drain(2)
    await limiter.close()


@pytest.fixture
def subject() -> str:
    """Redis is shared with other tests."""
    return f"test:{uuid.uuid4().hex}"


def asking(subject: str, limits: Limits, *, tokens: int = 1, request: str = "") -> Acquire:
    return Acquire(subject, request or uuid.uuid4().hex, limits, tokens)


async def ask(
    limiter: Limiter, number: int, subject: str, limits: Limits, *, tokens: int = 1
) -> Counter[str]:
    """``number`` requests at once; what each exceeded, empty for those that were admitted."""
    steps = [limiter.acquire(asking(subject, limits, tokens=tokens)) for _ in range(number)]
    return Counter(verdict.exceeded for verdict in await asyncio.gather(*steps))


# What both must do.


async def test_admits_exactly_the_limit_when_200_ask_at_once(limiter, subject):
    found = await ask(limiter, 200, subject, Limits(37, 10**9, 10**6))

    assert found == {"": 37, "requests": 163}


async def test_admits_exactly_the_tokens_when_200_ask_at_once(limiter, subject):
    found = await ask(limiter, 200, subject, Limits(10**6, 1005, 10**6), tokens=100)

    assert found == {"": 10, "tokens": 190}


async def test_admits_exactly_the_slots_when_200_ask_at_once(limiter, subject):
    found = await ask(limiter, 200, subject, Limits(10**6, 10**9, 12))

    assert found == {"": 12, "concurrency": 188}


async def test_subjects_do_not_share_when_they_differ(limiter, subject):
    limits = Limits(1, 10**9, 10**6)
    await ask(limiter, 1, subject, limits)

    found = await ask(limiter, 1, f"{subject}-other", limits)

    assert found == {"": 1}


async def test_slot_is_free_again_when_released(limiter, subject):
    limits = Limits(10**6, 10**9, 1)
    await limiter.acquire(asking(subject, limits, request="first"))
    refused = await limiter.acquire(asking(subject, limits))

    limiter.release(Release(subject, "first", 0))

    assert refused.exceeded == "concurrency"
    assert refused.retry_after_ms == 1000
    assert (await limiter.acquire(asking(subject, limits))).exceeded == ""


async def test_release_of_a_stranger_frees_nothing(limiter, subject):
    limits = Limits(10**6, 10**9, 1)
    await limiter.acquire(asking(subject, limits, request="first"))

    limiter.release(Release(subject, "another", -100))

    assert (await limiter.acquire(asking(subject, limits))).exceeded == "concurrency"


@pytest.mark.parametrize(("correction", "left"), [(-60, 960), (+60, 840), (0, 900), (-500, 1000)])
async def test_tokens_are_corrected_when_the_real_number_is_known(
    limiter, subject, correction, left
):
    limits = Limits(10**6, 1000, 10**6)
    await limiter.acquire(asking(subject, limits, tokens=100, request="first"))

    limiter.release(Release(subject, "first", correction))

    verdict = await limiter.acquire(asking(subject, limits, tokens=0))
    assert verdict.remaining_tokens == left


async def test_tokens_are_corrected_once_when_released_twice(limiter, subject):
    limits = Limits(10**6, 1000, 10**6)
    await limiter.acquire(asking(subject, limits, tokens=300, request="other"))
    await limiter.acquire(asking(subject, limits, tokens=100, request="first"))

    limiter.release(Release(subject, "first", -100))
    limiter.release(Release(subject, "first", -100))

    verdict = await limiter.acquire(asking(subject, limits, tokens=0))
    assert verdict.remaining_tokens == 700


@pytest.mark.parametrize(
    ("refusing", "exceeded"),
    [
        (Limits(1, 10**9, 10**6), "requests"),
        (Limits(10**6, 150, 10**6), "tokens"),
        (Limits(10**6, 10**9, 1), "concurrency"),
    ],
)
async def test_nothing_is_counted_when_refused(limiter, subject, refusing, exceeded):
    await limiter.acquire(asking(subject, PLENTY, tokens=100))

    refused = await limiter.acquire(asking(subject, refusing, tokens=100))
    after = await limiter.acquire(asking(subject, Limits(10, 1000, 2), tokens=100))

    assert refused.exceeded == exceeded
    assert after == Verdict(
        exceeded="",
        remaining_requests=8,
        remaining_tokens=800,
        reset_ms=after.reset_ms,
        retry_after_ms=0,
    )


async def test_tells_what_remains_when_admitted(limiter, subject):
    verdict = await limiter.acquire(asking(subject, Limits(10, 1000, 5), tokens=300))

    assert (verdict.exceeded, verdict.retry_after_ms) == ("", 0)
    assert (verdict.remaining_requests, verdict.remaining_tokens) == (9, 700)
    assert 0 <= verdict.reset_ms <= 60_000


async def test_peek_tells_what_the_last_request_left(limiter, subject):
    limits = Limits(10, 1000, 5)
    told = await limiter.acquire(asking(subject, limits, tokens=300))

    seen = await limiter.peek(Peek(subject, limits))

    assert (seen.exceeded, seen.retry_after_ms) == ("", 0)
    assert (seen.remaining_requests, seen.remaining_tokens) == (9, 700)
    assert told.reset_ms - 2000 < seen.reset_ms <= told.reset_ms


async def test_peek_knows_the_correction_when_the_request_has_ended(limiter, subject):
    limits = Limits(10, 1000, 5)
    await limiter.acquire(asking(subject, limits, tokens=300, request="first"))

    limiter.release(Release(subject, "first", -200))

    assert (await limiter.peek(Peek(subject, limits))).remaining_tokens == 900


async def test_peek_counts_nothing_however_often(limiter, subject):
    limits = Limits(1, 10, 1)

    seen = [await limiter.peek(Peek(subject, limits)) for _ in range(20)]

    assert {(one.remaining_requests, one.remaining_tokens) for one in seen} == {(1, 10)}
    assert (await limiter.acquire(asking(subject, limits, tokens=10))).exceeded == ""


async def test_peek_tells_nothing_below_zero_when_the_limit_was_lowered(limiter, subject):
    await ask(limiter, 5, subject, PLENTY, tokens=100)

    seen = await limiter.peek(Peek(subject, Limits(2, 100, 1)))

    assert (seen.remaining_requests, seen.remaining_tokens) == (0, 0)


async def test_tells_how_long_to_wait_when_refused(limiter, subject):
    limits = Limits(2, 10**9, 10**6)
    await ask(limiter, 2, subject, limits)

    refused = await limiter.acquire(asking(subject, limits))

    assert refused.exceeded == "requests"
    assert (refused.remaining_requests, refused.remaining_tokens) == (0, 10**9 - 2)
    # The rest of this minute, then until one of the two has faded; and a millisecond, which the limiter adds.
    assert 30_000 < refused.retry_after_ms - 1 <= 90_000


async def test_limit_of_zero_admits_nobody(limiter, subject):
    found = await ask(limiter, 3, subject, Limits(0, 10**9, 10**6))

    assert found == {"requests": 3}


# The window, by a clock that stands still.


async def take(limiter: LocalLimiter, number: int, limits: Limits) -> int:
    found = await ask(limiter, number, "key", limits)
    return found[""]


@pytest.mark.parametrize(
    ("seconds", "admitted"), [(0, 0), (59, 0), (60, 0), (75, 2), (90, 5), (119, 9), (120, 10)]
)
async def test_last_minute_fades_as_the_window_slides(clock, seconds, admitted):
    limiter, limits = LocalLimiter(now=clock), Limits(10, 10**9, 10**6)
    await take(limiter, 10, limits)

    clock.now = START + seconds

    assert await take(limiter, 20, limits) == admitted


async def test_tokens_fade_as_the_window_slides(clock):
    limiter, limits = LocalLimiter(now=clock), Limits(10**6, 1000, 10**6)
    await limiter.acquire(asking("key", limits, tokens=1000))

    clock.now = START + 90

    assert (await limiter.acquire(asking("key", limits, tokens=501))).exceeded == "tokens"
    assert (await limiter.acquire(asking("key", limits, tokens=500))).exceeded == ""


async def test_peek_sees_the_last_minute_fade(clock):
    limiter, limits = LocalLimiter(now=clock), Limits(10, 1000, 5)
    await limiter.acquire(asking("key", limits, tokens=1000))

    clock.now = START + 90

    seen = await limiter.peek(Peek("key", limits))
    assert (seen.remaining_requests, seen.remaining_tokens) == (9, 500)
    assert seen.reset_ms == 30_000


async def test_everything_is_forgotten_when_a_minute_passed_without_requests(clock):
    limiter, limits = LocalLimiter(now=clock), Limits(10, 10**9, 10**6)
    await take(limiter, 10, limits)

    clock.now = START + 2 * WINDOW_SECONDS

    assert await take(limiter, 20, limits) == 10


@given(
    limit=st.integers(1, 40),
    earlier=st.integers(0, 40),
    first=st.floats(0, 59.9),
    second=st.floats(60, 119.9),
)
def test_request_is_admitted_when_it_waited_as_long_as_it_was_told(limit, earlier, first, second):
    clock = Clock()
    limiter, limits = LocalLimiter(now=clock), Limits(limit, 10**9, 10**6)
    clock.now = START + first
    for _ in range(earlier):
        limiter.take(asking("key", limits))
    clock.now = START + second
    while not (refused := limiter.take(asking("key", limits))).exceeded:
        pass

    clock.now += refused.retry_after_ms / 1000

    assert limiter.take(asking("key", limits)).exceeded == ""


@given(
    limit=st.integers(1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 400)), max_size=60),
)
def test_no_minute_of_the_clock_holds_more_than_the_limit(limit, steps):
    clock = Clock()
    limiter, limits = LocalLimiter(now=clock), Limits(10**6, limit, 10**6)
    used: Counter[int] = Counter()

    for pause, tokens in steps:
        clock.now += pause
        if not limiter.take(asking("key", limits, tokens=tokens)).exceeded:
            used[int(clock.now // 60)] += tokens

    assert all(tokens <= limit for tokens in used.values())


async def test_slot_comes_back_when_its_request_never_released_it(clock):
    limiter, limits = LocalLimiter(now=clock), Limits(10**6, 10**9, 1)
    await take(limiter, 1, limits)

    clock.now = START + SLOT_SECONDS - 1
    early = await take(limiter, 1, limits)
    clock.now = START + SLOT_SECONDS + 1
    late = await take(limiter, 1, limits)

    assert (early, late) == (0, 1)


async def test_least_recently_used_subject_is_forgotten_when_there_are_too_many(clock, monkeypatch):
    monkeypatch.setattr(ratelimit, "MOST_SUBJECTS", 2)
    limiter, once = LocalLimiter(now=clock), Limits(1, 10**9, 10**6)
    for subject in ("old", "used", "old", "new"):
        await ask(limiter, 1, subject, once)

    again = {subject: await ask(limiter, 1, subject, once) for subject in ("old", "new", "used")}

    assert again == {"old": {"requests": 1}, "new": {"requests": 1}, "used": {"": 1}}


async def test_local_limiter_is_made_when_there_is_no_redis():
    assert isinstance(make_limiter("", prefix="test"), LocalLimiter)


# Redis away.


@pytest.mark.alone
async def test_limits_in_the_process_when_redis_cannot_be_reached(subject):
    limiter = RedisLimiter("redis://127.0.0.1:1/0", prefix="test")
    started = time.monotonic()

    found = await ask(limiter, 200, subject, Limits(37, 10**9, 10**6))

    assert found == {"": 37, "requests": 163}
    assert time.monotonic() - started < 0.5
    await background.drain(2)
    await limiter.close()


async def test_peeks_in_the_process_when_redis_cannot_be_reached(subject):
    limiter = RedisLimiter("redis://127.0.0.1:1/0", prefix="test")
    limits = Limits(10, 1000, 5)
    await limiter.acquire(asking(subject, limits, tokens=300))

    seen = await limiter.peek(Peek(subject, limits))

    assert (seen.remaining_requests, seen.remaining_tokens) == (9, 700)
    await background.drain(2)
    await limiter.close()


@pytest.mark.alone
async def test_does_not_try_again_at_once_when_redis_cannot_be_reached(subject):
    limiter = RedisLimiter("redis://127.0.0.1:1/0", prefix="test")
    await ask(limiter, 1, subject, PLENTY)
    started = time.monotonic()

    for _ in range(100):
        await limiter.acquire(asking(subject, PLENTY))

    assert time.monotonic() - started < 0.3
    await background.drain(2)
    await limiter.close()


@pytest.mark.alone
async def test_gives_up_soon_when_redis_takes_the_connection_and_says_nothing(subject):
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    limiter = RedisLimiter(f"redis://127.0.0.1:{port}/0", prefix="test")
    started = time.monotonic()

    found = await ask(limiter, 5, subject, Limits(3, 10**9, 10**6))

    assert found == {"": 3, "requests": 2}
    assert time.monotonic() - started < 1.2
    await background.drain(2)
    await limiter.close()
    silent.close()
    await left.wait()


async def test_slots_that_were_taken_alone_are_freed_alone(subject):
    limiter = RedisLimiter("redis://127.0.0.1:1/0", prefix="test")
    limits = Limits(10**6, 10**9, 1)
    await limiter.acquire(asking(subject, limits, request="first"))

    limiter.release(Release(subject, "first", 0))

    assert (await limiter.acquire(asking(subject, limits))).exceeded == ""
    await background.drain(2)
    await limiter.close()


class Proxy:
    """Between a limiter and Redis; can be taken away and put back on the same port."""

    def __init__(self) -> None:
        self._parts = urlsplit(settings.REDIS_URL)
        self._port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._served: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        place = f"127.0.0.1:{self._port}"
        if "@" in self._parts.netloc:
            place = f"{self._parts.netloc.rpartition('@')[0]}@{place}"
        return urlunsplit(self._parts._replace(netloc=place))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._served)
        self._writers.clear()
        self._served.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.append(task)
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port or 6379)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    @staticmethod
    async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


if settings.REDIS_URL:

    async def test_counts_in_redis_again_when_it_is_back(subject, monkeypatch):
        monkeypatch.setattr(redis_script, "PAUSE_SECONDS", 0.1)
        proxy = Proxy()
        await proxy.start()
        limiter = RedisLimiter(proxy.url, prefix=settings.REDIS_PREFIX)
        limits = Limits(10, 10**9, 10**6)

        before = await ask(limiter, 4, subject, limits)
        await proxy.stop()
        alone = await ask(limiter, 20, subject, limits)
        await proxy.start()
        await asyncio.sleep(0.2)
        after = await ask(limiter, 20, subject, limits)

        assert before == {"": 4}
        assert alone == {"": 10, "requests": 10}  # this process alone knows nothing of the four
        assert after == {"": 6, "requests": 14}  # and Redis nothing of the ten
        await background.drain(2)
        await limiter.close()
        await proxy.stop()

    async def test_two_processes_share_one_limit_when_both_use_redis(subject):
        one, two = (
            RedisLimiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX),
            RedisLimiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX),
        )
        limits = Limits(37, 10**9, 10**6)

        found = await asyncio.gather(ask(one, 100, subject, limits), ask(two, 100, subject, limits))

        assert sum((part for part in found), Counter()) == {"": 37, "requests": 163}
        await background.drain(2)
        await one.close()
        await two.close()

    async def test_nothing_stays_in_redis_for_good(subject):
        limiter = RedisLimiter(settings.REDIS_URL, prefix=settings.REDIS_PREFIX)
        await limiter.acquire(asking(subject, PLENTY))

        async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as store:
            lives = [
                await store.ttl(f"{settings.REDIS_PREFIX}:{kind}:{{{subject}}}")
                for kind in ("limit", "slots")
            ]

        assert 0 < lives[0] <= 180
        assert 0 < lives[1] <= SLOT_SECONDS
        await background.drain(2)
        await limiter.close()
