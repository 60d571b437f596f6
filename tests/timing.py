"""How long something takes on this machine when nothing else disturbs it."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 5.0


def fastest(work: Callable[[], object], *, enough: float) -> float:
    """Seconds of the fastest run; ends with the first below ``enough``.

    What else the machine does comes in bursts and only ever makes a run longer, so work that needs more than
    ``enough`` by itself never falls below, however often it is tried.
    """
    best, until = float("inf"), time.monotonic() + PATIENCE_SECONDS
    while best >= enough and time.monotonic() < until:
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best
