"""What an organisation has asked for: GET /v1/user/activity/stats at a glance, /v1/user/activity/log one by one (docs/usage.md)."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from apps.common import clock
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of
from apps.inference import activity
from apps.inference.activity import RequestRecord
from apps.inference.usage_sums import Sums
from apps.monitoring import showing
from apps.monitoring.activity_schemas import (
    ActivityLogBody,
    ActivityLogQuery,
    ActivityQuery,
    ActivityStatsBody,
)
from apps.monitoring.asking import Json, answer, check_names, filters_of, told
from apps.monitoring.ranges import read_range, read_zone
from apps.monitoring.usage import Group, Question, Spread, read_usage

router = Router(tags=["Usage"])

GROUPS: tuple[Group, ...] = ("day", "model", "provider")


@router.get(
    "/user/activity/stats",
    response=ActivityStatsBody,
    summary="Requests, tokens and spend: in all, by day, by model and by provider",
)
def read_activity_stats(request: HttpRequest, query: Query[ActivityQuery]) -> HttpResponse:
    """The parts add up to the total. `GET /v1/user/usage` tells more, by whatever you ask for."""
    check_names(request, ActivityQuery)
    zone = read_zone(query.timezone)
    whole = read_range(query.from_, query.to, zone=zone, now=clock.now(), groups=GROUPS)
    only = filters_of(query, model=query.model)
    question = Question(organization_of(request), whole, GROUPS, zone, only, has_times=False)
    # Read once, so that a request which ends meanwhile is in every part or in none.
    found = read_usage(question)
    parts = {f"by_{group}": _by(group, found, zone) for group in GROUPS}
    total = Sums()
    for spread in found:
        total.add(spread.sums)
    return answer(
        {"data": {**told(whole, zone), "timezone": zone.key, "total": _numbers(total), **parts}}
    )


@router.get("/user/activity/log", response=ActivityLogBody, summary="Every request, one by one")
def read_activity_log(request: HttpRequest, query: Query[ActivityLogQuery]) -> HttpResponse:
    """The newest first. What was refused before it was let in is in no record."""
    check_names(request, ActivityLogQuery)
    zone = read_zone(query.timezone)
    whole = read_range(query.from_, query.to, zone=zone, now=clock.now())
    only: Mapping[str, Any] = filters_of(query, model=query.model)
    if query.outcome is not None:
        only = {**only, "outcome": query.outcome}
    records, has_more = activity.read_log(
        organization_of(request), whole=whole, only=only, before=query.before, limit=query.limit
    )
    return answer(
        {
            "data": [_logged(record, zone) for record in records],
            "has_more": has_more,
            "next_before": records[-1].id if has_more else None,
        }
    )


def _by(group: Group, found: list[Spread], zone: ZoneInfo) -> list[Json]:
    sums: dict[Any, Sums] = defaultdict(Sums)
    place = GROUPS.index(group)
    for spread in found:
        sums[spread.values[place]].add(spread.sums)
    spreads = [Spread((value,), each) for value, each in sums.items()]
    return [
        showing.named(spread, (group,), zone=zone) | _numbers(spread.sums)
        for spread in showing.in_order(spreads, (group,))
    ]


def _numbers(sums: Sums) -> Json:
    whole = showing.numbers(sums)
    return {
        "requests": whole["requests"],
        "errors": whole["errors"],
        "tokens": sum(whole["tokens"].values()),
        "charged": whole["charged"],
        "charged_nano_usd": whole["charged_nano_usd"],
    }


def _logged(record: RequestRecord, zone: ZoneInfo) -> Json:
    return {
        "id": record.id,
        "created_at": showing.iso(record.created_at, zone),
        "surface": record.surface,
        "requested_model": record.requested_model,
        "model": record.model or None,
        "provider": record.provider or None,
        "key": record.api_key_id,
        "tag": record.tag or None,
        "streamed": record.streamed,
        "outcome": record.outcome,
        "status": record.status,
        "error_code": record.error_code or None,
        "finish_reason": record.finish_reason or None,
        "cached": record.cached,
        "is_byok": record.is_byok,
        "tokens_input": record.total_input,
        "tokens_output": record.total_output,
        "charged": nano_to_usd(record.charged),
        "charged_nano_usd": record.charged,
        "first_token_ms": record.first_token_ms,
        "latency_ms": record.latency_ms,
    }
