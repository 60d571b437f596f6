"""Reading usage: sums of an organisation over a range, by whatever is asked for; true the moment a request has ended.

Roll-ups are added up by the database, the records that they do not hold yet by ``sum_records``; both meet in ``Sums``.
Whole days come from days, hours only from the ragged ends of a range and what a zone moves to another day, and so do the
tails of hours that a midnight divides (``periods``).
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from zoneinfo import ZoneInfo

from django.db.models import (
    Aggregate,
    BigIntegerField,
    Case,
    F,
    Q,
    QuerySet,
    Sum,
    TextField,
    Value,
    When,
)
from typing_extensions import override

from apps.common import histograms
from apps.inference.usage_sums import ENDS, NUMBERS, Key, Range, Sums, sum_records
from apps.monitoring import periods
from apps.monitoring.models import UsageDay, UsageHour, UsageLate, UsageProgress, UsageTail
from apps.monitoring.periods import DAY_MINUTES, Cut, Span

Group = Literal["model", "provider", "key", "tag", "billing", "day", "hour"]
GROUPS: tuple[Group, ...] = get_args(Group)
COLUMNS: Mapping[str, str] = {
    "model": "model", "provider": "provider", "key": "api_key_id", "tag": "tag", "billing": "billing",
}  # fmt: skip
UTC = ZoneInfo("UTC")
Values: TypeAlias = tuple[Any, ...]


class Spread(NamedTuple):
    """A group of requests: the values of what was grouped by, in its order. A day and an hour are their numbers since 1970."""

    values: tuple[Any, ...]
    sums: Sums


@dataclass(frozen=True, slots=True)
class Question:
    organization_id: int
    whole: Range
    by: tuple[Group, ...] = ()
    zone: ZoneInfo = UTC
    """Of the days."""
    only: Mapping[str, Any] | None = None
    """Values of ``DIMENSIONS``."""
    has_times: bool = True
    """Whether the histograms are wanted: half of the work."""


class _Joined(Aggregate):
    """The texts with spaces between them; empty ones do no harm."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ' ')"
    output_field = TextField()

    @override
    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **extra)


_TOTALS = {f"sum_{name}": Sum(name) for name in NUMBERS}
_TIMES = {"latencies": _Joined("latency"), "first_tokens": _Joined("first_token")}


def read_usage(question: Question) -> list[Spread]:
    """Those with requests, in no order. Without groups: one, or none when there was no request."""
    while True:
        before = _progress()
        found = _read(question, before)
        # A job that wrote meanwhile moved records from one side to the other.
        if _progress().version == before.version:
            return [Spread(values, sums) for values, sums in found.items()]


def read_total(question: Question) -> Sums:
    """Of all requests together."""
    total = Sums()
    for spread in read_usage(question):
        total.add(spread.sums)
    return total


def read_times(question: Question, spreads: Sequence[Spread]) -> list[Spread]:
    """The same groups with their histograms; no more of the range is read than they lie in."""
    if not spreads:
        return []
    inside = _within(question, spreads)
    found = dict(read_usage(replace(question, whole=inside, has_times=True)))
    # A record that has moved to another moment meanwhile may have been the only one of its group.
    return [Spread(spread.values, found.get(spread.values, spread.sums)) for spread in spreads]


def _within(question: Question, spreads: Sequence[Spread]) -> Range:
    start, end = question.whole
    for place, group in enumerate(question.by):
        numbers = [spread.values[place] for spread in spreads]
        if group == "hour":
            start = max(start, periods.moment_of(min(numbers)))
            end = min(end, periods.moment_of(max(numbers) + 1))
        elif group == "day":
            first, after = periods.day_of(min(numbers)), periods.day_of(max(numbers) + 1)
            start = max(start, periods.start_of_day(first, question.zone))
            end = min(end, periods.start_of_day(after, question.zone))
    return Range(start, end)


def _progress() -> UsageProgress:
    return UsageProgress.objects.filter(pk=1).first() or UsageProgress()


def _read(question: Question, progress: UsageProgress) -> dict[Values, Sums]:
    by_day = "day" in question.by
    cut = periods.cut(
        question.whole,
        until=progress.until,
        days_until=0 if "hour" in question.by else progress.days_until,
        tails_since=progress.tails_since if progress.has_tails else None,
        late=_late_hours(),
        zone=question.zone if by_day and question.zone is not UTC else None,
    )
    found: dict[Values, Sums] = defaultdict(Sums)
    for days in cut.days:
        whole_days = UsageDay.objects.filter(day__gte=days.first, day__lt=days.last)
        _add(found, _sum_rows(question, whole_days))
    for hours in cut.hours:
        within = UsageHour.objects.filter(hour__gte=hours.first, hour__lt=hours.last)
        divided = [hour for hour in cut.divided if hours.first <= hour < hours.last]
        rows = within.exclude(hour__in=divided) if divided else within
        _add(found, _sum_rows(question, _on_days(rows, hours, question)))
    _add(found, _sum_fresh(question, cut.ranges))
    _move_hours(found, question, cut.moved)
    _move_tails(found, question, cut)
    return {values: sums for values, sums in found.items() if any(sums.numbers[: len(ENDS)])}


def _move_hours(found: dict[Values, Sums], question: Question, hours: Sequence[int]) -> None:
    """From the day of UTC to the zone's on which they begin."""
    for by in (1, -1):
        moved = [hour for hour in hours if _moves(periods.moment_of(hour), question) == by]
        if not moved:
            continue
        place = question.by.index("day")
        rows = UsageHour.objects.filter(hour__in=moved)
        utc_day = F("hour") / Value(periods.HOURS)
        for values, sums in _sum_rows(question, rows.annotate(day=utc_day)):
            found[values].subtract(sums)
            found[_later(values, place, by)].add(sums)


def _move_tails(found: dict[Values, Sums], question: Question, cut: Cut) -> None:
    """From the zone's day on which their hour begins to the next, which is theirs."""
    if not (cut.tails or cut.tail_ranges):
        return
    place = question.by.index("day")
    hour = F("quarter") / Value(periods.QUARTERS)
    rows = UsageTail.objects.filter(quarter__in=cut.tails).annotate(day=F("quarter"), hour=hour)
    for values, sums in _sum_rows(question, rows):
        quarter = values[place]
        day = periods.number_of(periods.start_of_quarter(quarter), question.zone)
        _move_tail(found, _later(values, place, day - quarter), place, sums)
    for values, sums in _sum_fresh(question, cut.tail_ranges):
        _move_tail(found, values, place, sums)


def _move_tail(found: dict[Values, Sums], values: Values, place: int, sums: Sums) -> None:
    found[_later(values, place, -1)].subtract(sums)
    found[values].add(sums)


def _moves(moment: datetime.datetime, question: Question) -> int:
    """How many days the zone's day is later."""
    return periods.number_of(moment, question.zone) - periods.number_of(moment, UTC)


def _later(values: Values, place: int, days: int) -> Values:
    return (*values[:place], values[place] + days, *values[place + 1 :])


def _add(found: dict[Values, Sums], more: Iterable[tuple[Values, Sums]]) -> None:
    for values, sums in more:
        found[values].add(sums)


def _sum_fresh(question: Question, ranges: Sequence[Range]) -> Iterator[tuple[Values, Sums]]:
    """From the records."""
    seconds = _slot_seconds(question)
    fresh = sum_records(
        ranges,
        slot_seconds=seconds,
        organization_id=question.organization_id,
        only=question.only,
        by=[COLUMNS[group] for group in question.by if group in COLUMNS],
        has_times=question.has_times,
    )
    for key, sums in fresh.items():
        moment = datetime.datetime.fromtimestamp(key.slot * seconds, datetime.UTC)
        yield tuple([_value(group, key, moment, question.zone) for group in question.by]), sums


def _slot_seconds(question: Question) -> int:
    """The longest that lie on one day, and in one hour, when it is these that are asked for: the fewer are read."""
    if "day" in question.by and question.zone is not UTC:
        return periods.QUARTER
    return periods.HOUR if "hour" in question.by else periods.HOUR * periods.HOURS


def _late_hours() -> set[int]:
    """Those that the next job sums anew: till then the records alone are right."""
    return set(UsageLate.objects.values_list("hour", flat=True).distinct())


def _value(group: Group, key: Key, moment: datetime.datetime, zone: ZoneInfo) -> Any:
    if group == "hour":
        return int(moment.timestamp()) // periods.HOUR
    if group == "day":
        return periods.number_of(moment, zone)
    return getattr(key, COLUMNS[group])


def _sum_rows(question: Question, rows: QuerySet[Any]) -> Iterator[tuple[Values, Sums]]:
    """From roll-ups."""
    rows = rows.filter(organization_id=question.organization_id, **(question.only or {})).order_by()
    by: Sequence[str] = [COLUMNS.get(group, group) for group in question.by]
    totals = _TOTALS | _TIMES if question.has_times else _TOTALS
    # With no group at all, the database would tell of one sum of nothing.
    for values in (
        rows.values_list(*by).annotate(**totals).values_list(*by, *totals)
        if by
        else [tuple(rows.aggregate(**totals).values())]
    ):
        numbers = values[len(by) : len(by) + len(NUMBERS)]
        if numbers[0] is None:
            continue
        times = [histograms.decode(text or "") for text in values[len(by) + len(NUMBERS) :]]
        yield tuple(values[: len(by)]), Sums([int(number) for number in numbers], *times)


def _on_days(rows: QuerySet[UsageHour], hours: Span, question: Question) -> QuerySet[UsageHour]:
    return rows.annotate(day=_day(hours, question.zone)) if "day" in question.by else rows


def _day(hours: Span, zone: ZoneInfo) -> Case:
    """Days since 1970 of the zone's calendar, on which an hour begins."""
    *changes, last = periods.offsets(hours.first, hours.last, zone)
    return Case(
        *(When(Q(hour__lt=one.before), then=_day_at(one.minutes)) for one in changes),
        default=_day_at(last.minutes),
        output_field=BigIntegerField(),
    )


def _day_at(minutes_ahead: int) -> Any:
    return (F("hour") * Value(60) + Value(minutes_ahead)) / Value(DAY_MINUTES)
