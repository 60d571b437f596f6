"""Roll-ups: the sums of request records by hour, made anew and grown so that none is missed and none counts twice.

    records ──► [ … until ) UsageHour        [ until … now ) read from the records themselves (apps.monitoring.usage)

Every minute ``until`` moves up to a minute ago, in the transaction that adds what lies between. Nobody writes a record with
an earlier moment any more without the database noting its hour (``UsageLate``): what was being written when the minute
was chosen has ended before the records are read, and what is written later is late by then. A noted hour is summed anew.
"""

import datetime
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from apps.common import histograms
from apps.inference.usage_sums import NUMBERS, Key, Range, Sums, first_moment, sum_records
from apps.monitoring.models import UsageHour, UsageProgress

HOUR = 3600
LATE = datetime.timedelta(seconds=60)
"""As in the triggers (migration 0011)."""
STEP = datetime.timedelta(days=1)
"""Of one transaction, when there is much to be made up for."""
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.02
BATCH = 500

_DIMENSIONS = ("organization_id", "hour", "model", "provider", "api_key_id", "tag", "billing")
_KEY_FIELDS = ("organization", *_DIMENSIONS[1:])
_VALUES = (*NUMBERS, "latency", "first_token")


@dataclass(frozen=True, slots=True)
class Rolled:
    until: datetime.datetime | None
    """All records before it are in the roll-ups; None while there is no record."""
    anew: int
    """Hours that were summed anew."""


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
    return Rolled(progress.until, anew)


def rebuild(start: datetime.datetime, end: datetime.datetime) -> int:
    """Sum the hours of this range anew, those that are rolled up; how many there are. For hours that have their records."""
    hours = range(_hour_of(start), -(-int(end.timestamp()) // HOUR))
    for hour in hours:
        with _locked() as progress:
            _sum_anew(progress, hour)
    return len(hours)


@contextmanager
def _locked() -> Iterator[UsageProgress]:
    """One at a time; SQLite, which locks no rows, lets one transaction write at a time."""
    UsageProgress.objects.get_or_create(pk=1)
    with transaction.atomic():
        progress = UsageProgress.objects.select_for_update().get(pk=1)
        yield progress
        progress.version += 1
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
    found = sum_records([Range(max(progress.until or hour, hour), end)], slot_seconds=HOUR)
    for key, sums in _stored({key.slot for key in found}).items():
        if key in found:
            found[key].add(sums)
    _store(found)
    progress.until = end


def _sum_late_hours(progress: UsageProgress) -> int:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_usagelate RETURNING hour")
        hours = sorted({hour for (hour,) in cursor.fetchall()})
    for hour in hours:
        _sum_anew(progress, hour)
    return len(hours)


def _sum_anew(progress: UsageProgress, hour: int) -> None:
    start = _start_of(hour)
    if progress.until is None or progress.until <= start:
        return
    end = min(_start_of(hour + 1), progress.until)
    UsageHour.objects.filter(hour=hour).delete()
    _store(sum_records([Range(start, end)], slot_seconds=HOUR))


def _stored(hours: Iterable[int]) -> dict[Key, Sums]:
    rows = UsageHour.objects.filter(hour__in=hours).order_by()
    width = len(_DIMENSIONS)
    return {
        Key(*values[:width]): Sums(
            values[width:-2], histograms.decode(values[-2]), histograms.decode(values[-1])
        )
        for values in rows.values_list(*_DIMENSIONS, *_VALUES)
    }


def _store(found: dict[Key, Sums]) -> None:
    UsageHour.objects.bulk_create(
        [
            UsageHour(
                **dict(zip(_DIMENSIONS, key, strict=True)),
                **dict(zip(NUMBERS, sums.numbers, strict=True)),
                latency=histograms.encode(sums.latency),
                first_token=histograms.encode(sums.first_token),
            )
            for key, sums in sorted(found.items(), key=lambda pair: pair[0])
        ],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=_KEY_FIELDS,
        update_fields=_VALUES,
    )


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


def _start_of(hour: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(hour * HOUR, datetime.UTC)
