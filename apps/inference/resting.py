"""Hosts that are left alone for a while, because they said so: not trouble that passes, but an account without quota or credit.

Which words of which provider mean that, and for how long, stands in its row (``ProviderSpec.rests``). Known to this process
alone: each finds out with one refused request, and forgets it when the time is over.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from apps.catalog.providers.spec import Rest
from apps.common import clock
from apps.inference.faults import UpstreamFault

MOST_HOSTS = 20_000


def rest_for(rests: Iterable[Rest], fault: UpstreamFault) -> Rest | None:
    """The first whose words are in what the provider said."""
    said = fault.detail.lower()
    return next((rest for rest in rests if any(word in said for word in rest.says)), None)


class Resting:
    """By the key of a target. Belongs to one event loop."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._until: OrderedDict[str, float] = OrderedDict()

    def rest(self, key: str, seconds: float) -> None:
        self._until[key] = self._now() + seconds
        if len(self._until) > MOST_HOSTS:
            self._until.popitem(last=False)

    def is_resting(self, key: str) -> bool:
        if self.seconds_left(key):
            return True
        self._until.pop(key, None)
        return False

    def seconds_left(self, key: str) -> float:
        return max(0.0, self._until[key] - self._now()) if key in self._until else 0.0
