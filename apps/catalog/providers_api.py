"""Who can be asked: GET /v1/providers, /v1/gateways and /v1/routers. Public, from the snapshot, 304 when the client has it.

What providers have done lately is of apps.inference.statistics_api.
"""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from apps.catalog import provider_cards as cards
from apps.catalog.directory import directory
from apps.catalog.provider_schemas import (
    GatewayList,
    ProviderBody,
    ProviderList,
    RouterList,
    SummaryBody,
)
from apps.catalog.queries import page_of
from apps.catalog.schemas import Page
from apps.catalog.strict import known_only
from apps.common.conditional import answer

router = Router(tags=["Providers"])
router.add_decorator(known_only)


@router.get("/providers", response=ProviderList, auth=None, summary="List providers")
def list_providers(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """OpenRouter's shape, with whether requests can go there now."""
    if page.is_whole:
        return answer(request, directory().document("providers", cards.provider_list))
    return answer(request, _cut(cards.provider_list(directory()), page))


@router.get("/provider", response=ProviderList, auth=None, summary="List providers")
def list_provider(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """The same as `GET /v1/providers`."""
    return list_providers(request, page)


@router.get("/provider/{slug}", response=ProviderBody, auth=None, summary="Get a provider")
def get_provider(request: HttpRequest, slug: str) -> HttpResponse:
    return answer(request, {"data": cards.provider_card(directory().find(slug))})


@router.get("/gateways", response=GatewayList, auth=None, summary="List providers with their wires")
def list_gateways(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """What providers can be asked to do, and in which formats."""
    if page.is_whole:
        return answer(request, directory().document("gateways", cards.gateway_list))
    return answer(request, _cut(cards.gateway_list(directory()), page))


@router.get("/gateways/summary", response=SummaryBody, auth=None, summary="Count what is offered")
def summarise_gateways(request: HttpRequest) -> HttpResponse:
    return answer(request, directory().document("summary", cards.summary))


@router.get("/routers", response=RouterList, auth=None, summary="How requests are routed")
def list_routers(request: HttpRequest, page: Query[Page]) -> HttpResponse:
    """The order of hosts, which hosts stand behind another name of a model, and the names that choose a model by themselves.

    `limit` and `offset` are of `data`.
    """
    if page.is_whole:
        return answer(request, directory().document("routers", cards.routers))
    return answer(request, _cut(cards.routers(directory()), page))


def _cut(whole: cards.Json, page: Page) -> cards.Json:
    shown, has_more = page_of(whole["data"], limit=page.limit, offset=page.offset)
    return {**whole, "data": shown, "has_more": has_more}
