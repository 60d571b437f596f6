"""What providers and models have done lately. Public; the numbers are a minute old at most, 304 when the client has them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from apps.catalog.directory import directory
from apps.common.conditional import answer
from apps.common.db import to_iso
from apps.inference.statistics import WINDOWS, ModelCount, ProviderCount, Statistics, Window, recent
from apps.inference.statistics_schemas import GatewayStatusList, ProviderStatsBody, Ranking

Json = dict[str, Any]
Criterion = Literal["requests", "tokens"]
Limit = Annotated[int, Field(ge=1, le=100)]

router = Router(tags=["Statistics"])


@router.get(
    "/provider/{slug}/stats", response=ProviderStatsBody, auth=None, summary="How a provider does"
)
def read_provider_stats(request: HttpRequest, slug: str) -> HttpResponse:
    """Requests, rates, times and tokens of the last hour, day and week."""
    provider = directory().find(slug)
    statistics = recent.get()
    windows = {window: _window(statistics.of(window, provider.slug)) for window in WINDOWS}
    return answer(
        request,
        {"data": {"provider": slug, "as_of": to_iso(statistics.as_of), "windows": windows}},
    )


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
) -> HttpResponse:
    provider = directory().find(slug)
    statistics = recent.get()
    models = statistics.of(window, provider.slug).models
    return answer(request, _ranking(statistics, models, window=window, by=by, limit=limit))


@router.get("/ranking/models", response=Ranking, auth=None, summary="What is asked for most")
def rank_models(
    request: HttpRequest, window: Window = "7d", by: Criterion = "requests", limit: Limit = 20
) -> HttpResponse:
    """By requests answered or tokens billed; what the sandbox answers and what test keys ask for is left out."""
    sandboxes = {found.slug for found in directory().providers.values() if found.is_sandbox}
    statistics = recent.get()
    models = statistics.models(window, without=sandboxes)
    return answer(request, _ranking(statistics, models, window=window, by=by, limit=limit))


@router.get(
    "/gateways/status",
    response=GatewayStatusList,
    auth=None,
    summary="Which providers can be asked now",
)
def read_gateway_status(request: HttpRequest) -> HttpResponse:
    statistics = recent.get()
    data = [
        {
            "id": found.slug,
            "name": found.name,
            "routable": found.is_routable,
            "reason": found.reason,
            "refreshed_at": to_iso(statistics.refreshed_at.get(found.slug)),
            "error_rate": statistics.of("1h", found.slug).error_rate,
        }
        for found in directory().providers.values()
    ]
    return answer(request, {"object": "list", "as_of": to_iso(statistics.as_of), "data": data})


def _window(count: ProviderCount) -> Json:
    return {
        "requests": count.requests,
        "success_rate": count.success_rate,
        "error_rate": count.error_rate,
        "first_token_ms": {"p50": count.first_token_p50, "p95": count.first_token_p95},
        "latency_ms": {"p50": count.latency_p50, "p95": count.latency_p95},
        "tokens": {"input": count.input_tokens, "output": count.output_tokens},
    }


def _ranking(
    statistics: Statistics,
    models: Mapping[str, ModelCount],
    *,
    window: Window,
    by: Criterion,
    limit: int,
) -> Json:
    """Only models that the catalogue knows today: one that was taken out is not shown by its past."""
    known = directory().snapshot.models
    ranked = sorted(
        ((model, count) for model, count in models.items() if model in known),
        key=lambda found: (-getattr(found[1], by), found[0]),
    )
    return {
        "object": "list",
        "window": window,
        "by": by,
        "as_of": to_iso(statistics.as_of),
        "data": [
            {"rank": rank, "model": model, "requests": count.requests, "tokens": count.tokens}
            for rank, (model, count) in enumerate(ranked[:limit], start=1)
        ],
    }
