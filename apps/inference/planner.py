"""Planner: which offerings to ask, in which order. Pure.

First form: the catalogue's order (operator's priority, then price). A test key reaches the sandbox alone and pays
nothing.
"""

from dataclasses import dataclass

from apps.catalog.selectors import ModelSnapshot, OfferingSnapshot
from apps.common.usage import Rates

FREE = Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, reasoning=0)


@dataclass(frozen=True, slots=True)
class Target:
    """An offering to ask, at the price that this client pays."""

    offering: OfferingSnapshot
    rates: Rates


def plan(model: ModelSnapshot, *, is_test_key: bool) -> tuple[Target, ...]:
    """Targets, best first; empty when no host can serve this key."""
    return tuple(
        Target(offering, FREE if is_test_key else offering.rates)
        for offering in model.offerings
        if offering.provider.is_sandbox or not is_test_key
    )
