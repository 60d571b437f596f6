"""What an organisation has used: GET /v1/user/usage, its summary and what another model would have cost (docs/usage.md)."""

import datetime
from collections.abc import AsyncIterator
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router

from apps.catalog.queries import refuse_unknown
from apps.catalog.selectors import catalog
from apps.common import clock
from apps.common.errors import ModelNotFound, ModelNotPriced
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of
from apps.common.usage import BUCKETS
from apps.inference.usage_sums import Range
from apps.keys.selectors import read_key_names
from apps.monitoring import showing
from apps.monitoring.asking import answer, check_names, filters_of, told
from apps.monitoring.periods import end_of_month, start_of_day, start_of_month
from apps.monitoring.ranges import read_groups, read_range, read_zone
from apps.monitoring.schemas import (
    UsageBody,
    UsageListQuery,
    UsageSummaryBody,
    WhatIfBody,
    WhatIfQuery,
)
from apps.monitoring.services.forecasts import Forecast, forecast
from apps.monitoring.services.what_if import compare
from apps.monitoring.usage import Question, read_times, read_total, read_usage

Json = dict[str, Any]

router = Router(tags=["Usage"])

FILES = {"csv": "text/csv", "json": "application/x-ndjson"}
LINES = 500
"""Of a file, at once."""


@router.get(
    "/user/usage",
    response=UsageBody,
    summary="Spend, tokens, requests, errors and times, by whatever you ask for",
    openapi_extra={"responses": {200: {"content": {media: {} for media in FILES.values()}}}},
)
def list_usage(
    request: HttpRequest, query: Query[UsageListQuery]
) -> HttpResponse | StreamingHttpResponse:
    """The newest first, then the dearest. True the moment a request has ended.

    `format=csv` and `format=json` (one object a line) are a file of all rows, whatever `page` and `limit`.
    """
    check_names(request, UsageListQuery)
    organization = organization_of(request)
    zone, groups = read_zone(query.timezone), read_groups(query.group_by)
    whole = read_range(query.from_, query.to, zone=zone, now=clock.now(), groups=groups)
    only = filters_of(query, model=query.model)
    question = Question(organization, whole, groups, zone, only, has_times=False)
    found = showing.in_order(read_usage(question), groups)
    names = read_key_names(organization) if "key" in groups else {}

    start, end = 0, len(found)
    if query.format == "page":
        start = (query.page - 1) * query.limit
        end = start + query.limit
    # Histograms are half of the work: read for what is shown alone.
    shown = read_times(question, found[start:end])

    def show(start: int, end: int) -> list[Json]:
        return [showing.row(one, groups, zone=zone, key_names=names) for one in shown[start:end]]

    if query.format != "page":
        return _file(query.format, columns=showing.columns(groups), show=show, number=len(shown))
    return answer(
        {
            **told(whole, zone),
            "timezone": zone.key,
            "group_by": groups,
            "data": show(0, len(shown)),
            "total": len(found),
            "page": query.page,
            "has_more": end < len(found),
        }
    )


@router.get(
    "/user/usage/summary",
    response=UsageSummaryBody,
    summary="Today, this month, and what comes of it",
)
def read_summary(request: HttpRequest, timezone: str = "UTC") -> HttpResponse:
    """What was used today and in this month, what the month will have cost at its end, and when the credit runs dry.

    By what was charged in the last seven days; null where that says nothing.
    """
    refuse_unknown(request.GET, known=["timezone"])
    organization, zone, now = organization_of(request), read_zone(timezone), clock.now()
    today = start_of_day(now.astimezone(zone).date(), zone)
    month = read_total(Question(organization, Range(start_of_month(now, zone), now)))
    outlook = forecast(
        organization, now=now, month_so_far=month["charged"], month_end=end_of_month(now, zone)
    )
    return answer(
        {
            "data": {
                "as_of": showing.iso(now, zone),
                "timezone": zone.key,
                "today": showing.numbers(read_total(Question(organization, Range(today, now)))),
                "month": showing.numbers(month),
                "forecast": _outlook(outlook, zone),
                "runs_dry_on": (
                    showing.iso(outlook.runs_dry_at, zone) if outlook.runs_dry_at else None
                ),
            }
        }
    )


@router.get(
    "/user/usage/what-if",
    response=WhatIfBody,
    summary="What the same traffic would have cost with another model",
)
def read_what_if(request: HttpRequest, query: Query[WhatIfQuery]) -> HttpResponse:
    """The tokens and units that were used, at the prices of today at each host of `model`."""
    check_names(request, WhatIfQuery)
    zone = read_zone(query.timezone)
    whole = read_range(query.from_, query.to, zone=zone, now=clock.now())
    model = catalog.get().resolve(query.model)
    if model is None:
        raise ModelNotFound(f"There is no model '{query.model[:200]}'.", param="model")
    if not model.offerings:
        raise ModelNotPriced(f"'{model.id}' has no price now.", param="model")
    only = filters_of(query, model=query.instead_of)
    question = Question(organization_of(request), whole, ("billing",), zone, only, has_times=False)
    spreads = read_usage(question)
    found = compare(model, {spread.values[0]: spread.sums for spread in spreads})
    return answer(
        {
            "data": {
                **told(whole, zone),
                "model": model.id,
                "instead_of": query.instead_of,
                "requests": found.requests,
                "usage": {bucket: getattr(found.usage, bucket) for bucket in BUCKETS},
                "cost_nano_usd": found.cost,
                "left_out": found.left_out,
                "hosts": [
                    {
                        "provider": host.provider,
                        "tag": host.tag,
                        "cost": nano_to_usd(host.cost),
                        "cost_nano_usd": host.cost,
                        "difference_nano_usd": host.cost - found.cost,
                        "not_compared": host.not_compared,
                    }
                    for host in found.hosts
                ],
            }
        }
    )


def _outlook(found: Forecast, zone: ZoneInfo) -> Json | None:
    if found.burn is None or found.month_end is None:
        return None
    return {
        "since": showing.iso(found.burn.since, zone),
        "burn_nano_usd_per_day": found.burn.over(datetime.timedelta(days=1)),
        "month_end": nano_to_usd(found.month_end),
        "month_end_nano_usd": found.month_end,
    }


def _file(kind: str, *, columns: list[str], show: Any, number: int) -> StreamingHttpResponse:
    async def lines() -> AsyncIterator[bytes]:
        if kind == "csv":
            yield showing.csv_line(columns)
        for start in range(0, number, LINES):
            rows = show(start, start + LINES)
            write = showing.csv_row if kind == "csv" else _json_line
            yield b"".join([write(one) for one in rows])

    file = StreamingHttpResponse(lines(), content_type=FILES[kind])
    name = "usage.csv" if kind == "csv" else "usage.ndjson"
    file["content-disposition"] = f'attachment; filename="{name}"'
    return file


def _json_line(row: Json) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
