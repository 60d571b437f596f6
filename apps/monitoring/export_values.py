"""Values of a CSV file of a provider's usage: numbers, amounts and days from what people and programs write. Pure.

Everything is read exactly or refused with a sentence about the value; nothing is guessed and no float is made.
"""

import datetime
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

GREATEST = 10**15
"""No number of a bill is greater."""
SHORT = 15
"""Digits that are surely no more than ``GREATEST``."""
SIGNS = "$€£¥￥"
SPACES = " \u00a0\u202f'’_"
"""That people put between thousands."""
_PLAIN = re.compile(r"\d+(\.\d*)?([eE][+-]?\d{1,3})?|\.\d+([eE][+-]?\d{1,3})?")


class Unreadable(ValueError):
    """A value that cannot be what its column should tell; the message says so."""


def read_number(text: str, *, decimal_mark: str = ".") -> Decimal:
    """Exact; nothing at all is 0. Raises Unreadable."""
    told = text.strip()
    if not told:
        return Decimal(0)
    if len(told) <= SHORT and told.isascii() and told.isdigit():  # nearly all are
        return Decimal(told)
    is_negative = told.startswith("(") and told.endswith(")")
    bare = told[1:-1].strip() if is_negative else told
    if bare[:1] in "+-−":
        is_negative = is_negative or bare[0] != "+"
        bare = bare[1:]
    bare = bare.strip()
    amount = bare.strip(SIGNS).strip()
    if amount != bare and amount.startswith(("-", "−")):
        is_negative, amount = True, amount[1:]
    number = _unsigned(amount, decimal_mark)
    if number is None or number > GREATEST:
        raise Unreadable(f"'{told[:60]}' is not a number")
    return -number if is_negative else number


def _unsigned(text: str, decimal_mark: str) -> Decimal | None:
    thousands = "," if decimal_mark == "." else "."
    if thousands in text or any(space in text for space in SPACES):
        parts = re.split(f"[{re.escape(thousands + SPACES)}]", text)
        whole, mark, fraction = parts[-1].partition(decimal_mark)
        groups = [*parts[:-1], whole]
        is_grouped = 0 < len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])
        if not is_grouped or not all(group.isascii() and group.isdigit() for group in groups):
            return None
        text = "".join(groups) + (f".{fraction}" if mark else "")
    elif decimal_mark == ",":
        text = text.replace(",", ".")
    return Decimal(text) if _PLAIN.fullmatch(text) and text.isascii() else None


def read_count(text: str, *, decimal_mark: str = ".") -> int:
    """A whole number, also written as 59200.0. Raises Unreadable."""
    number = read_number(text, decimal_mark=decimal_mark)
    if number != number.to_integral_value():
        raise Unreadable(f"'{text.strip()[:60]}' is not a whole number")
    return int(number)


def read_day(text: str, *, day_format: str, zone: ZoneInfo) -> datetime.date:
    """The day in ``zone``. A moment with an offset is brought there; one without is there already. Raises Unreadable."""
    told = text.strip()
    try:
        if not told:
            raise Unreadable("there is no day")
        if day_format == "unix":
            return datetime.datetime.fromtimestamp(read_count(told), zone).date()
        if day_format == "iso":
            return _day_of(_read_iso(told), zone)
        return _day_of(datetime.datetime.strptime(told, day_format), zone)  # noqa: DTZ007 - the zone is the bill's
    except (ValueError, OverflowError, OSError) as error:
        if not told:
            raise
        wanted = {"iso": "as in 2026-05-31", "unix": "in seconds since 1970"}.get(day_format)
        raise Unreadable(f"'{told[:60]}' is not a day {wanted or f'as {day_format}'}") from error


def _read_iso(text: str) -> datetime.datetime | datetime.date:
    if len(text) <= len("2026-05-31"):
        return datetime.date.fromisoformat(text)
    if text.endswith(("UTC", "GMT")):
        # "2025-10-20 17:16:48 UTC": https://docs.fireworks.ai/accounts/exporting-billing-metrics
        text = f"{text[:-3].rstrip()}+00:00"
    return datetime.datetime.fromisoformat(text)


def _day_of(moment: datetime.datetime | datetime.date, zone: ZoneInfo) -> datetime.date:
    if not isinstance(moment, datetime.datetime):
        return moment
    return (moment.astimezone(zone) if moment.tzinfo else moment).date()
