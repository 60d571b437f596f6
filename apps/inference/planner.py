"""Planner: which offerings to ask, in which order. Pure.

First form: the catalogue's order (operator's priority, then price). A test key reaches the sandbox alone and pays
nothing.
"""

from dataclasses import dataclass

from apps.catalog.providers.spec import Endpoint, Operation, Wire
from apps.catalog.selectors import ModelSnapshot, OfferingSnapshot
from apps.common.usage import Rates

FREE = Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, reasoning=0)


@dataclass(frozen=True, slots=True)
class Target:
    """An offering to ask, where to ask it, and the price that this client pays."""

    offering: OfferingSnapshot
    endpoint: Endpoint
    rates: Rates


def plan(
    model: ModelSnapshot, *, operation: Operation, wire: Wire, is_test_key: bool
) -> tuple[Target, ...]:
    """Targets, best first; empty when no host can do this for this key."""
    return tuple(
        Target(offering, endpoint, FREE if is_test_key else offering.rates)
        for offering in model.offerings
        if (offering.provider.is_sandbox or not is_test_key)
        and (endpoint := offering.endpoint(operation, wire)) is not None
    )
