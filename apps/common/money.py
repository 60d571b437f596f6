"""NanoUSD: money as whole billionths of a dollar.

Amounts are ``int`` everywhere inside (1 USD = 1_000_000_000 nano); text and floats exist only at the edges.
Prices are nano-USD per million tokens, so one division and one rounding (half up) turn a request's meters
into its cost; that division lives in ``billing.services.rating`` and nowhere else.
"""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE_UNIT = 1_000_000


def usd_to_nano(value: str | int | Decimal) -> int:
    """Parse a dollar amount exactly; digits beyond the nano-dollar round half up.

    Takes text, whole dollars or a ``Decimal``, never a float. Raises ``ValueError`` when it is not a finite number.
    """
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"not an amount of dollars: {value!r}") from error
    if not amount.is_finite():
        raise ValueError(f"not an amount of dollars: {value!r}")
    return int((amount * NANO_PER_USD).to_integral_value(rounding=ROUND_HALF_UP))


def nano_to_usd(nano: int) -> float:
    """The amount as a JSON number of dollars; for outgoing documents only."""
    return nano / NANO_PER_USD


def format_usd(nano: int) -> str:
    """The exact amount in dollars, with as many digits as it has and at least two: ``$0.00002145``."""
    sign = "-" if nano < 0 else ""
    whole, fraction = divmod(abs(nano), NANO_PER_USD)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{digits}"


def divide_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` for non-negative integers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)
