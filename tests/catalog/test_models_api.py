"""GET /v1/models and GET /v1/models/{id}."""

import json

import pytest

from apps.catalog import api
from apps.catalog.cards import exact_usd, per_token
from apps.catalog.models import Model, Offering
from apps.catalog.schemas import ModelCard, ModelList
from apps.common.errors import ModelNotFound

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("live")]


@pytest.mark.parametrize(
    ("nano_per_million", "expected"),
    [
        (0, "0"),
        (1, "0.000000000000001"),
        (150_000_000, "0.00000015"),
        (10**15, "1"),
        (25 * 10**14, "2.5"),
    ],
)
def test_per_token_is_an_exact_decimal_when_rendered(nano_per_million, expected):
    assert per_token(nano_per_million) == expected


def test_exact_usd_has_no_exponent_when_small():
    assert exact_usd(1, digits=9) == "0.000000001"


def test_list_shows_a_model_when_it_is_priced_and_routable(add_model, rf):
    add_model(
        "acme/Large",
        input_usd="0.15",
        output_usd="0.6",
        context_length=128_000,
        max_output_tokens=4096,
    )
    add_model("acme/Large", host="reseller", input_usd="9")

    response = api.list_models(rf.get("/v1/models"))
    found = json.loads(response.content)
    ModelList.model_validate(found)
    assert response["Content-Type"] == "application/json"
    (card,) = found["data"]
    assert isinstance(card.pop("created"), int)
    assert card == {
        "id": "acme/Large",
        "object": "model",
        "owned_by": "acme",
        "name": "acme/Large",
        "description": "",
        "context_length": 128_000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {
            "prompt": "0.00000015",
            "completion": "0.0000006",
            "input_cache_read": "0.00000015",
            "input_cache_write": "0.00000015",
            "request": "0",
        },
        "top_provider": {"context_length": 128_000, "max_completion_tokens": 4096},
        "supported_parameters": [],
        "providers": ["acme", "reseller"],
    }


def test_list_answers_304_when_the_client_has_it(add_model, rf):
    add_model("acme/Large")
    etag = api.list_models(rf.get("/v1/models"))["ETag"]

    response = api.list_models(rf.get("/v1/models", headers={"If-None-Match": etag}))
    assert response.status_code == 304
    assert response.content == b""
    other = api.list_models(rf.get("/v1/models", headers={"If-None-Match": '"other"'}))
    assert other.status_code == 200


def test_list_is_empty_when_there_are_no_models(rf):
    assert json.loads(api.list_models(rf.get("/v1/models")).content) == {
        "object": "list",
        "data": [],
    }


def test_unpriced_model_is_not_shown_when_listed_or_asked_for(add_model, rf):
    row = add_model("acme/Large").provider
    Model.objects.create(id="acme/unpriced", name="Unpriced")
    Offering.objects.create(model_id="acme/unpriced", provider=row, upstream_model="unpriced")

    shown = json.loads(api.list_models(rf.get("/v1/models")).content)["data"]
    assert [card["id"] for card in shown] == ["acme/Large"]
    with pytest.raises(ModelNotFound):
        api.get_model(rf.get("/v1/models/acme/unpriced"), "acme/unpriced")


def test_model_is_shown_by_any_of_its_names_when_asked_for(add_model, rf):
    add_model("acme/Large")

    for name in ("acme/Large", "ACME/large", "large"):
        card = api.get_model(rf.get("/v1/models/x"), name)
        assert ModelCard.model_validate(card).id == "acme/Large"


def test_model_not_found_names_it_when_unknown(rf):
    with pytest.raises(ModelNotFound) as raised:
        api.get_model(rf.get("/v1/models/acme/none"), "acme/none")

    assert "acme/none" in raised.value.message
    assert raised.value.status == 404


def test_routes_are_public_when_mounted():
    operations = [op for view in api.router.path_operations.values() for op in view.operations]

    assert set(api.router.path_operations) == {"/models", "/models/{path:model_id}"}
    assert all(operation.auth_param is None for operation in operations)
