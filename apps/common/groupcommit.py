"""Group commit: many callers, one transaction.

The first arrival starts a batch at once; whatever arrives while that batch commits is in the next one. A caller alone
waits for nobody, and under load the cost of a commit is shared. A member that cannot be served fails alone: the commit
function answers for each member with a value or an exception.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from apps.common import background

M = TypeVar("M")
A = TypeVar("A")

LARGEST_BATCH = 256
TURNS = 3
"""Turns of the event loop that a batch waits for company: microseconds for a request alone; at 64 connections a third less CPU."""


class GroupCommit(Generic[M, A]):
    """Belongs to one event loop. ``commit`` gets a batch and answers in the same order."""

    def __init__(
        self,
        commit: Callable[[list[M]], Awaitable[Sequence[A | Exception]]],
        *,
        alone_after: tuple[type[Exception], ...] = (),
    ) -> None:
        self._commit = commit
        self._alone_after = alone_after
        """Failures that one member can cause for all: then each is committed by itself, so that it fails alone."""
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[M, asyncio.Future[A]]] = []
        self._running = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, member: M, *, linger: float = 0.0) -> asyncio.Future[A]:
        """The answer for this member. The work goes on when the awaiting caller is cancelled.

        A member that nobody waits for may ``linger`` so many seconds for company; one that does not linger takes it along.
        """
        answer: asyncio.Future[A] = self._loop.create_future()
        self._waiting.append((member, answer))
        if self._running:
            return answer
        if not linger:
            self._start()
        elif self._timer is None:
            self._timer = self._loop.call_later(linger, self._start)
        return answer

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._running = True
        background.spawn(self._drain(), name="groupcommit")

    async def _drain(self) -> None:
        try:
            while self._waiting:
                # Whoever becomes ready in the same turn of the loop comes along: fewer, larger batches.
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                batch = self._waiting[:LARGEST_BATCH]
                del self._waiting[:LARGEST_BATCH]
                await self._commit_batch(batch)
        finally:
            self._running = False

    async def _commit_batch(self, batch: list[tuple[M, "asyncio.Future[A]"]]) -> None:
        answers: Sequence[A | Exception]
        try:
            answers = await self._commit([member for member, _ in batch])
        except self._alone_after as error:
            if len(batch) > 1:
                for member in batch:
                    await self._commit_batch([member])
                return
            answers = [error]
        except Exception as error:  # noqa: BLE001 - whatever failed belongs to the callers, not to this loop
            answers = [error] * len(batch)
        if len(answers) != len(batch):
            # Nobody can say which answer is whose, and nobody may wait for ever.
            answers = [AssertionError(f"{len(answers)} answers for {len(batch)}")] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
