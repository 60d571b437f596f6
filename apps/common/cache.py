"""Snapshots: frozen values read from the database once, and replaced when their epoch says that they are stale.

The only cache of database rows. A snapshot is never edited in place. ``watch`` runs in every web process and compares
epochs every 0.4 s, so a change is seen by every process within a second; where no watcher runs (commands, tests,
``runserver``), a snapshot that was not checked for a second checks itself when it is read.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from django.db import DatabaseError

from apps.common import clock
from apps.common.db import run_db

log = structlog.get_logger(__name__)

V = TypeVar("V")

WATCH_SECONDS = 0.4
TRUST_SECONDS = 1.0

_snapshots: list["Snapshot[object]"] = []


class Snapshot(Generic[V]):
    """One value, loaded by ``load`` and valid while ``epoch`` stays the same."""

    def __init__(self, name: str, *, load: Callable[[], V], epoch: Callable[[], int]) -> None:
        self.name = name
        self._load = load
        self._read_epoch = epoch
        self._lock = threading.Lock()
        self._value: V | None = None
        self._epoch = -1
        self._checked = 0.0
        _snapshots.append(self)  # type: ignore[arg-type]

    def reset(self) -> None:
        """Forget everything, also what is being loaded now; the next reader loads anew."""
        with self._lock:
            self._value, self._epoch, self._checked = None, -1, 0.0

    def get(self) -> V:
        """The value, for synchronous code; reads the database when it may be stale."""
        value = self._value
        return self.check() if value is None or self._is_old() else value

    async def fresh(self) -> V:
        """The value, for asynchronous code; no query and no thread hop while the watcher runs.

        Raises DatabaseError when nothing is known yet; a value that cannot be checked is better than none.
        """
        value = self._value
        if value is not None and not self._is_old():
            return value
        try:
            return await run_db(self.check)
        except DatabaseError:
            if value is None:
                raise
            return value

    def check(self) -> V:
        """Compare epochs and load when they differ. The epoch is read first, so a change in between loads again."""
        with self._lock:
            started = clock.monotonic()
            epoch = self._read_epoch()
            if epoch != self._epoch or self._value is None:
                self._value = self._load()
                self._epoch = epoch
            self._checked = started
            return self._value

    def _is_old(self) -> bool:
        return clock.monotonic() - self._checked > TRUST_SECONDS


async def watch() -> None:
    """Keep every snapshot fresh until cancelled. While the database is away, what is known is kept."""
    while True:
        for snapshot in _snapshots:
            try:
                await run_db(snapshot.check)
            except DatabaseError as error:
                log.warning(
                    "snapshot.check_failed", snapshot=snapshot.name, error=type(error).__name__
                )
        await asyncio.sleep(WATCH_SECONDS)


def reset_all() -> None:
    for snapshot in _snapshots:
        snapshot.reset()
