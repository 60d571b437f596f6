"""Background tasks that are neither lost nor silent."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

_tasks: set[asyncio.Future[Any]] = set()


def spawn(work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
    """Run ``work`` on its own: a reference is kept until it ends, and a failure is logged."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _tasks.add(task)
    task.add_done_callback(_finished)
    return task


def keep(work: asyncio.Future[Any]) -> None:
    """``drain`` waits for this too; what becomes of it is its owner's to see."""
    _tasks.add(work)
    work.add_done_callback(_tasks.discard)


def _finished(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background.failed", task=task.get_name(), exc_info=error)


async def drain(timeout: float) -> None:
    """Wait until every task of this loop is done, for at most ``timeout`` seconds; for a clean shutdown."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while (mine := [task for task in _tasks if task.get_loop() is loop]) and loop.time() < deadline:
        await asyncio.wait(mine, timeout=deadline - loop.time())
