"""How the API breaks when a test tells it to: for the next N calls, of all or of those to a path.

=========  =================================================================================
500        fails before anything was done; kept under an idempotency key, as Stripe does
429        refused by the rate limit; not kept
timeout    nothing is done, nothing is answered
lost       done, but never answered: what only an idempotency key or a look-up brings to light
slow       done at once, answered after ``milliseconds``
=========  =================================================================================
"""

from dataclasses import dataclass

KINDS = ("500", "429", "timeout", "lost", "slow")
LONGEST_SILENCE = 60_000
"""A silent call is closed after this many milliseconds, or when the client leaves."""


@dataclass(slots=True)
class Fault:
    kind: str
    count: int
    path: str
    method: str | None
    milliseconds: int


class Faults:
    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        self._planned.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self._planned:
            if path.startswith(fault.path) and fault.method in (None, method):
                fault.count -= 1
                if fault.count == 0:
                    self._planned.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._planned.clear()
