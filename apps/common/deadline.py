"""Deadline: asyncio.timeout for a deadline that moves with every chunk.

``asyncio.Timeout.reschedule`` cancels a timer and makes another, several microseconds a chunk. Here ``move`` stores a
number; one timer looks at it when it fires, and sleeps on when the deadline has moved away meanwhile.

    async with Deadline(5.0) as deadline:      # raises TimeoutError 5 seconds from now
        deadline.move(20.0)                    # …from now on 20
        deadline.move(None)                    # …never
"""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Cancels the task that entered it; on the way out that becomes a TimeoutError."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.expired = False

    def move(self, seconds: float | None) -> None:
        """Expire so many seconds from now; never when None."""
        if seconds is None:
            self._at = None
            return
        at = self._at = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def absolve(self) -> None:
        """Take the cancellation back: whoever caught it deals with it here, inside."""
        self._task.uncancel()
        self.expired = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self.move(self._seconds)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if (
            self.expired
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def _look(self) -> None:
        self._timer = None
        if self._at is None:
            return
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._look)
        else:
            self.expired = True
            self._task.cancel()
