"""GET /v1beta/models: the models as Google's clients list them. Public."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from apps.catalog import dialects
from apps.catalog.answers import answer
from apps.catalog.entries import get_model
from apps.catalog.schemas import GoogleList, GoogleModel, GooglePage

router = Router(tags=["Models"])


@router.get("/models", response=GoogleList, auth=None, summary="List models in Google's format")
def list_models(request: HttpRequest, page: Query[GooglePage]) -> HttpResponse:
    return answer(request, dialects.google_list(size=page.pageSize, token=page.pageToken))


@router.get(
    "/models/{path:model_id}",
    response=GoogleModel,
    auth=None,
    summary="Get a model in Google's format",
)
def read_model(request: HttpRequest, model_id: str) -> HttpResponse:
    return answer(request, dialects.google_model(get_model(model_id)))
