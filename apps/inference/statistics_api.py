"""What providers and models have done lately. Public; the numbers are a minute old at most, 304 when the client has them."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from apps.catalog.directory import directory
from apps.catalog.queries import page_of
from apps.catalog.schemas import Page
from apps.catalog.strict import known_only
from apps.common.conditional import answer
from apps.common.db import to_iso
from apps.inference import statistics
from apps.inference.selectors import Calls, Traffic
from apps.inference.statistics import WINDOWS, Reading, Window
from apps.inference.statistics_schemas import GatewayStatusList, ProviderStatsBody, Ranking

Json = dict[str, Any]
Criterion = Literal["requests", "tokens"]
COUNTED: Mapping[Criterion, str] = {"requests": "paid", "tokens": "paid_tokens"}
Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0)]

router = Router(tags=["Statistics"])
router.add_decorator(known_only)


@router.get(
    "/provider/{slug}/stats", response=ProviderStatsBody, auth=None, summary="How a provider does"
)
def read_provider_stats(request: HttpRequest, slug: str) -> HttpResponse:
    """Requests, rates, times and tokens of the last hour, day and week."""
    provider = directory().find(slug).slug
    done = {window: statistics.by_provider[window].get() for window in WINDOWS}
    windows = {
        window: _window(
            reading.found.get((provider,)),
            statistics.calls_by_provider(window).found.get(provider, Calls()),
        )
        for window, reading in done.items()
    }
    as_of = to_iso(min(reading.as_of for reading in done.values()))
    return answer(request, {"data": {"provider": provider, "as_of": as_of, "windows": windows}})


@router.get(
    "/gateway/{slug}/stats", response=ProviderStatsBody, auth=None, summary="How a provider does"
)
def read_gateway_stats(request: HttpRequest, slug: str) -> HttpResponse:
    """The same as `GET /v1/provider/{slug}/stats`."""
    return read_provider_stats(request, slug)


@router.get(
    "/provider/{slug}/top-models",
    response=Ranking,
    auth=None,
    summary="What is asked for most at a provider",
)
def rank_provider_models(
    request: HttpRequest,
    slug: str,
    window: Window = "7d",
    by: Criterion = "requests",
    limit: Limit = 20,
    offset: Offset = 0,
) -> HttpResponse:
    asked = statistics.models_asked(window, provider=directory().find(slug).slug)
    return answer(request, _ranking(asked, window=window, by=by, limit=limit, offset=offset))


@router.get("/ranking/models", response=Ranking, auth=None, summary="What is asked for most")
def rank_models(
    request: HttpRequest,
    window: Window = "7d",
    by: Criterion = "requests",
    limit: Limit = 20,
    offset: Offset = 0,
) -> HttpResponse:
    """By requests answered or tokens billed; what the sandbox answers and what test keys ask for is left out."""
    asked = statistics.models_asked(window)
    return answer(request, _ranking(asked, window=window, by=by, limit=limit, offset=offset))


@router.get(
    "/gateways/status",
    response=GatewayStatusList,
    auth=None,
    summary="Which providers can be asked now",
)
def read_gateway_status(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    hour = statistics.calls_by_provider("1h")
    refreshed_at = statistics.refreshed_at.get().found
    known = list(directory().providers.values())
    shown, has_more = page_of(known, limit=page.limit, offset=page.offset)
    data = [
        {
            "id": found.slug,
            "name": found.name,
            "routable": found.is_routable,
            "reason": found.reason,
            "refreshed_at": to_iso(refreshed_at.get(found.slug)),
            "error_rate": hour.found.get(found.slug, Calls()).error_rate,
        }
        for found in shown
    ]
    body = {"object": "list", "as_of": to_iso(hour.as_of), "data": data}
    return answer(request, {**body, "total": len(known), "has_more": has_more})


def _window(traffic: Traffic | None, calls: Calls) -> Json:
    return {
        "requests": traffic.requests if traffic else 0,
        "success_rate": calls.success_rate,
        "error_rate": calls.error_rate,
        "first_token_ms": _median_and_most(traffic.first_token if traffic else {}),
        "latency_ms": _median_and_most(traffic.latency if traffic else {}),
        "tokens": {
            "input": traffic.input_tokens if traffic else 0,
            "output": traffic.output_tokens if traffic else 0,
        },
    }


def _median_and_most(measured: Mapping[int, float | None]) -> Json:
    return {"p50": measured.get(50), "p95": measured.get(95)}


def _ranking(
    asked: Reading[dict[str, Traffic]], *, window: Window, by: Criterion, limit: int, offset: int
) -> Json:
    """Only models that the catalogue knows today: one that was taken out is not shown by its past."""
    known = directory().snapshot.models
    counted = attrgetter(COUNTED[by])
    ranked = sorted(
        ((model, traffic) for model, traffic in asked.found.items() if model in known),
        key=lambda found: (-counted(found[1]), found[0]),
    )
    shown, has_more = page_of(ranked, limit=limit, offset=offset)
    return {
        "object": "list",
        "window": window,
        "by": by,
        "as_of": to_iso(asked.as_of),
        "data": [
            {"rank": rank, "model": model, "requests": traffic.paid, "tokens": traffic.paid_tokens}
            for rank, (model, traffic) in enumerate(shown, start=offset + 1)
        ],
        "total": len(ranked),
        "has_more": has_more,
    }
