"""Reading what a provider tells of the house's account. Pure: bytes and a row in, whole nano-units out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from apps.catalog.providers.spec import BalanceFeed
from apps.common.money import NANO_PER_USD

MOST_UNITS = 9_000_000_000
"""More than any account holds; keeps the column from overflowing."""


class BalanceUnreadable(Exception):
    """The answer is not what the row says. The message is a sentence for staff."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``amount`` is in billionths of the currency, rounded down."""

    amount: int
    currency: str
    is_spent: bool
    """Nothing is left, or the provider says that it serves no requests."""


def read(feed: BalanceFeed, body: bytes) -> Reading:
    """Raises BalanceUnreadable."""
    try:
        answer = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BalanceUnreadable("The answer is not JSON.") from error
    found = list(_accounts(feed, answer))
    amount, currency = next((one for one in found if one[0] > 0), found[0])
    usable = answer.get(feed.usable) if isinstance(answer, dict) else None
    return Reading(amount, currency, is_spent=amount <= 0 if usable is None else usable is False)


def _accounts(feed: BalanceFeed, answer: Any) -> Iterator[tuple[int, str]]:
    accounts = _find(answer, feed.each) if feed.each else [answer]
    if not isinstance(accounts, list) or not accounts:
        raise BalanceUnreadable(f"'{feed.each}' is no list of accounts.")
    for account in accounts:
        amount = _number(account, feed.amount)
        if feed.less:
            amount -= _number(account, feed.less)
        amount /= feed.parts
        if abs(amount) > MOST_UNITS:
            raise BalanceUnreadable(f"'{feed.amount}' cannot be true: {amount:.3g}.")
        nano = int((amount * NANO_PER_USD).to_integral_value(rounding=ROUND_FLOOR))
        yield nano, _currency(feed, account)


def _currency(feed: BalanceFeed, account: Any) -> str:
    found = _find(account, feed.currency_at) if feed.currency_at else feed.currency
    if not isinstance(found, str) or not found.isalpha() or len(found) > 8:
        raise BalanceUnreadable(f"'{feed.currency_at}' is no currency.")
    return found


def _number(account: Any, pointer: str) -> Decimal:
    """A number, or text that is one; a provider that writes true for 1 does not mean money."""
    found = _find(account, pointer)
    if isinstance(found, bool) or not isinstance(found, int | str | Decimal):
        raise BalanceUnreadable(f"'{pointer}' is no amount.")
    try:
        amount = Decimal(found)
    except InvalidOperation as error:
        raise BalanceUnreadable(f"'{pointer}' is no amount.") from error
    if not amount.is_finite() or abs(amount.adjusted()) > 30:
        raise BalanceUnreadable(f"'{pointer}' is no amount.")
    return amount


def _find(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (LookupError, TypeError, ValueError) as error:
            raise BalanceUnreadable(f"There is no '{pointer}' in the answer.") from error
    return value
