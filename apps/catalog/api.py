"""GET /v1/models: what can be asked for, and what it costs. Public."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from ninja import Router

from apps.catalog.cards import model_card
from apps.catalog.schemas import ModelCard, ModelList
from apps.catalog.selectors import catalog
from apps.common import errors

router = Router(tags=["Models"])


@router.get("/models", response=ModelList, auth=None, summary="List models")
def list_models(request: HttpRequest) -> HttpResponse:
    """Every model that can be served now, as bytes prepared with the snapshot; 304 when the client has them."""
    listing = catalog.get().listing
    response = HttpResponse(
        listing.body, content_type="application/json", headers={"ETag": listing.etag}
    )
    conditional = get_conditional_response(request, etag=listing.etag, response=response)
    assert isinstance(conditional, HttpResponse)
    return conditional


@router.get("/models/{path:model_id}", response=ModelCard, auth=None, summary="Get a model")
def get_model(request: HttpRequest, model_id: str) -> dict[str, Any]:
    """One model by its id or another name of it."""
    model = catalog.get().resolve(model_id)
    if model is None or not model.offerings:
        raise errors.ModelNotFound(f"The model '{model_id}' does not exist.", param="model")
    return model_card(model)
