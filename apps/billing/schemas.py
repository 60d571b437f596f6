"""JSON of the billing routes. Dollars are JSON numbers; the exact nano-dollars stand beside them."""

from ninja import Schema


class Credits(Schema):
    total_credits: float
    """Dollars granted or bought so far that have not been spent."""
    available: float
    """Dollars that a new request can use: total less what open requests hold."""
    held: float
    allowance: float
    promo: float
    purchased: float
    available_nano_usd: int
    total_nano_usd: int


class CreditsBody(Schema):
    data: Credits
