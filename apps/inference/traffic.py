"""Traffic: how models and hosts have done of late, for the models routes.

Told from request records, read again after a minute at the earliest by one request of the process; the others get what
is known. Only of models that anybody may list, at providers that are no sandbox, and only sums over all organisations.
"""

import datetime
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar

from apps.catalog.selectors import catalog
from apps.catalog.snapshots import OfferingSnapshot
from apps.common import clock
from apps.inference.selectors import Traffic, Uptime, read_traffic, read_uptime

V = TypeVar("V")

Window = Literal["24h", "7d"]
PERIODS: Mapping[str, datetime.timedelta] = {
    "30m": datetime.timedelta(minutes=30),
    "24h": datetime.timedelta(days=1),
    "7d": datetime.timedelta(days=7),
}
KEEP_SECONDS = 60.0
KEEP_TIMES = 20
"""What took long to read is kept for longer: 200,000 requests in the window take PostgreSQL 1.6 s, SQLite 6 s."""


class Kept(Generic[V]):
    """A value that is read when somebody wants it and it is older than a minute."""

    def __init__(self, read: Callable[[], V]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self._value: V | None = None
        self._stale_at = 0.0

    def get(self) -> V:
        value = self._value
        if value is not None and clock.monotonic() < self._stale_at:
            return value
        if not self._lock.acquire(blocking=value is None):
            assert value is not None
            return value
        try:
            started = clock.monotonic()
            if self._value is None or started >= self._stale_at:
                self._value = self._read()
                ended = clock.monotonic()
                self._stale_at = ended + max(KEEP_SECONDS, KEEP_TIMES * (ended - started))
            return self._value
        finally:
            self._lock.release()


def real_providers() -> frozenset[str]:
    providers = catalog.get().providers.values()
    return frozenset(provider.slug for provider in providers if not provider.is_sandbox)


def _kept_traffic(period: str, *, by_provider: bool) -> Kept[dict[tuple[str, str], Traffic]]:
    return Kept(
        lambda: read_traffic(PERIODS[period], providers=real_providers(), by_provider=by_provider)
    )


by_model = {window: _kept_traffic(window, by_provider=False) for window in ("24h", "7d")}
by_host = {window: _kept_traffic(window, by_provider=True) for window in ("30m", "24h")}
uptimes: Kept[dict[tuple[str, str], Uptime]] = Kept(
    lambda: read_uptime(PERIODS["24h"], recently=PERIODS["30m"], providers=real_providers())
)


def reset() -> None:
    for kept in (*by_model.values(), *by_host.values()):
        kept.reset()
    uptimes.reset()


def traffic_of(offering: OfferingSnapshot, window: str) -> Traffic | None:
    return by_host[window].get().get((offering.model_id, offering.provider.slug))


def observed(offering: OfferingSnapshot) -> dict[str, Any]:
    """What OpenRouter's endpoints tell of a host; null for what nobody has asked for in that time."""
    uptime = uptimes.get().get((offering.provider.slug, offering.upstream_model))
    found: dict[str, Any] = {
        "uptime_last_30m": uptime.recent if uptime else None,
        "uptime_last_1d": uptime.whole if uptime else None,
    }
    for window, name in (("30m", "last_30m"), ("24h", "last_1d")):
        traffic = traffic_of(offering, window)
        found[f"latency_{name}"] = percentiles(traffic.first_token if traffic else {})
        found[f"throughput_{name}"] = percentiles(traffic.speed if traffic else {})
    return found


def percentiles(
    measured: Mapping[int, float | None], *, only: tuple[int, ...] = (50, 75, 90, 99)
) -> dict[str, float] | None:
    found = {
        f"p{share}": round(value, 2) for share in only if (value := measured.get(share)) is not None
    }
    return found or None
