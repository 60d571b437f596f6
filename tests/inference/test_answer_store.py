"""The store of kept answers: the same in the process and in Redis, bounded in the one, never an obstacle in the other."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import pytest
from django.conf import settings

from apps.inference import metrics
from apps.inference.answer_store import (
    REDIS_TIMEOUT_SECONDS,
    AnswerStore,
    LocalAnswerStore,
    RedisAnswerStore,
    make_answer_store,
)

KINDS = ["local", "redis"] if settings.REDIS_URL else ["local"]


@pytest.fixture(params=KINDS)
async def store(request) -> AsyncIterator[AnswerStore]:
    made = make_answer_store(
        settings.REDIS_URL if request.param == "redis" else "",
        prefix=f"test-{uuid.uuid4().hex}",
        most_entries=100,
        most_bytes=10_000,
    )
    yield made
    await made.close()


async def test_value_is_found_when_it_was_put_and_not_removed(store):
    await store.put("name", b"value", seconds=60)
    found = await store.get("name")
    await store.remove("name")

    assert (found, await store.get("name"), await store.get("other")) == (b"value", None, None)


async def test_value_is_gone_when_its_time_is_over(store):
    await store.put("short", b"value", seconds=0.1)
    await store.put("extended", b"value", seconds=0.1)
    await store.extend("extended", seconds=60)
    await asyncio.sleep(0.2)

    assert await store.get("short") is None
    assert await store.get("extended") == b"value"


async def test_one_claim_is_granted_when_many_are_made_at_once(store):
    answers = await asyncio.gather(
        *(store.claim("name", f"claim {n}".encode(), seconds=60) for n in range(20))
    )

    assert answers.count(None) == 1
    winner = f"claim {answers.index(None)}".encode()
    assert set(answers) == {None, winner}


async def test_claim_is_granted_when_the_one_before_is_over(store):
    await store.claim("name", b"first", seconds=0.1)
    await asyncio.sleep(0.2)

    assert await store.claim("name", b"second", seconds=60) is None
    assert await store.get("name") == b"second"


async def test_least_recently_used_go_first_when_there_are_too_many():
    store = LocalAnswerStore(most_entries=3, most_bytes=100)
    for name in ("a", "b", "c"):
        await store.put(name, b".", seconds=60)
    await store.get("a")

    await store.put("d", b".", seconds=60)

    found = [name for name in "abcd" if await store.get(name) is not None]
    assert found == ["a", "c", "d"]


async def test_least_recently_used_go_first_when_they_are_too_large():
    store = LocalAnswerStore(most_entries=100, most_bytes=100)
    for name in ("a", "b", "c"):
        await store.put(name, b"." * 40, seconds=60)
    await store.put("too large", b"." * 101, seconds=60)
    await store.put("c", b"." * 60, seconds=60)

    found = [name for name in ("a", "b", "c", "too large") if await store.get(name) is not None]
    assert found == ["b", "c"]


@pytest.fixture
async def silent_server() -> AsyncIterator[str]:
    """The address of something that takes connections and never says a word."""
    quiet: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        quiet.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"
    for writer in quiet:
        writer.close()
    server.close()


@pytest.mark.alone
@pytest.mark.parametrize("address", ["closed", "silent"])
async def test_nothing_is_found_and_nobody_waits_long_when_redis_is_away(address, silent_server):
    url = "redis://127.0.0.1:1/0" if address == "closed" else silent_server
    store = RedisAnswerStore(url, prefix="test:")
    failures = metrics.answer_store_failures._value.get()
    started = time.monotonic()

    await store.put("name", b"value", seconds=60)
    found = await store.get("name")
    granted = await store.claim("name", b"value", seconds=60)
    await store.extend("name", seconds=60)
    await store.remove("name")

    assert (found, granted) == (None, None)
    assert metrics.answer_store_failures._value.get() == failures + 5
    assert time.monotonic() - started < 2 * REDIS_TIMEOUT_SECONDS + 0.2
    await store.close()


@pytest.mark.alone
async def test_stores_of_one_redis_wait_for_it_once_between_them(silent_server):
    first = RedisAnswerStore(silent_server, prefix="first:")
    second = RedisAnswerStore(silent_server, prefix="second:")
    started = time.monotonic()

    await first.claim("name", b"value", seconds=60)
    await second.get("name")
    await second.put("name", b"value", seconds=60)

    assert time.monotonic() - started < REDIS_TIMEOUT_SECONDS + 0.2
    await first.close()
    await second.close()
