"""Reading request records."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Case, Count, F, FloatField, Sum, Value, When, Window
from django.db.models.functions import Cast, RowNumber

from apps.common import clock
from apps.inference.faults import NO_FAILURES, FaultKind
from apps.inference.models import Outcome, RequestRecord

PERCENTILES = (50, 75, 90, 95, 99)
MEASURES = ("first_token", "latency", "speed")
TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "audio_input_tokens",
    "output_tokens", "reasoning_tokens", "audio_output_tokens",
)  # fmt: skip


def find_record(record_id: str, *, organization_id: int) -> RequestRecord | None:
    """A record of this organisation; None for anybody else's."""
    return RequestRecord.objects.filter(pk=record_id, organization_id=organization_id).first()


@dataclass(frozen=True, slots=True)
class Used:
    """By an organisation, of requests that cost it something."""

    requests: int
    tokens: int
    """In and out, cached ones too."""
    charged: int
    """Nano-USD."""


def usage_since(organization_id: int, since: datetime.datetime) -> Used:
    total = sum((F(name) for name in TOKENS[1:]), start=F(TOKENS[0]))
    row = (
        RequestRecord.objects.filter(
            organization_id=organization_id, created_at__gte=since, charged__gt=0
        )
        .order_by()
        .aggregate(requests=Count("pk"), tokens=Sum(total), charged=Sum("charged"))
    )
    return Used(row["requests"], int(row["tokens"] or 0), int(row["charged"] or 0))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the requests of many organisations add up to. Percentiles are None where there was nothing to measure."""

    requests: int
    """Those that the host answered, or was the last to be asked for."""
    input_tokens: int
    output_tokens: int
    paid: int
    """Full answers that had a price: what test keys ask for is left out. The rest is told of these."""
    paid_tokens: int
    organizations: int
    first_token: Mapping[int, float | None]
    """By percentile, in milliseconds; of streams only."""
    latency: Mapping[int, float | None]
    """By percentile, in milliseconds, from the request's arrival to the answer's end."""
    speed: Mapping[int, float | None]
    """By percentile, in output tokens a second of latency."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a host that ended in a full answer, and those that failed by its fault."""

    answered: int = 0
    failed: int = 0

    @property
    def success_rate(self) -> float | None:
        """Of one; None when it was not asked."""
        total = self.answered + self.failed
        return self.answered / total if total else None

    @property
    def error_rate(self) -> float | None:
        total = self.answered + self.failed
        return self.failed / total if total else None


def read_traffic(
    period: datetime.timedelta, *, by: Sequence[str], without: Collection[str] = ()
) -> dict[tuple[str, ...], Traffic]:
    """Since ``period`` ago, by the names of these fields, without these providers; one query.

    A percentile is the smallest value that is not below so many of the hundred (nearest rank), which both databases can
    tell from row numbers.
    """
    inner, params = _measured(period, by, without)
    names = ", ".join(by)
    percentiles = ", ".join(
        f"MIN(CASE WHEN {measure}_rank * 100 >= {share} * {measure}_of THEN {measure} END)"
        for measure in MEASURES
        for share in PERCENTILES
    )
    statement = (
        f"SELECT {names}, COUNT(*), SUM(input), SUM(output), SUM(paid), SUM(paid * (input + output)), "  # noqa: S608
        f"COUNT(DISTINCT payer), {percentiles} FROM ({inner}) AS measured GROUP BY {names}"
    )
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for row in cursor.fetchall():
            key, (requests, tokens_in, tokens_out, paid, paid_tokens, payers, *values) = (
                row[: len(by)],
                row[len(by) :],
            )
            found[key] = Traffic(
                requests, int(tokens_in), int(tokens_out), int(paid), int(paid_tokens), payers,
                *_by_percentile(values),
            )  # fmt: skip
    return found


def _measured(
    period: datetime.timedelta, by: Sequence[str], without: Collection[str]
) -> tuple[str, Sequence[Any]]:
    """A statement and its parameters: one row for each request.

    With its measures, their place in the order of their group, and how many of the group have them.
    """
    output = F("output_tokens") + F("reasoning_tokens") + F("audio_output_tokens")
    every = (
        F("input_tokens") + F("cache_read_tokens") + F("cache_write_5m_tokens")
        + F("cache_write_1h_tokens") + F("audio_input_tokens")
    )  # fmt: skip
    speed = Cast(output * 1000, FloatField()) / Cast("latency_ms", FloatField())
    measures = {
        "first_token": Case(When(paid=1, streamed=True, then=F("first_token_ms"))),
        "latency": Case(When(paid=1, then=F("latency_ms"))),
        "speed": Case(When(paid=1, output_tokens__gt=0, latency_ms__gt=0, then=speed)),
    }
    places: dict[str, Window] = {}
    for name in MEASURES:
        # Those without the measure come last, so the ranks of the others are not disturbed.
        order = F(name).asc(nulls_last=True)
        places[f"{name}_rank"] = Window(RowNumber(), partition_by=by, order_by=order)
        places[f"{name}_of"] = Window(Count(name), partition_by=by)
    is_paid = When(outcome=Outcome.COMPLETED, price_id__isnull=False, then=Value(1))
    rows = (
        RequestRecord.objects.filter(created_at__gte=clock.now() - period)
        .exclude(provider__in=["", *sorted(without)])
        .order_by()
        .annotate(input=every, output=output, paid=Case(is_paid, default=Value(0)))
        .annotate(payer=Case(When(paid=1, then=F("organization_id"))), **measures)
        .annotate(**places)
        .values(*by, "input", "output", "paid", "payer", *measures, *places)
    )
    statement, params = rows.query.sql_with_params()
    return statement, params


def read_calls(period: datetime.timedelta) -> dict[tuple[str, ...], Calls]:
    """By provider and the model's name there, since ``period`` ago; one query.

    Over the attempts, so a host that was failed over counts too. What the client sent wrong or gave up, or had no time or no
    more use for, is in neither number, nor is what was asked with a customer's own key: a key that is refused there says nothing of the host.
    """
    each, field = _ATTEMPTS[connection.vendor]
    host, model, fault, is_byok = (
        field.format(name) for name in ("provider", "model", "fault", "is_byok")
    )
    statement = (
        f"SELECT {host}, {model}, "  # noqa: S608
        f"SUM(CASE WHEN {fault} = '' AND outcome = '{Outcome.COMPLETED}' THEN 1 ELSE 0 END), "
        f"SUM(CASE WHEN {fault} IN ({_BLAMELESS}) THEN 0 ELSE 1 END) "
        f"FROM inference_requestrecord, {each} WHERE created_at >= %s AND {is_byok} IS NULL GROUP BY 1, 2"
    )
    since = connection.ops.adapt_datetimefield_value(clock.now() - period)
    with connection.cursor() as cursor:
        cursor.execute(statement, [since])
        return {(host, model): Calls(int(a), int(f)) for host, model, a, f in cursor.fetchall()}


def read_last_answers(period: datetime.timedelta) -> dict[tuple[str, str], datetime.datetime]:
    """When each host last gave a full answer, by provider and the model's name there, of requests since ``period`` ago."""
    each, field = _ATTEMPTS[connection.vendor]
    host, model, fault = (field.format(name) for name in ("provider", "model", "fault"))
    statement = (
        f"SELECT {host}, {model}, MAX(created_at) FROM inference_requestrecord, {each} "  # noqa: S608
        f"WHERE created_at >= %s AND outcome = '{Outcome.COMPLETED}' AND {fault} = '' GROUP BY 1, 2"
    )
    since = connection.ops.adapt_datetimefield_value(clock.now() - period)
    with connection.cursor() as cursor:
        cursor.execute(statement, [since])
        return {(host, model): _as_utc(moment) for host, model, moment in cursor.fetchall()}


def _as_utc(moment: datetime.datetime | str) -> datetime.datetime:
    """SQLite gives the text that it keeps."""
    if isinstance(moment, str):
        return datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC)
    return moment


_BLAMELESS = ", ".join(f"'{fault}'" for fault in sorted({"", FaultKind.REJECTED, *NO_FAILURES}))
"""How a call ended that did not fail by its host, as SQL."""
_ATTEMPTS = {
    "postgresql": ("jsonb_array_elements(attempts) AS attempt", "attempt ->> '{}'"),
    "sqlite": ("json_each(attempts) AS attempt", "json_extract(attempt.value, '$.{}')"),
}
"""How a database reads the members of a list, and a field of one."""


def _by_percentile(values: Sequence[Any]) -> list[dict[int, float | None]]:
    width = len(PERCENTILES)
    return [
        dict(zip(PERCENTILES, values[start : start + width], strict=True))
        for start in range(0, len(values), width)
    ]
