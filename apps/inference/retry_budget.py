"""Retry budget: how often a host may be asked for more than its share, so that an outage does not double its load.

Each request that comes to a host earns it a fifth of a call; a call beyond the first (the same host again, a hedge) costs
a whole one. What is not spent is kept, up to ten calls, so a host that is rarely asked may be asked again. Going on to
another host is no such call: that load is moved, not added.
"""

from collections import OrderedDict

EARNED = 0.2
MOST_SAVED = 10.0
MOST_HOSTS = 20_000


class RetryBudget:
    """By the key of a target. Belongs to one event loop."""

    def __init__(self) -> None:
        self._saved: OrderedDict[str, float] = OrderedDict()

    def earn(self, key: str) -> None:
        """A request has come to this host."""
        self._saved[key] = min(self._saved.get(key, MOST_SAVED) + EARNED, MOST_SAVED)
        if len(self._saved) > MOST_HOSTS:
            self._saved.popitem(last=False)

    def spend(self, key: str) -> bool:
        """Whether one more call may be made there; it is counted."""
        saved = self._saved.get(key, MOST_SAVED)
        if saved < 1:
            return False
        self._saved[key] = saved - 1
        return True
