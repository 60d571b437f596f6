"""Coalescing: the same request, sent by many at the same time, is asked of a provider once.

The first is the leader, and pays. The others wait for its whole answer and get it free of charge; when it fails, or its
client leaves, each of them runs on its own. Within one process.
"""

import asyncio
from typing import Generic, TypeVar

A = TypeVar("A")


class Flights(Generic[A]):
    """The requests under way that others may wait for, by name. Belongs to one event loop."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[A | None]] = {}

    def lead(self, name: str) -> bool:
        """Whether this request is the first of its name; it must ``land`` then."""
        if name in self._flights:
            return False
        self._flights[name] = asyncio.get_running_loop().create_future()
        return True

    async def follow(self, name: str) -> A | None:
        """The leader's answer; None when it has none to give, or there is no leader."""
        flight = self._flights.get(name)
        # Shielded: one follower that leaves must not take the answer from the others.
        return await asyncio.shield(flight) if flight is not None else None

    def land(self, name: str, answer: A | None) -> None:
        """The leader has ended. Landing twice keeps the first answer."""
        flight = self._flights.pop(name, None)
        if flight is not None:
            flight.set_result(answer)
