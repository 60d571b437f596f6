"""The gate: how many requests one web process serves at a time. Beyond that it says so at once; nothing queues.

Plans share the room unevenly: a request is let in while less than its plan's part of the room is in use, so that what
is left at the top belongs to the plans with a larger part.
"""

import secrets

from django.conf import settings

from apps.common.errors import Overloaded


class Gate:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self.in_use = 0

    def enter(self, *, percent: int) -> None:
        """Raises Overloaded. Whoever was let in must ``leave``."""
        if self.in_use * 100 >= settings.MAX_IN_FLIGHT * percent:
            # Jitter, so that a crowd that was turned away together does not come back together.
            raise Overloaded(
                "The gateway is serving as many requests as it can. Nothing was charged; try again.",
                retry_after_ms=1000 + secrets.randbelow(1000),
            )
        self.in_use += 1

    def leave(self) -> None:
        self.in_use -= 1
