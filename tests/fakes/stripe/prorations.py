"""What a change in the middle of a period costs: the unused part of the old is given back, the rest of the new charged.

By the second, in whole cents, each line rounded half away from zero::

    $10.00 → $20.00 with 15 of 30 days left:  −500 for the unused time, +1000 for the remaining time
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.periods import day_of


@dataclass(frozen=True, slots=True)
class Part:
    """One item of a subscription: before or after a change."""

    item: str
    price: Json
    quantity: int
    name: str

    @property
    def amount(self) -> int:
        unit: int = self.price["unit_amount"]
        return unit * self.quantity


@dataclass(frozen=True, slots=True)
class ProratedLine:
    part: Part
    amount: int
    start: int
    end: int
    description: str


def share(amount: int, *, left: int, whole: int) -> int:
    """``amount * left / whole`` in whole cents, half away from zero."""
    cents = (2 * abs(amount) * left + whole) // (2 * whole)
    return cents if amount >= 0 else -cents


def lines_of_change(
    old: Sequence[Part], new: Sequence[Part], *, at: int, start: int, end: int
) -> list[ProratedLine]:
    """Credits first, then charges; nothing for what stays as it is. ``start`` and ``end`` bound the period."""
    kept = {(part.item, part.price["id"], part.quantity) for part in old} & {
        (part.item, part.price["id"], part.quantity) for part in new
    }
    left, whole = max(end - at, 0), end - start
    changed = [
        (sign, part)
        for sign, parts in ((-1, old), (1, new))
        for part in parts
        if (part.item, part.price["id"], part.quantity) not in kept
    ]
    return [
        ProratedLine(
            part,
            share(sign * part.amount, left=left, whole=whole),
            at,
            end,
            _describe(part, at, credit=sign < 0),
        )
        for sign, part in changed
    ]


def _describe(part: Part, at: int, *, credit: bool) -> str:
    many = f"{part.quantity} × " if part.quantity != 1 else ""
    return f"{'Unused' if credit else 'Remaining'} time on {many}{part.name} after {day_of(at)}"
