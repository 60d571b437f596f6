"""Reading usage: sums of an organisation over a range, by whatever is asked for; true the moment a request has ended.

Roll-ups are added up by the database, the records that they do not hold yet by ``sum_records``; both meet in ``Sums``.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, BigIntegerField, Case, F, Q, Sum, TextField, Value, When
from typing_extensions import override

from apps.common import histograms
from apps.inference.usage_sums import NUMBERS, Key, Range, Sums, sum_records
from apps.monitoring import periods
from apps.monitoring.models import UsageHour, UsageLate, UsageProgress
from apps.monitoring.periods import DAY_MINUTES, Cut

Group = Literal["model", "provider", "key", "tag", "billing", "day", "hour"]
GROUPS: tuple[Group, ...] = get_args(Group)
COLUMNS: Mapping[str, str] = {
    "model": "model", "provider": "provider", "key": "api_key_id", "tag": "tag", "billing": "billing",
}  # fmt: skip
UTC = ZoneInfo("UTC")


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
        found = _read(question, until=before[0])
        # A job that wrote meanwhile moved records from one side to the other.
        if _progress() == before:
            return [Spread(values, sums) for values, sums in found.items()]


def read_total(question: Question) -> Sums:
    """Of all requests together."""
    total = Sums()
    for spread in read_usage(question):
        total.add(spread.sums)
    return total


def _progress() -> tuple[datetime.datetime | None, int]:
    row = UsageProgress.objects.filter(pk=1).values_list("until", "version").first()
    return row or (None, 0)


def _read(question: Question, *, until: datetime.datetime | None) -> dict[tuple[Any, ...], Sums]:
    by_day = "day" in question.by
    cut = periods.cut(
        question.whole,
        until=until,
        late=_late_hours(),
        zone=question.zone if by_day else None,
    )
    found = _read_hours(question, cut) if cut.first < cut.last else {}
    fresh = sum_records(
        cut.ranges,
        slot_seconds=periods.QUARTER,
        organization_id=question.organization_id,
        only=question.only,
    )
    for key, sums in fresh.items():
        values = tuple([_value(group, key, question.zone) for group in question.by])
        if values in found:
            found[values].add(sums)
        else:
            found[values] = sums
    return found


def _late_hours() -> set[int]:
    """Those that the next job sums anew: till then the records alone are right."""
    return set(UsageLate.objects.values_list("hour", flat=True).distinct())


def _value(group: Group, key: Key, zone: ZoneInfo) -> Any:
    if group == "hour":
        return key.slot * periods.QUARTER // periods.HOUR
    if group == "day":
        moment = datetime.datetime.fromtimestamp(key.slot * periods.QUARTER, datetime.UTC)
        return (moment.astimezone(zone).date() - periods.EPOCH).days
    return getattr(key, COLUMNS[group])


def _read_hours(question: Question, cut: Cut) -> dict[tuple[Any, ...], Sums]:
    rows = UsageHour.objects.filter(
        organization_id=question.organization_id,
        hour__gte=cut.first,
        hour__lt=cut.last,
        **(question.only or {}),
    ).order_by()
    if cut.divided:
        rows = rows.exclude(hour__in=cut.divided)
    by: Sequence[str] = [COLUMNS.get(group, group) for group in question.by]
    if "day" in by:
        rows = rows.annotate(day=_day(cut, question.zone))
    totals = _TOTALS | _TIMES if question.has_times else _TOTALS
    found = {}
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
        found[tuple(values[: len(by)])] = Sums([int(number) for number in numbers], *times)
    return found


def _day(cut: Cut, zone: ZoneInfo) -> Case:
    """Days since 1970 of the zone's calendar, on which an hour begins."""
    *changes, last = periods.offsets(cut.first, cut.last, zone)
    return Case(
        *(When(Q(hour__lt=one.before), then=_day_at(one.minutes)) for one in changes),
        default=_day_at(last.minutes),
        output_field=BigIntegerField(),
    )


def _day_at(minutes_ahead: int) -> Any:
    return (F("hour") * Value(60) + Value(minutes_ahead)) / Value(DAY_MINUTES)
