"""Vectors of what was asked lately, and the nearest of them."""

from collections import OrderedDict, deque
from collections.abc import Callable

import msgspec
import numpy
from django.conf import settings

from apps.common import clock

MOST_OF_ONE_SCOPE = 200
MOST_SCOPES = 2_000

Vector = numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]
"""Of length one."""


class Known(msgspec.Struct, frozen=True):
    vector: Vector
    name: str
    """Of the answer, in the response cache."""
    until: float


class Similar:
    """What was asked lately, by scope: the requests that differ in nothing but the last words. Belongs to one event loop."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._scopes: OrderedDict[str, deque[Known]] = OrderedDict()

    def add(self, scope: str, vector: Vector, name: str, *, seconds: float) -> None:
        known = self._scopes.setdefault(scope, deque(maxlen=MOST_OF_ONE_SCOPE))
        known.append(Known(vector, name, self._now() + seconds))
        self._scopes.move_to_end(scope)
        if len(self._scopes) > MOST_SCOPES:
            self._scopes.popitem(last=False)

    def nearest(self, scope: str, vector: Vector) -> tuple[str, float] | None:
        """The name of the nearest answer and the cosine of the angle to it; None when none is near enough."""
        now = self._now()
        known = [
            one
            for one in self._scopes.get(scope, ())
            if one.until > now and one.vector.shape == vector.shape
        ]
        if not known:
            return None
        cosines = numpy.stack([one.vector for one in known]) @ vector
        best = int(cosines.argmax())
        cosine = float(cosines[best])
        return (known[best].name, cosine) if cosine > settings.SEMANTIC_CACHE_SIMILARITY else None
