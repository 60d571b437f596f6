"""Periods: a range of time cut into what roll-ups know and what must be read from the records; days of a time zone. Pure.

    from        10:00        11:00  …  22:00  22:30 (midnight in Kolkata)  23:00  …   until         to
     ├ records ───┤ hours of roll-ups ────┤ records ────────────────────────┤ hours ────┤ records ───┤

An hour is one of UTC. It belongs to the day on which it begins; one that a midnight divides is read from the records.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from apps.inference.usage_sums import Range

HOUR = 3600
QUARTER = 900
"""Every zone is whole quarters of an hour from UTC."""
DAY_MINUTES = 1440
EPOCH = datetime.date(1970, 1, 1)
MOST_DIVIDED = 400
"""Hours that a statement names one by one: a year of midnights. SQLite takes no more than a thousand terms."""
ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cut:
    """``first`` to before ``last`` without ``divided`` are hours of roll-ups; ``ranges`` are read from the records."""

    first: int
    last: int
    divided: tuple[int, ...]
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a zone is ahead of UTC, in minutes, for the hours before ``before``."""

    before: int
    minutes: int


def start_of_day(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    """In UTC. A midnight that the clocks skip is the moment when they do; of two the first."""
    return datetime.datetime.combine(day, datetime.time(), tzinfo=zone).astimezone(datetime.UTC)


def start_of_month(now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    return start_of_day(now.astimezone(zone).date().replace(day=1), zone)


def end_of_month(now: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    first = now.astimezone(zone).date().replace(day=1)
    return start_of_day((first + datetime.timedelta(days=32)).replace(day=1), zone)


def midnights(whole: Range, zone: ZoneInfo) -> Iterator[datetime.datetime]:
    """Those within the range."""
    day = whole.start.astimezone(zone).date()
    while (start := start_of_day(day, zone)) < whole.end:
        if start > whole.start:
            yield start
        day += ONE_DAY


def cut(
    whole: Range,
    *,
    until: datetime.datetime | None,
    late: Iterable[int] = (),
    zone: ZoneInfo | None = None,
) -> Cut:
    """``until`` is how far the roll-ups go, but for the hours of ``late``; with a zone, no hour of theirs has a midnight within."""
    if until is None or until <= whole.start:
        return Cut(0, 0, (), (whole,))
    first = _next_hour(whole.start)
    # The hour that the roll-ups have come to holds nothing after ``until``.
    last = _next_hour(until) if until <= whole.end else _hour(whole.end)
    if last <= first:
        return Cut(0, 0, (), (whole,))
    between = midnights(whole, zone) if zone else ()
    divided = {*late, *(_hour(midnight) for midnight in between if midnight.minute)}
    hours = sorted(hour for hour in divided if first <= hour < last)
    if len(hours) > MOST_DIVIDED:
        return Cut(0, 0, (), (whole,))
    end = min(moment_of(last), until)
    ranges = [
        Range(whole.start, moment_of(first)),
        *(Range(moment_of(hour), min(moment_of(hour + 1), end)) for hour in hours),
        Range(end, whole.end),
    ]
    return Cut(first, last, tuple(hours), tuple(_joined(ranges)))


def _joined(ranges: Iterable[Range]) -> Iterator[Range]:
    """Without the empty ones, and those that meet as one."""
    waiting: Range | None = None
    for one in ranges:
        if one.start >= one.end:
            continue
        if waiting is not None and waiting.end == one.start:
            waiting = Range(waiting.start, one.end)
            continue
        if waiting is not None:
            yield waiting
        waiting = one
    if waiting is not None:
        yield waiting


def offsets(first: int, last: int, zone: ZoneInfo) -> list[Offset]:
    """For the hours from ``first`` to before ``last``; the last one's ``before`` is ``last``."""
    found: list[Offset] = []
    hour = first
    while hour < last:
        ahead = minutes_ahead(moment_of(hour), zone)
        # By days, and by hours in a day whose end has another offset.
        step = next(
            (
                step
                for step in (24, 1)
                if minutes_ahead(moment_of(min(hour + step, last)), zone) == ahead
            ),
            1,
        )
        hour = min(hour + step, last)
        if found and found[-1].minutes == ahead:
            found[-1] = Offset(hour, ahead)
        else:
            found.append(Offset(hour, ahead))
    return found


def minutes_ahead(moment: datetime.datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) // 60


def moment_of(hour: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(hour * HOUR, datetime.UTC)


def day_of(number: int) -> datetime.date:
    """From days since 1970."""
    return EPOCH + datetime.timedelta(days=number)


def _hour(moment: datetime.datetime) -> int:
    """Since 1970; the one that the moment is in."""
    return int(moment.timestamp() // HOUR)


def _next_hour(moment: datetime.datetime) -> int:
    """The one that begins at the moment or next."""
    return -int(-moment.timestamp() // HOUR)
