"""Velocity mode: while providers fail in masses, everybody's limits shrink, so that retries do not feed the outage.

on      a quarter of at least a hundred requests of the last minute ended with a provider's error
for     three minutes; again when it is still so then
limits  each plan keeps its ``velocity_percent`` of them
"""

from collections import deque
from collections.abc import Callable

import msgspec
import structlog
from django.conf import settings

from apps.common import clock
from apps.common.ratelimit import Limits
from apps.inference import metrics

log = structlog.get_logger(__name__)


class Second(msgspec.Struct):
    at: int
    ended: int = 0
    failed: int = 0


class Velocity:
    """Belongs to one event loop, and judges by what ended there."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._seconds: deque[Second] = deque()
        self._until: float | None = None

    def ended(self, *, failed: bool) -> None:
        """A request that had asked a provider has ended; ``failed`` when none of them could answer."""
        now = self._now()
        if not self._seconds or self._seconds[-1].at != int(now):
            self._seconds.append(Second(int(now)))
        while self._seconds[0].at <= now - settings.VELOCITY_WINDOW_SECONDS:
            self._seconds.popleft()
        latest = self._seconds[-1]
        latest.ended += 1
        if not failed:
            return
        latest.failed += 1
        if self.is_on:
            return
        ended = sum(second.ended for second in self._seconds)
        share = sum(second.failed for second in self._seconds) / ended
        if ended >= settings.VELOCITY_LEAST_REQUESTS and share >= settings.VELOCITY_FAILURE_SHARE:
            self._until = now + settings.VELOCITY_SECONDS
            metrics.velocity_mode.set(1)
            log.warning("velocity_mode.on", requests=ended, failed_share=round(share, 2))

    @property
    def is_on(self) -> bool:
        if self._until is not None and self._now() >= self._until:
            self._until = None
            metrics.velocity_mode.set(0)
            log.info("velocity_mode.off")
        return self._until is not None

    def shrink(self, limits: Limits, *, percent: int) -> Limits:
        """The limits that are in force now."""
        if not self.is_on:
            return limits
        return Limits(
            requests_per_minute=limits.requests_per_minute * percent // 100,
            tokens_per_minute=limits.tokens_per_minute * percent // 100,
            concurrency=max(1, limits.concurrency * percent // 100),
        )
