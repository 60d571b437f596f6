"""The breaker: what is known of each host of a model, and whether it may be asked now.

    closed ──5 failures in a row, or half of at least 10 in 60 s──► open ──15 s──► half open ──2 successes──► closed
                                                                      ▲                │
                                                                      └───a failure────┘

Half open, one request at a time is let through, and it alone moves the circuit: what a request finds that began before
the circuit opened is no news. Everybody else passes the host by, so nobody waits for a host that is down. What the client
caused is no verdict on the host. ``breaker_redis`` has the same circuit shared between processes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Protocol

import msgspec
from django.conf import settings

from apps.common import clock

SLICES = 6
"""The window is counted in so many slices; the oldest is forgotten as a whole."""
MOST_CIRCUITS = 20_000


class Standing(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Rules(msgspec.Struct, frozen=True):
    """When a circuit opens and closes. Seconds."""

    failures: int
    """In a row."""
    share: float
    """Of the requests in the window that failed."""
    least: int
    """Requests in the window before their share means anything."""
    window: float
    cool_down: float
    successes: int
    """In a row, while half open, until it closes."""
    claim: float = 30.0
    """A probe of which nothing was heard for so long is given up, and the next request may be one."""


def rules() -> Rules:
    return Rules(
        failures=settings.BREAKER_FAILURES,
        share=settings.BREAKER_FAILURE_SHARE,
        least=settings.BREAKER_LEAST_REQUESTS,
        window=settings.BREAKER_WINDOW_SECONDS,
        cool_down=settings.BREAKER_COOL_DOWN_SECONDS,
        successes=settings.BREAKER_SUCCESSES,
        claim=settings.BREAKER_CLAIM_SECONDS,
    )


class Circuit:
    """One host of one model. Times are seconds of any clock that only grows."""

    __slots__ = ("_failures", "_probe_by", "_probe_until", "_slices", "_successes", "opened_at")

    def __init__(self) -> None:
        self._begin(None)

    def _begin(self, opened_at: float | None) -> None:
        """Closed or, since ``opened_at``, open; nothing is counted yet."""
        self.opened_at = opened_at
        self._failures = 0
        self._successes = 0
        self._probe_by = ""
        self._probe_until = 0.0
        self._slices: dict[int, tuple[int, int]] = {}
        """Slice of time → (requests, failures)."""

    def standing(self, rules: Rules, now: float) -> Standing:
        if self.opened_at is None:
            return Standing.CLOSED
        return Standing.OPEN if now < self.opened_at + rules.cool_down else Standing.HALF_OPEN

    def claim(self, rules: Rules, now: float, *, by: str) -> bool:
        """Whether this request may go there. Half open, it is the probe until ``record`` or ``give_back``."""
        match self.standing(rules, now):
            case Standing.CLOSED:
                return True
            case Standing.OPEN:
                return False
            case Standing.HALF_OPEN:
                if now < self._probe_until:
                    return False
                self._probe_by, self._probe_until = by, now + rules.claim
                return True

    def renew(self, rules: Rules, now: float, *, by: str) -> None:
        """The probe goes on."""
        if self._probe_by == by:
            self._probe_until = now + rules.claim

    def give_back(self, *, by: str) -> None:
        """The probe ended without a verdict."""
        if self._probe_by == by:
            self._probe_by, self._probe_until = "", 0.0

    def record(self, rules: Rules, now: float, *, by: str, succeeded: bool) -> None:
        match self.standing(rules, now):
            case Standing.CLOSED:
                self._count(rules, now, succeeded=succeeded)
            case Standing.OPEN:
                pass  # it had begun before the circuit opened
            case Standing.HALF_OPEN:
                if self._probe_by != by:
                    return  # so had this one, or another has become the probe in its place
                self._probe_by, self._probe_until = "", 0.0
                if not succeeded:
                    self._begin(now)
                    return
                self._successes += 1
                if self._successes >= rules.successes:
                    self._begin(None)

    def _count(self, rules: Rules, now: float, *, succeeded: bool) -> None:
        self._failures = 0 if succeeded else self._failures + 1
        width = rules.window / SLICES
        this = int(now / width)
        requests, failures = self._slices.get(this, (0, 0))
        if not requests:
            self._slices = {at: n for at, n in self._slices.items() if at > this - SLICES}
        self._slices[this] = (requests + 1, failures + (not succeeded))
        if succeeded:
            return
        requests = sum(number for number, _ in self._slices.values())
        failures = sum(number for _, number in self._slices.values())
        if self._failures >= rules.failures or (
            requests >= rules.least and failures >= rules.share * requests
        ):
            self._begin(now)


class Breaker(Protocol):
    """``by`` names one call: its claim and its verdict belong together."""

    def standing(self, key: str) -> Standing:
        """From memory: what this process knows."""
        ...

    def seconds_left(self, key: str) -> float:
        """Until a host that is open is half open; 0 for any other. From memory."""
        ...

    async def claim(self, key: str, *, by: str) -> bool:
        """Whether this request may go there; only a host that is half open is worth a question to others."""
        ...

    def renew(self, key: str, *, by: str) -> None:
        """A claim whose probe goes on."""
        ...

    def record(self, key: str, *, by: str, succeeded: bool) -> None: ...

    def give_back(self, key: str, *, by: str) -> None:
        """A claim that ended without a verdict."""
        ...


@asynccontextmanager
async def kept_claim(breaker: Breaker, key: str, *, by: str) -> AsyncIterator[None]:
    """A probe's claim stays its own for as long as the probe takes; a dead process's ends soon all the same."""
    if breaker.standing(key) is Standing.CLOSED:
        yield
        return

    async def renew() -> None:
        while True:
            await asyncio.sleep(settings.BREAKER_CLAIM_SECONDS / 3)
            breaker.renew(key, by=by)

    renewing = asyncio.ensure_future(renew())
    try:
        yield
    finally:
        renewing.cancel()


class LocalBreaker:
    """The circuits of one process."""

    def __init__(self, rules: Rules, now: Callable[[], float] = clock.monotonic) -> None:
        self._rules = rules
        self._now = now
        self._circuits: OrderedDict[str, Circuit] = OrderedDict()

    def standing(self, key: str) -> Standing:
        circuit = self._circuits.get(key)
        if circuit is None or circuit.opened_at is None:
            return Standing.CLOSED
        return circuit.standing(self._rules, self._now())

    def seconds_left(self, key: str) -> float:
        circuit = self._circuits.get(key)
        if circuit is None or circuit.opened_at is None:
            return 0.0
        return max(0.0, circuit.opened_at + self._rules.cool_down - self._now())

    async def claim(self, key: str, *, by: str) -> bool:
        circuit = self._circuits.get(key)
        return circuit.claim(self._rules, self._now(), by=by) if circuit else True

    def renew(self, key: str, *, by: str) -> None:
        if circuit := self._circuits.get(key):
            circuit.renew(self._rules, self._now(), by=by)

    def record(self, key: str, *, by: str, succeeded: bool) -> None:
        circuit = self._circuits.get(key)
        if circuit is None:
            circuit = self._circuits[key] = Circuit()
            if len(self._circuits) > MOST_CIRCUITS:
                self._circuits.popitem(last=False)
        circuit.record(self._rules, self._now(), by=by, succeeded=succeeded)

    def give_back(self, key: str, *, by: str) -> None:
        if circuit := self._circuits.get(key):
            circuit.give_back(by=by)
