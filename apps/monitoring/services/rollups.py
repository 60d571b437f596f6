"""Roll-ups: the sums of request records by hour, made anew and grown so that none is missed and none counts twice.

    records ──► [ … until ) UsageHour, UsageTail      [ until … now ) read from the records themselves (apps.monitoring.usage)
                    └─────► [ … days_until ) UsageDay: the sums of the hours of a day that is over

Every minute ``until`` moves up to a minute ago, in the transaction that adds what lies between. Nobody writes a record with
an earlier moment any more without the database noting its hour (``UsageLate``): what was being written when the minute
was chosen has ended before the records are read, and what is written later is late by then. A noted hour is summed anew, and its day with it.
"""

import datetime
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from apps.common import histograms
from apps.inference.usage_sums import NUMBERS, Key, Range, Sums, first_moment, sum_records
from apps.monitoring import periods
from apps.monitoring.models import UsageDay, UsageHour, UsageProgress, UsageTail
from apps.monitoring.periods import QUARTER, QUARTERS

HOUR = 3600
HOURS = 24
"""Of a day."""
LATE = datetime.timedelta(seconds=60)
"""As in the triggers (migration 0002)."""
STEP = datetime.timedelta(days=1)
"""Of one transaction, when there is much to be made up for."""
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.02
BATCH = 500

_DIMENSIONS = ("model", "provider", "api_key_id", "tag", "billing")
_VALUES = (*NUMBERS, "latency", "first_token")


@dataclass(frozen=True, slots=True)
class Rolled:
    until: datetime.datetime | None
    """All records before it are in the roll-ups; None while there is no record."""
    anew: int
    """Hours that were summed anew."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums, and its column of time."""

    model: type[UsageHour | UsageTail | UsageDay]
    slot: str


HOURLY = Rollup(UsageHour, "hour")
FROM_QUARTER = Rollup(UsageTail, "quarter")
DAILY = Rollup(UsageDay, "day")


def roll_up() -> Rolled:
    """Bring the roll-ups up to a minute ago. While writers do not come to an end, only as far as they are."""
    latest = _whole_minute(_database_time() - LATE)
    is_settled = _writers_have_ended()
    with _locked() as progress:
        anew = _sum_late_hours(progress)
    while is_settled:
        with _locked() as progress:
            _advance(progress, latest)
            if progress.until is None or progress.until >= latest:
                break
    while True:
        with _locked() as progress:
            if not _sum_next_day(progress):
                break
    return Rolled(progress.until, anew)


def rebuild(start: datetime.datetime, end: datetime.datetime) -> int:
    """Sum the hours of this range anew, those that are rolled up; how many there are. For hours that have their records."""
    hours = range(_hour_of(start), -(-int(end.timestamp()) // HOUR))
    for _, of_day in itertools.groupby(hours, key=_day_of):
        with _locked() as progress:
            _sum_anew(progress, list(of_day))
    with _locked() as progress:
        if hours and hours.start < progress.tails_since <= hours.stop:
            progress.tails_since = hours.start
    return len(hours)


@contextmanager
def _locked() -> Iterator[UsageProgress]:
    """One at a time; SQLite, which locks no rows, lets one transaction write at a time."""
    UsageProgress.objects.get_or_create(pk=1)
    with transaction.atomic():
        progress = UsageProgress.objects.select_for_update().get(pk=1)
        if not progress.has_tails and progress.until is not None:
            progress.tails_since = -int(-progress.until.timestamp() // HOUR)
        yield progress
        progress.version += 1
        progress.tails_version = progress.version
        progress.save()


def _advance(progress: UsageProgress, latest: datetime.datetime) -> None:
    """By a day with records at most; nothing happens before the first record."""
    first = first_moment(progress.until)
    if first is None or first >= latest:
        if progress.until is not None:
            progress.until = max(progress.until, latest)
        return
    hour = _start_of(_hour_of(first))
    end = min(latest, hour + STEP)
    for rollup, found in _sum(Range(max(progress.until or hour, hour), end)):
        for key, sums in _stored(rollup, {key.slot for key in found}).items():
            if key in found:
                found[key].add(sums)
        _store(rollup, found)
    progress.until = end


def _sum_late_hours(progress: UsageProgress) -> int:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_usagelate RETURNING hour")
        hours = sorted({hour for (hour,) in cursor.fetchall()})
    _sum_anew(progress, hours)
    return len(hours)


def _sum_anew(progress: UsageProgress, hours: Sequence[int]) -> None:
    """Those that are rolled up, and their days."""
    for hour in hours:
        start = _start_of(hour)
        if progress.until is None or progress.until <= start:
            continue
        end = min(_start_of(hour + 1), progress.until)
        UsageHour.objects.filter(hour=hour).delete()
        quarter = hour * QUARTERS
        UsageTail.objects.filter(quarter__gte=quarter, quarter__lt=quarter + QUARTERS).delete()
        for rollup, found in _sum(Range(start, end)):
            _store(rollup, found)
    for day in sorted({_day_of(hour) for hour in hours}):
        if day < progress.days_until:
            _sum_day(day)


def _sum_next_day(progress: UsageProgress) -> bool:
    """Whether there was one: a day with hours, and over."""
    if progress.until is None:
        return False
    over = _day_of(_hour_of(progress.until))
    hours = UsageHour.objects.filter(hour__gte=progress.days_until * HOURS, hour__lt=over * HOURS)
    hour = hours.order_by("hour").values_list("hour", flat=True).first()
    if hour is None:
        progress.days_until = over
        return False
    _sum_day(_day_of(hour))
    progress.days_until = _day_of(hour) + 1
    return True


def _sum_day(day: int) -> None:
    found: dict[Key, Sums] = {}
    for key, sums in _stored(HOURLY, range(day * HOURS, (day + 1) * HOURS)).items():
        found.setdefault(key._replace(slot=day), Sums()).add(sums)
    UsageDay.objects.filter(day=day).delete()
    _store(DAILY, found)


def _sum(whole: Range) -> Iterator[tuple[Rollup, dict[Key, Sums]]]:
    """By hour, and by tail."""
    hours: dict[Key, Sums] = {}
    tails: dict[Key, Sums] = {}
    for key, sums in sum_records([whole], slot_seconds=QUARTER).items():
        hours.setdefault(key._replace(slot=key.slot // QUARTERS), Sums()).add(sums)
        for tail in periods.tails_with(key.slot):
            tails.setdefault(key._replace(slot=tail), Sums()).add(sums)
    yield HOURLY, hours
    yield FROM_QUARTER, tails


def _stored(rollup: Rollup, slots: Iterable[int]) -> dict[Key, Sums]:
    rows = rollup.model.objects.filter(**{f"{rollup.slot}__in": slots}).order_by()
    named = ("organization_id", rollup.slot, *_DIMENSIONS)
    return {
        Key(*values[: len(named)]): Sums(
            values[len(named) : -2], histograms.decode(values[-2]), histograms.decode(values[-1])
        )
        for values in rows.values_list(*named, *_VALUES)
    }


def _store(rollup: Rollup, found: dict[Key, Sums]) -> None:
    rows: list[Any] = [
        rollup.model(**{rollup.slot: key.slot}, **_fields(key, sums))
        for key, sums in sorted(found.items(), key=lambda pair: pair[0])
    ]
    rollup.model.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=("organization", rollup.slot, *_DIMENSIONS),
        update_fields=_VALUES,
    )


def _fields(key: Key, sums: Sums) -> dict[str, Any]:
    named = key._asdict()
    del named["slot"]
    return named | {
        **dict(zip(NUMBERS, sums.numbers, strict=True)),
        "latency": histograms.encode(sums.latency),
        "first_token": histograms.encode(sums.first_token),
    }


def _database_time() -> datetime.datetime:
    """The clock that the triggers look at."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT clock_timestamp()")
            moment: datetime.datetime = cursor.fetchone()[0]
            return moment.astimezone(datetime.UTC)
        cursor.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        return datetime.datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=datetime.UTC)


def _writers_have_ended() -> bool:
    """Whether all who are writing records now came to an end within a few seconds. SQLite has one writer: this one, soon."""
    if connection.vendor != "postgresql":
        return True
    until = time.monotonic() + PATIENCE_SECONDS
    writers = _writers()
    while writers and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
        writers &= _writers()
    return not writers


def _writers() -> set[str]:
    """The transactions that have written to the table, or are about to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
            "AND relation = 'inference_requestrecord'::regclass AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return {name for (name,) in cursor.fetchall()}


def _whole_minute(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(second=0, microsecond=0)


def _hour_of(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) // HOUR


def _day_of(hour: int) -> int:
    return hour // HOURS


def _start_of(hour: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(hour * HOUR, datetime.UTC)
