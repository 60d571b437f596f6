"""Amounts: a price as a provider's list writes it, with the unit that it is meant in, and the one way from there to nano-USD.

    "3e-07", per token  ──►  300_000_000        nano-USD per million tokens, as every price row has it
    "$1,234.5", per 1M  ──►  1_234_500_000_000

Exact: text, whole numbers and ``Decimal`` are taken, never a float. JSON must be parsed accordingly.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from apps.common.money import usd_to_nano

MOST_USD = Decimal(1_000_000)
"""Far above any price per million tokens or per piece: a larger number is in another unit than its list declares."""

MOST_DIGITS = 30
"""Before or after the point. Arithmetic with what is beyond overflows, and no list means it."""


class Unit(StrEnum):
    """What an amount is for. ``FACTORS`` brings each to dollars per million tokens or characters, or per piece."""

    PER_TOKEN = "per token"  # noqa: S105 - a unit of prices
    PER_1K = "per 1K tokens"
    PER_1M = "per 1M tokens"
    CENTS_PER_TOKEN = "cents per token"  # noqa: S105 - a unit of prices
    CENTS_PER_1M = "cents per 1M tokens"
    CENTS_PER_100M = "cents per 100M tokens"
    BASIS_POINTS_PER_1M = "ten-thousandths of a dollar per 1M tokens"
    PER_IMAGE = "per image"
    CENTS_PER_IMAGE = "cents per image"
    PER_SECOND = "per second"
    CENTS_PER_SECOND = "cents per second"
    PER_MINUTE = "per minute"
    PER_HOUR = "per hour"
    PER_CHARACTER = "per character"
    PER_1M_CHARACTERS = "per 1M characters"
    PER_SEARCH = "per search"
    PER_REQUEST = "per request"


FACTORS: Mapping[Unit, tuple[int, int]] = {
    Unit.PER_TOKEN: (1_000_000, 1),
    Unit.PER_1K: (1_000, 1),
    Unit.PER_1M: (1, 1),
    Unit.CENTS_PER_TOKEN: (10_000, 1),
    Unit.CENTS_PER_1M: (1, 100),
    Unit.CENTS_PER_100M: (1, 10_000),
    Unit.BASIS_POINTS_PER_1M: (1, 10_000),
    Unit.PER_IMAGE: (1, 1),
    Unit.CENTS_PER_IMAGE: (1, 100),
    Unit.PER_SECOND: (1, 1),
    Unit.CENTS_PER_SECOND: (1, 100),
    Unit.PER_MINUTE: (1, 60),
    Unit.PER_CHARACTER: (1_000_000, 1),
    Unit.PER_1M_CHARACTERS: (1, 1),
    Unit.PER_SEARCH: (1, 1),
    Unit.PER_REQUEST: (1, 1),
}
"""Numerator and denominator. An hour of a machine is no price of an answer: PER_HOUR has no factor and gives no price."""


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """One number of a list: for which of ``models.price.AMOUNTS``, and in which unit."""

    bucket: str
    amount: Decimal
    unit: Unit


def parse_amount(value: Any) -> Decimal | None:
    """The number that a list means, which may be negative; None when it says nothing.

    Text may have a dollar sign, thousands separators and an exponent. ``{"amount": 850, "scale": 9}`` is 850 × 10^-9,
    whichever sign the scale has (2026-11-21, https://docs.near.ai/). Raises ValueError for what no list can mean.
    """
    match value:
        case None | bool():
            return None
        case float():
            raise TypeError("an amount of money was read as a float")
        case Mapping():
            return _scaled(value.get("amount"), value.get("scale"))
        case str():
            value = value.strip().replace("$", "").replace(",", "")
    try:
        amount = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    if not amount.is_finite():
        return None
    if amount and abs(amount.adjusted()) > MOST_DIGITS:
        raise ValueError("a number that no list can mean")
    return amount


def _scaled(value: Any, by: Any) -> Decimal | None:
    if isinstance(value, Mapping) or isinstance(by, Mapping):
        return None
    amount, scale = parse_amount(value), abs(parse_amount(by) or Decimal(0))
    if scale > MOST_DIGITS:
        raise ValueError("a number that no list can mean")
    return None if amount is None else amount.scaleb(-int(scale))


def to_nano(price: ListedPrice) -> int | None:
    """Nano-USD per million tokens or characters, else per piece; None when it cannot be a price that we bill by."""
    factor = FACTORS.get(price.unit)
    if factor is None or abs(price.amount.adjusted()) > 2 * MOST_DIGITS:
        return None
    numerator, denominator = factor
    dollars = price.amount * numerator / denominator
    return usd_to_nano(dollars) if 0 <= dollars <= MOST_USD else None


def nano_amounts(prices: Iterable[ListedPrice]) -> dict[str, int]:
    """Buckets to nano-USD. Of two numbers for one bucket the first counts; one that is no price counts for nothing."""
    found: dict[str, int] = {}
    for price in prices:
        amount = to_nano(price)
        if amount is not None:
            found.setdefault(price.bucket, amount)
    return found
