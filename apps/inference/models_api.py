"""The models routes that also know how models have done: trending, low latency, unique, endpoints. Public.

Mounted before those of ``apps.catalog.api``, so that fixed names win over ids.
"""

from collections import defaultdict
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from apps.catalog.answers import answer
from apps.catalog.cards import architecture, canonical_slug, endpoint_card, pricing
from apps.catalog.entries import entries, get_model, reached
from apps.catalog.queries import check_provider, page_of
from apps.catalog.schemas import ReachedPage
from apps.catalog.selectors import ModelSnapshot, OfferingSnapshot
from apps.catalog.strict import known_only
from apps.inference import statistics
from apps.inference.schemas import EndpointsBody, OfferingList, TrafficList, UniqueList
from apps.inference.selectors import Traffic

router = Router(tags=["Models"])
router.add_decorator(known_only)

Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0)]
Window = Literal["24h", "7d"]
NEVER = float("inf")


@router.get("/models/trending", response=TrafficList, auth=None, summary="List models by requests")
def list_trending(
    request: HttpRequest, window: Window = "24h", limit: Limit = 20, offset: Offset = 0
) -> HttpResponse:
    """The models that were asked most, from completed requests; empty when there were none."""
    found = sorted(_asked(window), key=lambda row: (-row[1].paid, -row[1].paid_tokens, row[0].id))
    return _list(request, found, window, limit=limit, offset=offset)


@router.get(
    "/models/low-latency", response=TrafficList, auth=None, summary="List models by latency"
)
def list_low_latency(
    request: HttpRequest, window: Window = "24h", limit: Limit = 20, offset: Offset = 0
) -> HttpResponse:
    """The models that began to answer soonest, by the median; those that were never streamed come last."""
    found = sorted(_asked(window), key=lambda row: (*_slowness(row[1]), row[0].id))
    return _list(request, found, window, limit=limit, offset=offset)


@router.get("/models/unique", response=UniqueList, auth=None, summary="List models once")
def list_unique(request: HttpRequest, page: Query[ReachedPage]) -> HttpResponse:
    """One entry for a model and its variants, with the cheapest host and the one that was fastest in the last day."""
    variants: dict[str, list[ModelSnapshot]] = defaultdict(list)
    for entry in entries(page.availability):
        variants[canonical_slug(entry.model.id)].append(entry.model)
    found, has_more = page_of(list(variants.items()), limit=page.limit, offset=page.offset)
    data = [_unique(slug, models) for slug, models in found]
    body = {"object": "list", "data": data, "total": len(variants), "has_more": has_more}
    return answer(request, body)


@router.get(
    "/models/offerings", response=OfferingList, auth=None, summary="List models at providers"
)
def list_offerings(
    request: HttpRequest, page: Query[ReachedPage], provider: str = ""
) -> HttpResponse:
    """Every model at every provider, or at one: an entry for each price."""
    if provider:
        check_provider(provider, reached(page.availability))
    found = [
        (entry.model, offering)
        for entry in entries(page.availability)
        for offering in entry.model.offerings
        if not provider or offering.provider.slug == provider
    ]
    shown, has_more = page_of(found, limit=page.limit, offset=page.offset)
    data = [endpoint_card(model, offering) for model, offering in shown]
    body = {"object": "list", "data": data, "total": len(found), "has_more": has_more}
    return answer(request, body)


@router.get(
    "/models/{path:model_id}/endpoints",
    response=EndpointsBody,
    auth=None,
    summary="List the hosts of a model",
)
def list_endpoints(request: HttpRequest, model_id: str, page: Query[ReachedPage]) -> HttpResponse:
    """Its hosts in the order in which they are asked, in OpenRouter's shape, and how they have done."""
    model = get_model(model_id, availability=page.availability)
    shown, has_more = page_of(model.offerings, limit=page.limit, offset=page.offset)
    data = {
        "id": model.id,
        "name": model.name,
        "created": model.created,
        "description": model.description,
        "architecture": {**architecture(model), "instruct_type": None},
        "endpoints": [
            endpoint_card(model, offering) | statistics.observed(offering) for offering in shown
        ],
    }
    body = {"data": data, "total": len(model.offerings), "has_more": has_more}
    return answer(request, body)


def _asked(window: str) -> list[tuple[ModelSnapshot, Traffic]]:
    asked = statistics.models_asked(window).found
    return [(entry.model, found) for entry in entries() if (found := asked.get(entry.model.id))]


def _list(
    request: HttpRequest,
    found: list[tuple[ModelSnapshot, Traffic]],
    window: str,
    *,
    limit: int,
    offset: int,
) -> HttpResponse:
    shown, has_more = page_of(found, limit=limit, offset=offset)
    data = [{"id": model.id, "name": model.name, **_told(measured)} for model, measured in shown]
    body = {"object": "list", "window": window, "data": data}
    return answer(request, {**body, "total": len(found), "has_more": has_more})


def _told(measured: Traffic) -> dict[str, Any]:
    return {
        "requests": measured.paid,
        "tokens": measured.paid_tokens,
        "organizations": measured.organizations,
        "first_token_ms": statistics.percentiles(measured.first_token, only=(50, 95)),
        "latency_ms": statistics.percentiles(measured.latency, only=(50, 95)),
        "tokens_per_second": statistics.percentiles(measured.speed, only=(50, 95)),
    }


def _slowness(measured: Traffic) -> tuple[float, float]:
    first, whole = measured.first_token.get(50), measured.latency.get(50)
    return (NEVER if first is None else first, NEVER if whole is None else whole)


def _unique(slug: str, models: list[ModelSnapshot]) -> dict[str, Any]:
    offerings = [offering for model in models for offering in model.offerings]
    cheapest = min(offerings, key=_cost)
    asked = [
        (_slowness(measured), offering.model_id, offering.provider.slug, measured)
        for offering in offerings
        if (measured := statistics.traffic_of(offering, "24h"))
    ]
    providers = list(dict.fromkeys(offering.provider.slug for offering in offerings))
    fastest: dict[str, Any] | None = None
    if asked:
        _, model_id, provider, measured = min(asked, key=lambda row: row[:3])
        fastest = {"model": model_id, "provider": provider, **_told(measured)}
    return {
        "id": slug,
        "name": models[0].name,
        "context_length": models[0].context_length or offerings[0].context_length,
        "architecture": architecture(models[0]),
        "variants": [model.id for model in models],
        "providers": providers,
        "provider_count": len(providers),
        "cheapest": {
            "model": cheapest.model_id,
            "provider": cheapest.provider.slug,
            "pricing": pricing(cheapest.rates),
        },
        "fastest": fastest,
    }


def _cost(offering: OfferingSnapshot) -> tuple[int, int, str]:
    """By tokens, then by pieces: a model is sold by one or the other."""
    rates = offering.rates
    pieces = rates.images + rates.characters + rates.seconds + rates.searches + rates.request
    return rates.input + rates.output, pieces, offering.provider.slug
