"""Statistics: how providers, models and hosts have done lately, from the request records. Public: only counts and times.

Each number is read again after a minute at the earliest by one request of the process; the others get what is known.
Only sums over all organisations; models are counted at providers that are no sandbox.
"""

import datetime
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from django.db import DatabaseError

from apps.catalog.directory import directory, refresh_times
from apps.catalog.snapshots import OfferingSnapshot
from apps.common import clock
from apps.inference.selectors import Calls, Traffic, read_calls, read_traffic

V = TypeVar("V")

Window = Literal["1h", "24h", "7d"]
WINDOWS: tuple[Window, ...] = ("1h", "24h", "7d")
PERIODS: Mapping[str, datetime.timedelta] = {
    "30m": datetime.timedelta(minutes=30),
    "1h": datetime.timedelta(hours=1),
    "24h": datetime.timedelta(days=1),
    "7d": datetime.timedelta(days=7),
}
KEEP_SECONDS = 60.0
KEEP_TIMES = 20
"""What took long to read is kept for longer: 200,000 requests in the window take PostgreSQL 1.6 s, SQLite 6 s."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[V]):
    as_of: datetime.datetime
    found: V


class Kept(Generic[V]):
    """A value that is read when somebody wants it and it is older than a minute."""

    def __init__(self, read: Callable[[], V]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self._known: Reading[V] | None = None
        self._stale_at = 0.0

    def get(self) -> Reading[V]:
        """Raises DatabaseError when nothing is known yet."""
        known = self._known
        if known is not None and clock.monotonic() < self._stale_at:
            return known
        if not self._lock.acquire(blocking=known is None):
            assert known is not None
            return known
        try:
            return self._read_again()
        except DatabaseError:
            if known is None:
                raise
            return known
        finally:
            self._lock.release()

    def _read_again(self) -> Reading[V]:
        started = clock.monotonic()
        if self._known is None or started >= self._stale_at:
            self._known = Reading(clock.now(), self._read())
            ended = clock.monotonic()
            self._stale_at = ended + max(KEEP_SECONDS, KEEP_TIMES * (ended - started))
        return self._known


def _read_models(period: datetime.timedelta) -> dict[tuple[str, ...], Traffic]:
    sandboxes = [found.slug for found in directory().providers.values() if found.is_sandbox]
    return read_traffic(period, by=("model",), without=sandboxes)


by_model = {name: Kept(partial(_read_models, period)) for name, period in PERIODS.items()}
by_provider = {
    name: Kept(partial(read_traffic, period, by=("provider",))) for name, period in PERIODS.items()
}
by_host = {
    name: Kept(partial(read_traffic, period, by=("provider", "model")))
    for name, period in PERIODS.items()
}
calls = {name: Kept(partial(read_calls, period)) for name, period in PERIODS.items()}
refreshed_at = Kept(refresh_times)
"""When a provider's own list of models was last read and believed."""


def reset() -> None:
    """Forget everything."""
    for kept in (by_model, by_provider, by_host, calls):
        for one in kept.values():
            one.reset()
    refreshed_at.reset()


def models_asked(window: str, *, provider: str | None = None) -> Reading[dict[str, Traffic]]:
    """By model: what was answered in full and paid for, at one provider or at all that are no sandbox."""
    reading = by_model[window].get() if provider is None else by_host[window].get()
    found = {
        key[-1]: traffic
        for key, traffic in reading.found.items()
        if traffic.paid and (provider is None or key[0] == provider)
    }
    return Reading(reading.as_of, found)


def traffic_of(offering: OfferingSnapshot, window: str) -> Traffic | None:
    """None when nobody has asked for it in that time, and at a sandbox."""
    if offering.provider.is_sandbox:
        return None
    found = by_host[window].get().found.get((offering.provider.slug, offering.model_id))
    return found if found and found.paid else None


def calls_of(offering: OfferingSnapshot, window: str) -> Calls:
    """None of a sandbox's."""
    host = (offering.provider.slug, offering.upstream_model)
    found = None if offering.provider.is_sandbox else calls[window].get().found.get(host)
    return found or Calls()


def calls_by_provider(window: str) -> Reading[dict[str, Calls]]:
    reading = calls[window].get()
    parts: dict[str, list[Calls]] = defaultdict(list)
    for (provider, _), found in reading.found.items():
        parts[provider].append(found)
    return Reading(reading.as_of, {provider: _sum(found) for provider, found in parts.items()})


def _sum(parts: Iterable[Calls]) -> Calls:
    found = list(parts)
    return Calls(sum(one.answered for one in found), sum(one.failed for one in found))


def observed(offering: OfferingSnapshot) -> dict[str, Any]:
    """What OpenRouter's endpoints tell of a host; null for what nobody has asked for in that time."""
    found: dict[str, Any] = {}
    for window, name in (("30m", "last_30m"), ("24h", "last_1d")):
        rate = calls_of(offering, window).success_rate
        traffic = traffic_of(offering, window)
        found[f"uptime_{name}"] = None if rate is None else round(100 * rate, 2)
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
