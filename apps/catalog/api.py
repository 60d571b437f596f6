"""The models routes: what can be asked for, and what it costs. Public, and answered from the snapshot alone.

Routes that also know how models have done are in ``apps.inference.models_api``. Fixed names come before ids.
"""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from apps.catalog import dialects, queries
from apps.catalog.answers import answer
from apps.catalog.cards import model_card
from apps.catalog.categories import CATEGORIES
from apps.catalog.comparisons import compare
from apps.catalog.entries import (
    Entry,
    entries,
    entries_of,
    find_model,
    get_model,
    no_model,
    reached,
)
from apps.catalog.providers.spec import Wire
from apps.catalog.schemas import (
    MOST_COMPARED,
    AnthropicList,
    AnthropicModel,
    AnthropicPage,
    CategoryList,
    Compared,
    Comparison,
    GoogleList,
    GoogleModel,
    GooglePage,
    ModelCard,
    ModelList,
    ModelPage,
    ModelQuery,
    Reach,
    ReachedPage,
)
from apps.catalog.selectors import catalog
from apps.catalog.strict import known_only
from apps.common.errors import InvalidRequest, NotFound

router = Router(tags=["Models"])
router.add_decorator(known_only)


@router.get(
    "/models",
    response=ModelPage | ModelList | AnthropicList | GoogleList,
    auth=None,
    summary="List models",
)
def list_models(
    request: HttpRequest,
    query: Query[ModelQuery],
    anthropic: Query[AnthropicPage],
    google: Query[GooglePage],
) -> HttpResponse:
    """Every model that can be served now, or those that pass the filters; with `availability=all` every priced model.

    Clients that send Anthropic's or Google's headers get the list of that company.
    """
    wire = dialects.wire_of(request.headers)
    if wire is Wire.ANTHROPIC_MESSAGES:
        return answer(request, dialects.anthropic_list(limit=query.limit, **anthropic.dict()))
    if wire is Wire.GEMINI:
        return answer(request, dialects.google_list(size=google.pageSize, token=google.pageToken))
    if not request.GET:
        return answer(request, catalog.get().listing)
    queries.refuse_unknown(request.GET, known=ModelQuery.model_fields)
    snapshot = reached(query.availability)
    found = queries.select(entries_of(snapshot), query, snapshot)
    offset = query.offset
    if query.after:
        offset = queries.place_of([e.model.id for e in found], query.after, param="after") + 1
    return _page(request, found, limit=query.limit, offset=offset)


@router.get("/models/search", response=ModelPage, auth=None, summary="Search models")
def search_models(request: HttpRequest, q: str, page: Query[ReachedPage]) -> HttpResponse:
    """Best first: the id, another name, the beginning of one, whole words, parts of words."""
    if not q.strip():
        raise InvalidRequest("'q' is empty.", param="q", code="invalid_value")
    snapshot = reached(page.availability)
    found = queries.search(entries_of(snapshot), q, snapshot)
    return _page(request, found, limit=page.limit, offset=page.offset)


@router.get("/models/categories", response=CategoryList, auth=None, summary="List categories")
def list_categories(request: HttpRequest) -> HttpResponse:
    found = entries()
    data = [
        {
            "id": name,
            "description": description,
            "count": sum(name in entry.categories for entry in found),
        }
        for name, (description, _) in CATEGORIES.items()
    ]
    return answer(request, {"object": "list", "data": data})


@router.get(
    "/models/by-category/{category}",
    response=ModelPage,
    auth=None,
    summary="List the models of a category",
)
def list_category(request: HttpRequest, category: str, page: Query[ReachedPage]) -> HttpResponse:
    if category not in CATEGORIES:
        raise NotFound(f"There is no category '{category[:60]}'.", param="category")
    found = [entry for entry in entries(page.availability) if category in entry.categories]
    return _page(request, found, limit=page.limit, offset=page.offset)


@router.get("/models/compare", response=Comparison, auth=None, summary="Compare models")
def compare_models(request: HttpRequest, ids: str) -> HttpResponse:
    """Models, separated by commas, and all their hosts side by side."""
    names = [name for part in ids.split(",") if (name := part.strip())]
    if not 0 < len(names) <= MOST_COMPARED:
        raise InvalidRequest(
            f"'ids': name 1 to {MOST_COMPARED} models.", param="ids", code="invalid_value"
        )
    return _compare(request, names, param="ids")


@router.post("/models/batch-compare", response=Comparison, auth=None, summary="Compare models")
def batch_compare_models(request: HttpRequest, body: Compared) -> HttpResponse:
    """As GET /v1/models/compare, for more names than an address can hold."""
    return _compare(request, body.models, param="models")


@router.get(
    "/models/{path:model_id}/compare",
    response=Comparison,
    auth=None,
    summary="Compare the hosts of a model",
)
def compare_hosts(request: HttpRequest, model_id: str) -> HttpResponse:
    return _compare(request, [model_id], param="model")


@router.get(
    "/models/{path:model_id}",
    response=ModelCard | ModelPage | AnthropicModel | GoogleModel,
    auth=None,
    summary="Get a model, or all models of an author",
)
def read_model(request: HttpRequest, model_id: str, reach: Query[Reach]) -> HttpResponse:
    """One model by its id or another name of it; by an author's name, when no model has it, that author's models."""
    wire = dialects.wire_of(request.headers)
    model = find_model(model_id, reach.availability)
    if model is not None:
        return answer(request, SHOWN.get(wire, model_card)(model))
    found = [
        entry for entry in entries(reach.availability) if entry.author.lower() == model_id.lower()
    ]
    if not found or wire in SHOWN:
        raise no_model(model_id)
    return _page(request, found, limit=None, offset=0)


SHOWN = {
    Wire.ANTHROPIC_MESSAGES: dialects.anthropic_model,
    Wire.GEMINI: dialects.google_model,
}
"""How another company's client wants to see one model."""


def _compare(request: HttpRequest, names: Sequence[str], *, param: str) -> HttpResponse:
    found = {model.id: model for model in (get_model(name, param=param) for name in names)}
    return answer(request, compare(list(found.values())))


def _page(
    request: HttpRequest, found: Sequence[Entry], *, limit: int | None, offset: int
) -> HttpResponse:
    page, has_more = queries.page_of(found, limit=limit, offset=offset)
    cards = [entry.card for entry in page]
    body = {"object": "list", "data": cards, "total": len(found), "has_more": has_more}
    return answer(request, body)
