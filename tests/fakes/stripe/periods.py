"""Billing periods: from an anchor, month by month. The 31st falls on a shorter month's last day, and comes back."""

import calendar
from datetime import UTC, datetime, timedelta

from tests.fakes.stripe.errors import Json


def step(anchor: int, recurring: Json, times: int) -> int:
    """The moment ``times`` intervals after the anchor."""
    start = datetime.fromtimestamp(anchor, UTC)
    count = recurring["interval_count"] * times
    match recurring["interval"]:
        case "day":
            moved = start + timedelta(days=count)
        case "week":
            moved = start + timedelta(weeks=count)
        case "month":
            moved = _months_later(start, count)
        case _:
            moved = _months_later(start, 12 * count)
    return int(moved.timestamp())


def _months_later(start: datetime, months: int) -> datetime:
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    return start.replace(
        year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1])
    )


def end_of_period(anchor: int, recurring: Json, *, start: int) -> int:
    """The first moment of the anchor's row after ``start``."""
    times = 0
    while (end := step(anchor, recurring, times)) <= start:
        times += 1
    return end


def day_of(at: int) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.day} {moment:%b %Y}"
