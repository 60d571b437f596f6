"""Health: how each host of a model has answered lately, as this process has seen it. Off the path: numbers, no I/O.

Moving averages that forget: each answer counts a tenth. They order hosts by latency and throughput; whether a host may
be asked at all is the breaker's business.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from apps.common import clock

WEIGHT = 0.1
AILING = 0.25
"""Share of failures from which a host goes behind the others, once it is known from ``ENOUGH`` requests."""
ENOUGH = 10
AILING_SECONDS = 15.0
"""Since its last failure: a host that has recovered is back soon."""
MOST_WAITS = 50
MOST_HOSTS = 20_000
MOST_STICKY = 50_000


class Health(msgspec.Struct):
    """Of one host of one model."""

    requests: int = 0
    errors: float = 0.0
    """Share of the requests that failed, for whatever reason of the host's; ``empty`` those that said nothing."""
    empty: float = 0.0
    first_content_ms: float | None = None
    latency_ms: float | None = None
    tokens_per_second: float | None = None
    seen_at: float = 0.0
    """Seconds of the clock that only grows."""
    failed_at: float = 0.0
    waits: list[float] = msgspec.field(default_factory=list)
    """Seconds to the first content, or to the whole of an unstreamed answer, of the latest requests."""
    wholes: list[float] = msgspec.field(default_factory=list)
    """Of those the unstreamed ones' alone."""

    @property
    def usual_wait(self) -> float | None:
        """Seconds that nineteen of twenty answers do not exceed; None while they are few."""
        return _usual(self.waits)

    @property
    def usual_whole(self) -> float | None:
        """The same of unstreamed answers."""
        return _usual(self.wholes)


UNKNOWN = Health()


class HealthBook:
    """Belongs to one event loop."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._hosts: OrderedDict[str, Health] = OrderedDict()
        self._sticky: OrderedDict[tuple[int, str], tuple[int, float]] = OrderedDict()

    def of(self, key: str) -> Health:
        return self._hosts.get(key, UNKNOWN)

    def is_ailing(self, key: str) -> bool:
        """Whether so many requests fail there now that others go first. Its breaker opens at twice as many."""
        health = self._hosts.get(key)
        return (
            health is not None
            and health.errors >= AILING
            and health.requests >= ENOUGH
            and self._now() - health.failed_at < AILING_SECONDS
        )

    def failed(self, key: str, *, was_empty: bool) -> None:
        health = self._touch(key)
        health.failed_at = health.seen_at
        health.errors = _share(health, health.errors, 1.0)
        health.empty = _share(health, health.empty, float(was_empty))

    def answered(
        self, key: str, *, first_content: float | None, whole: float, output_tokens: int
    ) -> None:
        """``first_content`` and ``whole`` are seconds since the host was asked; None for an answer that came at once."""
        health = self._touch(key)
        health.errors = _share(health, health.errors, 0.0)
        health.empty = _share(health, health.empty, 0.0)
        health.latency_ms = _mixed(health.latency_ms, whole * 1000)
        health.waits.append(whole if first_content is None else first_content)
        del health.waits[:-MOST_WAITS]
        if first_content is None:
            health.wholes.append(whole)
            del health.wholes[:-MOST_WAITS]
        spent = whole
        if first_content is not None:
            health.first_content_ms = _mixed(health.first_content_ms, first_content * 1000)
            spent -= first_content
        if output_tokens > 1 and spent > 0:
            health.tokens_per_second = _mixed(health.tokens_per_second, output_tokens / spent)

    def stick(self, api_key_id: int, model_id: str, offering_id: int) -> None:
        """The host that served this key with this model last, where its prompts are cached."""
        self._sticky[api_key_id, model_id] = (offering_id, self._now())
        self._sticky.move_to_end((api_key_id, model_id))
        if len(self._sticky) > MOST_STICKY:
            self._sticky.popitem(last=False)

    def stuck_to(self, api_key_id: int, model_id: str, *, within: float) -> int | None:
        found = self._sticky.get((api_key_id, model_id))
        return found[0] if found and self._now() - found[1] < within else None

    def _touch(self, key: str) -> Health:
        health = self._hosts.get(key)
        if health is None:
            health = self._hosts[key] = Health()
            if len(self._hosts) > MOST_HOSTS:
                self._hosts.popitem(last=False)
        health.requests += 1
        health.seen_at = self._now()
        return health


def _usual(waits: list[float]) -> float | None:
    return sorted(waits)[int(0.95 * len(waits))] if len(waits) >= ENOUGH else None


def _mixed(former: float | None, new: float) -> float:
    return new if former is None else former + WEIGHT * (new - former)


def _share(health: Health, former: float, new: float) -> float:
    """Of all requests while they are few, else of the latest."""
    return former + max(WEIGHT, 1 / health.requests) * (new - former)
