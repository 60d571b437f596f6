"""Periods: a range of time cut into what roll-ups know and what must be read from the records; days of a time zone. Pure.

    from        10:00             …  18:00   18:30 (midnight in Kolkata)   19:00  …   until         to
     ├ records ───┤ hours of roll-ups ──┼───────┼ tail ───────────────────────┼───────────┤ records ───┤

An hour is one of UTC. It belongs to the day on which it begins; of one that a midnight divides the tail, from the midnight on, is
moved to the day after: taken from the one and added to the other. Tails have roll-ups of their own.

Whole days are read from the roll-ups of days, which are those of UTC. By day in another zone, the hours that begin on another
day there are moved to that one: two hours of the day in Berlin, not all.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from apps.inference.usage_sums import Range

HOUR = 3600
HOURS = 24
QUARTER = 900
"""Every zone is whole quarters of an hour from UTC."""
QUARTERS = 4
"""Of an hour."""
DAY_MINUTES = 1440
DAY_QUARTERS = 96
PARTIAL_OFFSETS = (-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825)
"""Minutes ahead of UTC, other than whole hours, that zones have in this decade; another midnight is read from the records."""
TAILS = frozenset(-minutes % DAY_MINUTES * 60 // QUARTER for minutes in PARTIAL_OFFSETS)
"""The quarters of a day, UTC, with which a day begins somewhere, and not an hour."""
EPOCH = datetime.date(1970, 1, 1)
MOST_DIVIDED = 400
"""Hours that a statement names one by one: a year of midnights. SQLite takes no more than a thousand terms."""
ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Days or hours since 1970, from ``first`` to before ``last``."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Cut:
    """``days`` and ``hours`` without ``divided`` are of roll-ups; ``ranges`` are read from the records.

    ``moved`` are hours of the days that begin on another day of the zone. ``tails`` are in what is read so far as well, on the day
    before theirs: quarters with roll-ups of what follows in the hour, and ``tail_ranges`` of records.
    """

    days: tuple[Span, ...]
    hours: tuple[Span, ...]
    divided: tuple[int, ...]
    ranges: tuple[Range, ...]
    moved: tuple[int, ...] = ()
    tails: tuple[int, ...] = ()
    tail_ranges: tuple[Range, ...] = ()


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
    days_until: int = 0,
    tails_since: int | None = None,
    late: Iterable[int] = (),
    zone: ZoneInfo | None = None,
) -> Cut:
    """``until`` is how far the roll-ups go, but for the hours of ``late``; those of tails begin with the hour ``tails_since``, if at all.

    Whole days before ``days_until`` are days of UTC; with a zone, what of them lies on another of its days is moved.
    """
    records = Cut((), (), (), (whole,))
    if until is None or until <= whole.start:
        return records
    first = _next_hour(whole.start)
    # The hour that the roll-ups have come to holds nothing after ``until``.
    last = _next_hour(until) if until <= whole.end else _hour(whole.end)
    if last <= first:
        return records
    late_hours = {hour for hour in late if first <= hour < last}
    days = _spans(
        range(-(-first // HOURS), min(last // HOURS, days_until)),
        without={hour // HOURS for hour in late_hours},
    )
    hours = _gaps(first, last, days)
    tails, tail_ranges, divided = [], [], set(late_hours)
    for midnight in midnights(whole, zone) if zone else ():
        hour = _hour(midnight)
        if not midnight.minute or not first <= hour < last or hour in late_hours:
            continue
        is_summed = tails_since is not None and hour >= tails_since
        if is_summed and has_tail(quarter := quarter_of(midnight)):
            tails.append(quarter)
        elif any(span.first <= hour < span.last for span in hours):
            divided.add(hour)
        else:
            tail_ranges.append(Range(midnight, moment_of(hour + 1)))
    if len(divided) > MOST_DIVIDED:
        return records
    end = min(moment_of(last), until)
    ranges = [
        Range(whole.start, moment_of(first)),
        *(Range(moment_of(hour), min(moment_of(hour + 1), end)) for hour in sorted(divided)),
        Range(end, whole.end),
    ]
    return Cut(
        tuple(days),
        tuple(hours),
        tuple(sorted(divided)),
        tuple(_joined(ranges)),
        tuple(_moved(days, zone)) if zone else (),
        tuple(tails),
        tuple(tail_ranges),
    )


def _spans(days: range, *, without: set[int]) -> list[Span]:
    """Of those that follow each other."""
    found: list[Span] = []
    for day in days:
        if day in without:
            continue
        if found and found[-1].last == day:
            found[-1] = Span(found[-1].first, day + 1)
        else:
            found.append(Span(day, day + 1))
    return found


def _gaps(first: int, last: int, days: Iterable[Span]) -> list[Span]:
    """The hours of a range that are in none of the days."""
    found = []
    for span in days:
        found.append(Span(first, span.first * HOURS))
        first = span.last * HOURS
    found.append(Span(first, last))
    return [span for span in found if span.first < span.last]


def _moved(days: Iterable[Span], zone: ZoneInfo) -> Iterator[int]:
    """The hours that begin on another day of the zone than of UTC."""
    for span in days:
        for hour in _elsewhere(span, zone):
            if number_of(moment_of(hour), zone) != hour // HOURS:
                yield hour


def _elsewhere(span: Span, zone: ZoneInfo) -> Iterator[int]:
    """The hours that may be on another day, by the offsets at both ends of their day."""
    for day in range(span.first, span.last):
        ends = [minutes_ahead(moment_of(one * HOURS), zone) for one in (day, day + 1)]
        behind, ahead = min(0, *ends), max(0, *ends)
        yield from range(day * HOURS, day * HOURS - behind // 60)
        yield from range((day + 1) * HOURS - -(-ahead // 60), (day + 1) * HOURS)


def number_of(moment: datetime.datetime, zone: ZoneInfo) -> int:
    """Of the zone's day that the moment is on, since 1970."""
    return (moment.astimezone(zone).date() - EPOCH).days


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


def quarter_of(moment: datetime.datetime) -> int:
    """Since 1970; the one that the moment is in."""
    return int(moment.timestamp()) // QUARTER


def start_of_quarter(quarter: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(quarter * QUARTER, datetime.UTC)


def has_tail(quarter: int) -> bool:
    """Whether what follows in its hour, itself included, has a roll-up."""
    return quarter % DAY_QUARTERS in TAILS


def tails_with(quarter: int) -> list[int]:
    """Those that the quarter is in."""
    begun = range(quarter - quarter % QUARTERS, quarter + 1)
    return [one for one in begun if has_tail(one)]


def day_of(number: int) -> datetime.date:
    """From days since 1970."""
    return EPOCH + datetime.timedelta(days=number)


def _hour(moment: datetime.datetime) -> int:
    """Since 1970; the one that the moment is in."""
    return int(moment.timestamp() // HOUR)


def _next_hour(moment: datetime.datetime) -> int:
    """The one that begins at the moment or next."""
    return -int(-moment.timestamp() // HOUR)
