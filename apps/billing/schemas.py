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
    lots: list["CreditThatExpires"]
    """Allowance and promo credit in the order in which it will be spent; what has no date stays."""


class CreditThatExpires(Schema):
    bucket: str
    amount: float
    amount_nano_usd: int
    expires_at: str | None


class TransactionRow(Schema):
    id: int
    reference: str
    """Unique; of a request's charge `settle:` and the generation's id."""
    kind: str
    memo: str
    created_at: str
    amount: float
    """Dollars: positive for credit that came, negative for credit that went."""
    amount_nano_usd: int
    buckets_nano_usd: dict[str, int]
    """Which credit it was: allowance, promo, purchased."""
    balance_after_nano_usd: int | None
    """Null when only entries of one kind are asked for."""


class TransactionsBody(Schema):
    data: list[TransactionRow]
    has_more: bool
    next_before: int | None
    """Ask again with this as `before` for the next page."""


class DayStatement(Schema):
    date: str
    opening_nano_usd: int
    closing_nano_usd: int
    changes_nano_usd: dict[str, int]
    """By kind of entry; opening and changes add up to closing."""
    entries: dict[str, int]
    """How many there are, by kind."""


class StatementBody(Schema):
    data: DayStatement


class CreditsBody(Schema):
    data: Credits
