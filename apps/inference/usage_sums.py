"""Sums of request records by what their customers ask for: the one reading that roll-ups and their newest minutes share.

Three statements whatever the number of records: numbers, times, times to the first token. Records that arrive between
them are in the later ones alone, so a caller that stores sums reads only ranges that nobody writes to any more.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    F,
    FloatField,
    Func,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Ceil, Coalesce, Ln
from django.db.models.lookups import GreaterThanOrEqual
from typing_extensions import override

from apps.common import histograms
from apps.common.histograms import Histogram
from apps.common.usage import BUCKETS, UsageSource
from apps.inference.models import Outcome, RequestRecord

DIMENSIONS = ("model", "provider", "api_key_id", "tag", "billing")

SERVER_ERROR = 500
_ENDED = {
    "completed": Q(outcome=Outcome.COMPLETED),
    "client_gone": Q(outcome=Outcome.CLIENT_GONE),
    "rejected": Q(outcome=Outcome.FAILED, status__lt=SERVER_ERROR),
    "failed": Q(outcome=Outcome.FAILED, status__gte=SERVER_ERROR),
    "interrupted": Q(outcome=Outcome.INTERRUPTED),
    "stopped": Q(outcome=Outcome.STOPPED),
    "empty": Q(outcome=Outcome.EMPTY),
    "lost": Q(outcome=Outcome.LOST),
}
"""How requests end, each in exactly one way. ``rejected``: the host refused what the client sent."""
ENDS = tuple(_ENDED)
_COLUMNS = {
    bucket: bucket if bucket in {"images", "characters", "seconds", "searches"} else f"{bucket}_tokens"
    for bucket in BUCKETS
}  # fmt: skip
MONEY = ("cost", "charged", "saved")
NUMBERS = (*ENDS, "rated", *_COLUMNS.values(), *MONEY)
"""What is added up. ``rated``: requests whose usage was known, and so had a price."""
USAGE_COLUMNS: Mapping[str, str] = _COLUMNS
"""The record's column of each bucket of usage."""

PRICE, CACHE, OWN_KEY, NOTHING = "price", "cache", "own_key", "none"
"""What a request was billed by: a price of ours, not at all because the answer was kept, the routing fee, no price."""


class Range(NamedTuple):
    """From ``start`` on, before ``end``."""

    start: datetime.datetime
    end: datetime.datetime


class Key(NamedTuple):
    organization_id: int
    slot: int
    """Since 1970, in units of what was asked for."""
    model: str = ""
    provider: str = ""
    api_key_id: int = 0
    """0 for the key that is gone."""
    tag: str = ""
    billing: str = ""


class Sums:
    """Numbers in the order of ``NUMBERS``, and two histograms; grows by what is added."""

    __slots__ = ("first_token", "latency", "numbers")

    def __init__(
        self,
        numbers: Sequence[int] = (0,) * len(NUMBERS),
        latency: Histogram = 0,
        first_token: Histogram = 0,
    ) -> None:
        self.numbers = list(numbers)
        self.latency = latency
        self.first_token = first_token

    def add(self, other: "Sums") -> None:
        self.numbers = [mine + its for mine, its in zip(self.numbers, other.numbers, strict=True)]
        self.latency += other.latency
        self.first_token += other.first_token

    def subtract(self, other: "Sums") -> None:
        """What has been added, or will be."""
        self.numbers = [mine - its for mine, its in zip(self.numbers, other.numbers, strict=True)]
        self.latency -= other.latency
        self.first_token -= other.first_token

    def __getitem__(self, name: str) -> int:
        return self.numbers[_PLACES[name]]


_PLACES = {name: place for place, name in enumerate(NUMBERS)}


class _Slot(Func):
    """Whole units since 1970, UTC. SQLite would round a moment to the nearest millisecond, so that is cut off first."""

    output_field = BigIntegerField()

    def __init__(self, moment: str, *, seconds: int) -> None:
        super().__init__(F(moment))
        self.seconds = seconds

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = f"(FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / {self.seconds}))::bigint"
        return self.as_sql(compiler, connection, template=template, **extra)

    @override
    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = (
            f"(CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER) / {self.seconds})"
        )
        return self.as_sql(compiler, connection, template=template, **extra)


class _Rare(Func):
    """A condition that few rows meet: SQLite takes any range for a good part of the table, and reads all of it for thirty."""

    template = "%(expressions)s"
    output_field = BooleanField()

    @override
    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # It does nothing but tell the planner: https://www.sqlite.org/lang_corefunc.html#likelihood
        return self.as_sql(compiler, connection, template="likelihood(%(expressions)s, 0.00001)")


_DOUBLE = FloatField()
_BILLING = Case(
    When(cached=True, then=Value(CACHE)),
    When(is_byok=True, then=Value(OWN_KEY)),
    When(price_id__isnull=True, then=Value(NOTHING)),
    default=Value(PRICE),
)
_RATED = Q(usage_source__in=[UsageSource.PROVIDER.value, UsageSource.COUNTED.value])
_TIMED = Q(outcome=Outcome.COMPLETED, cached=False)
"""Full answers that a host gave: the times of others say nothing of it."""
_AGGREGATES = {
    **{f"number_{name}": Count("pk", filter=ended) for name, ended in _ENDED.items()},
    "number_rated": Count("pk", filter=_RATED),
    **{f"sum_{column}": Sum(column) for column in (*_COLUMNS.values(), *MONEY)},
}
"""In the order of ``NUMBERS``."""


def _bucket(field: str) -> Case:
    logarithm = Ceil(Ln(Cast(field, _DOUBLE)) / Value(histograms.LOG_GAMMA))
    above = Cast(logarithm, BigIntegerField())
    return Case(When(**{f"{field}__lte": 1}, then=Value(0)), default=above, output_field=BigIntegerField())  # fmt: skip


def sum_records(
    ranges: Sequence[Range],
    *,
    slot_seconds: int,
    organization_id: int | None = None,
    only: Mapping[str, Any] | None = None,
    by: Collection[str] = DIMENSIONS,
    has_times: bool = True,
) -> dict[Key, Sums]:
    """What was recorded in these ranges, of one organisation or of all; ``only`` filters by ``DIMENSIONS``.

    Keys tell of the dimensions in ``by``, and of no other: the fewer, the fewer rows are read.
    """
    if not ranges:
        return {}
    # The organisation stands in each range, so that each is looked up in the index of both.
    of = {} if organization_id is None else {"organization_id": organization_id}
    within = Q()
    for one in ranges:
        begun = _Rare(GreaterThanOrEqual(F("created_at"), one.start))
        within |= Q(begun, **of, created_at__lt=one.end)
    rows = RequestRecord.objects.filter(within).order_by()
    rows = rows.annotate(
        slot=_Slot("created_at", seconds=slot_seconds),
        key_or_none=Coalesce("api_key_id", Value(0)),
        billing=_BILLING,
    )
    for name, value in (only or {}).items():
        rows = rows.filter(**{"key_or_none" if name == "api_key_id" else name: value})
    named = ("organization_id", "slot", *(name for name in DIMENSIONS if name in by))
    columns = ["key_or_none" if name == "api_key_id" else name for name in named]
    grouped = rows.values_list(*columns).annotate(**_AGGREGATES)
    found = {
        _key(named, values): Sums([int(value) for value in values[len(named) :]])
        for values in grouped.values_list(*columns, *_AGGREGATES)
    }
    if not has_times:
        return found
    streamed = rows.filter(_TIMED, streamed=True, first_token_ms__isnull=False)
    for name, field, timed in (
        ("latency", "latency_ms", rows.filter(_TIMED)),
        ("first_token", "first_token_ms", streamed),
    ):
        counted = timed.annotate(bucket=_bucket(field)).values_list(*columns, "bucket")
        for *values, bucket, count in counted.annotate(number=Count("pk")):
            sums = found.setdefault(_key(named, values), Sums())
            setattr(sums, name, getattr(sums, name) + histograms.pack([(bucket, count)]))
    return found


def _key(named: Sequence[str], values: Sequence[Any]) -> Key:
    return Key(**dict(zip(named, values, strict=False)))


def first_moment(
    since: datetime.datetime | None = None, *, organization_id: int | None = None
) -> datetime.datetime | None:
    """Of the earliest record, of one organisation or of all, at ``since`` or later; None when there is none."""
    rows = RequestRecord.objects.order_by("created_at")
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    return rows.values_list("created_at", flat=True).first()
