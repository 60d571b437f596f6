"""Reading request records."""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Case, Count, F, FloatField, When, Window
from django.db.models.functions import Cast, RowNumber

from apps.common import clock
from apps.inference.faults import FaultKind
from apps.inference.models import Outcome, RequestRecord

PERCENTILES = (50, 75, 90, 95, 99)
MEASURES = ("first_token", "latency", "speed")


def find_record(record_id: str, *, organization_id: int) -> RequestRecord | None:
    """A record of this organisation; None for anybody else's."""
    return RequestRecord.objects.filter(pk=record_id, organization_id=organization_id).first()


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the completed requests of many organisations add up to. None where there was nothing to measure."""

    requests: int
    tokens: int
    organizations: int
    first_token: Mapping[int, float | None]
    """By percentile, in milliseconds; of streams only."""
    latency: Mapping[int, float | None]
    """By percentile, in milliseconds, from the request's arrival to the answer's end."""
    speed: Mapping[int, float | None]
    """By percentile, in output tokens a second of latency."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """The share of attempts that a host answered, in percent; None when it was not asked."""

    whole: float | None
    recent: float | None


def read_traffic(
    period: datetime.timedelta, *, providers: Collection[str], by_provider: bool
) -> dict[tuple[str, str], Traffic]:
    """By model and provider, or by model and an empty string, since ``period`` ago; one query.

    Requests of test keys and at providers that are not named are left out. A percentile is the smallest value that
    is not below so many of the hundred (nearest rank), which both databases can tell from row numbers.
    """
    if not providers:
        return {}
    groups = ("model", "provider") if by_provider else ("model",)
    inner, params = _measured(period, providers, groups)
    names = ", ".join(groups)
    percentiles = ", ".join(
        f"MIN(CASE WHEN {measure}_rank * 100 >= {share} * {measure}_of THEN {measure} END)"
        for measure in MEASURES
        for share in PERCENTILES
    )
    statement = (
        f"SELECT {names}, COUNT(*), SUM(tokens), COUNT(DISTINCT tenant), {percentiles} "  # noqa: S608
        f"FROM ({inner}) AS measured GROUP BY {names}"
    )
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        for row in cursor.fetchall():
            key, (requests, tokens, organizations, *values) = row[: len(groups)], row[len(groups) :]
            found[key[0], key[1] if by_provider else ""] = Traffic(
                requests, int(tokens), organizations, *_by_percentile(values)
            )
    return found


def _measured(
    period: datetime.timedelta, providers: Collection[str], groups: Sequence[str]
) -> tuple[str, Sequence[Any]]:
    """A statement and its parameters: one row for each request.

    With its measures, their place in the order of their group, and how many of the group have them.
    """
    output = F("output_tokens") + F("reasoning_tokens") + F("audio_output_tokens")
    every = (
        output + F("input_tokens") + F("cache_read_tokens") + F("cache_write_5m_tokens")
        + F("cache_write_1h_tokens") + F("audio_input_tokens")
    )  # fmt: skip
    speed = Cast(output * 1000, FloatField()) / Cast("latency_ms", FloatField())
    measures = {
        "first_token": Case(When(streamed=True, then=F("first_token_ms"))),
        "latency": F("latency_ms"),
        "speed": Case(When(output_tokens__gt=0, latency_ms__gt=0, then=speed)),
    }
    places: dict[str, Window] = {}
    for name in MEASURES:
        # Those without the measure come last, so the ranks of the others are not disturbed.
        order = F(name).asc(nulls_last=True)
        places[f"{name}_rank"] = Window(RowNumber(), partition_by=groups, order_by=order)
        places[f"{name}_of"] = Window(Count(name), partition_by=groups)
    rows = (
        RequestRecord.objects.filter(
            created_at__gte=clock.now() - period,
            outcome=Outcome.COMPLETED,
            provider__in=sorted(providers),
        )
        .exclude(api_key__environment="test")
        .order_by()
        .annotate(tokens=every, tenant=F("organization_id"), **measures)
        .annotate(**places)
        .values(*groups, "tokens", "tenant", *measures, *places)
    )
    statement, params = rows.query.sql_with_params()
    return statement, params


def read_uptime(
    period: datetime.timedelta, *, recently: datetime.timedelta, providers: Collection[str]
) -> dict[tuple[str, str], Uptime]:
    """By provider and the model's name there; one query over the attempts, so a host that was failed over counts too.

    What the client caused is no fault of the host's and is not counted.
    """
    if not providers:
        return {}
    each, field = _ATTEMPTS[connection.vendor]
    host, model, fault = (field.format(name) for name in ("provider", "model", "fault"))
    answered = f"CASE WHEN {fault} = '' THEN 1 ELSE 0 END"
    recent = "CASE WHEN created_at >= %s THEN 1 ELSE 0 END"
    marks = ", ".join(["%s"] * len(providers))
    statement = (
        f"SELECT {host}, {model}, COUNT(*), SUM({answered}), SUM({recent}), SUM(({recent}) * ({answered})) "  # noqa: S608
        f"FROM inference_requestrecord, {each} "
        f"WHERE created_at >= %s AND {fault} <> '{FaultKind.REJECTED}' AND {host} IN ({marks}) "
        f"GROUP BY {host}, {model}"
    )
    now = clock.now()
    since = [connection.ops.adapt_datetimefield_value(now - ago) for ago in (recently, period)]
    with connection.cursor() as cursor:
        cursor.execute(statement, [since[0], since[0], since[1], *sorted(providers)])
        return {
            (host, model): Uptime(
                _share(answers, attempts), _share(recent_answers, recent_attempts)
            )
            for host, model, attempts, answers, recent_attempts, recent_answers in cursor.fetchall()
        }


_ATTEMPTS = {
    "postgresql": ("jsonb_array_elements(attempts) AS attempt", "attempt ->> '{}'"),
    "sqlite": ("json_each(attempts) AS attempt", "json_extract(attempt.value, '$.{}')"),
}
"""How a database reads the members of a list, and a field of one."""


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _by_percentile(values: list[Any]) -> list[dict[int, float | None]]:
    width = len(PERCENTILES)
    return [
        dict(zip(PERCENTILES, values[start : start + width], strict=True))
        for start in range(0, len(values), width)
    ]
