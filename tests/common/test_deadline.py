import asyncio

import pytest

from apps.common.deadline import Deadline


async def test_it_expires() -> None:
    with pytest.raises(TimeoutError):
        async with Deadline(0.01) as deadline:
            await asyncio.sleep(1)
    assert deadline.expired


async def test_it_moves_away_and_nearer() -> None:
    loop = asyncio.get_running_loop()
    async with Deadline(0.5) as deadline:
        for _ in range(5):
            deadline.move(0.5)
            await asyncio.sleep(0.25)
        deadline.move(None)
        await asyncio.sleep(0.6)
        deadline.move(60)
        started = loop.time()
        deadline.move(0.01)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        assert loop.time() - started < 0.5
        deadline.absolve()
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_the_inner_of_two_expires_alone() -> None:
    async with Deadline(1) as outer:
        with pytest.raises(TimeoutError):
            async with Deadline(0.01):
                await asyncio.sleep(1)
    assert not outer.expired


async def test_somebody_elses_cancellation_is_not_a_timeout() -> None:
    async def wait() -> None:
        async with Deadline(10):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_behind() -> None:
    async with Deadline(0.01):
        pass
    await asyncio.sleep(0.03)  # a timer that was left would cancel this
