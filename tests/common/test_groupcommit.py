"""Group commit: what is in a batch, who waits for whom, and who fails alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from apps.common import background
from apps.common.groupcommit import LARGEST_BATCH, GroupCommit

Work = Callable[[list[int]], Awaitable[Sequence[str | Exception]]]


class Refused(Exception):
    pass


class BadMember(Exception):
    pass


class Books:
    """Commits numbers. It notes every batch, and waits while it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_commit = asyncio.Event()
        self.may_commit.set()

    async def commit(self, batch: list[int]) -> Sequence[str | Exception]:
        self.batches.append(batch)
        await self.may_commit.wait()
        if 13 in batch:
            raise BadMember
        if 99 in batch:
            raise OSError("the database is away")
        return [Refused() if number < 0 else f"done {number}" for number in batch]


@pytest.fixture
async def books() -> Books:
    return Books()


@pytest.fixture
async def group(books):
    yield GroupCommit(books.commit)
    books.may_commit.set()
    await background.drain(2)


async def settle(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_commits_at_once_when_a_member_comes_alone(group, books):
    assert await group.submit(1) == "done 1"
    assert books.batches == [[1]]


async def test_commits_together_what_arrives_while_another_batch_commits(group, books):
    books.may_commit.clear()
    first = group.submit(1)
    await settle()
    others = [group.submit(number) for number in (2, 3, 4)]

    books.may_commit.set()

    assert await asyncio.gather(first, *others) == ["done 1", "done 2", "done 3", "done 4"]
    assert books.batches == [[1], [2, 3, 4]]


async def test_never_runs_two_batches_at_once(group, books):
    books.may_commit.clear()
    group.submit(1)
    await settle()
    waiting = group.submit(2)
    await settle()

    assert books.batches == [[1]]
    books.may_commit.set()
    await waiting
    assert books.batches == [[1], [2]]


async def test_answers_in_order_when_many_come_at_once(group):
    answers = await asyncio.gather(*(group.submit(number) for number in range(100, 190)))

    assert answers == [f"done {number}" for number in range(100, 190)]


async def test_batches_are_bounded_when_very_many_wait(group, books):
    books.may_commit.clear()
    numbers = [1000 + number for number in range(LARGEST_BATCH * 2 + 10)]
    answers = [group.submit(number) for number in numbers]
    await settle()

    books.may_commit.set()
    await asyncio.gather(*answers)

    assert [len(batch) for batch in books.batches] == [LARGEST_BATCH, LARGEST_BATCH, 10]
    assert [number for batch in books.batches for number in batch] == numbers


async def test_member_fails_alone_when_it_is_answered_with_an_error(group):
    answers = await asyncio.gather(
        *(group.submit(number) for number in (1, -2, 3)), return_exceptions=True
    )

    assert answers[0] == "done 1"
    assert isinstance(answers[1], Refused)
    assert answers[2] == "done 3"


async def test_all_fail_when_the_commit_fails_for_a_reason_of_its_own(group, books):
    books.may_commit.clear()
    group.submit(1)
    await settle()
    answers = [group.submit(number) for number in (2, 99, 3)]
    books.may_commit.set()

    found = await asyncio.gather(*answers, return_exceptions=True)

    assert [type(answer) for answer in found] == [OSError, OSError, OSError]


async def test_next_batch_is_served_when_one_has_failed(group):
    with pytest.raises(OSError, match="away"):
        await group.submit(99)

    assert await group.submit(1) == "done 1"


async def test_member_that_breaks_a_batch_fails_alone_when_its_error_is_of_that_kind(books):
    group: GroupCommit[int, str] = GroupCommit(books.commit, alone_after=(BadMember,))
    books.may_commit.clear()
    group.submit(1)
    await settle()
    answers = [group.submit(number) for number in (2, 13, 3)]
    books.may_commit.set()

    found = await asyncio.gather(*answers, return_exceptions=True)

    assert found[0] == "done 2"
    assert isinstance(found[1], BadMember)
    assert found[2] == "done 3"
    assert books.batches == [[1], [2, 13, 3], [2], [13], [3]]


async def test_work_goes_on_when_a_caller_is_cancelled(group, books):
    books.may_commit.clear()
    caller = asyncio.ensure_future(asyncio.shield(group.submit(1)))
    await settle()
    other = group.submit(2)

    caller.cancel()
    books.may_commit.set()

    assert await other == "done 2"
    assert books.batches == [[1], [2]]


async def test_others_are_answered_when_one_future_was_cancelled(group, books):
    books.may_commit.clear()
    gone, stays = group.submit(1), group.submit(2)
    await settle()

    gone.cancel()
    books.may_commit.set()

    assert await stays == "done 2"


async def test_nobody_waits_for_ever_when_the_commit_answers_too_few():
    async def forget_the_last(batch: list[int]) -> Sequence[str | Exception]:
        return ["done"] * (len(batch) - 1)

    group: GroupCommit[int, str] = GroupCommit(forget_the_last)

    found = await asyncio.wait_for(
        asyncio.gather(*(group.submit(number) for number in (1, 2, 3)), return_exceptions=True), 1
    )

    assert [type(answer) for answer in found] == [AssertionError] * 3
