"""GET /v1/models and GET /v1/models/{id}: cards, tags, names."""

import pytest

from apps.catalog.api import router
from apps.catalog.cards import canonical_slug, exact_usd, per_token
from apps.catalog.google_api import router as google_router
from apps.catalog.models import Model, Offering, PriceSource, Provider
from apps.catalog.schemas import ModelCard, ModelList
from apps.catalog.services.offers import Amounts, TierAmounts, post_price

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


@pytest.mark.parametrize(
    ("model_id", "slug"),
    [("acme/large", "acme/large"), ("acme/large:free", "acme/large"), ("a/b:8b", "a/b:8b")],
)
def test_canonical_slug_has_no_variant_when_the_id_has_one(model_id, slug):
    assert canonical_slug(model_id) == slug


def test_list_shows_a_model_when_it_is_priced_and_routable(add_model, client):
    add_model(
        "acme/Large",
        input_usd="0.15",
        output_usd="0.6",
        context_length=128_000,
        max_output_tokens=4096,
    )
    add_model("acme/Large", host="reseller", input_usd="9")

    response = client.get("/v1/models")
    found = response.json()
    ModelList.model_validate(found)
    assert response["Content-Type"] == "application/json"
    (card,) = found["data"]
    assert isinstance(card.pop("created"), int)
    assert [host["provider"] for host in card.pop("endpoints")] == ["acme", "reseller"]
    assert card == {
        "id": "acme/Large",
        "canonical_slug": "acme/Large",
        "object": "model",
        "owned_by": "acme",
        "name": "acme/Large",
        "description": "",
        "context_length": 128_000,
        "architecture": {
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "modality": "text->text",
            "tokenizer": None,
        },
        "pricing": {
            "prompt": "0.00000015",
            "completion": "0.0000006",
            "request": "0",
            "image": "0",
            "audio": "0",
            "input_cache_read": "0.00000015",
            "input_cache_write": "0.00000015",
            "internal_reasoning": "0.0000006",
            "input_cache_write_1h": "0.00000015",
        },
        "top_provider": {
            "context_length": 128_000,
            "max_completion_tokens": 4096,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": [],
        "providers": ["acme", "reseller"],
    }


def test_card_shows_the_price_of_a_piece_when_the_model_is_sold_by_it(add_shaped, client):
    add_shaped("acme/painter", makes=["image"], images=40_000_000)
    add_shaped("acme/voice", makes=["speech"], characters=15_000_000_000)
    add_shaped("acme/ear", makes=["transcription"], seconds=100_000)
    add_shaped("acme/order", makes=["rerank"], searches=2_000_000)

    prices = {card["id"]: card["pricing"] for card in client.get("/v1/models").json()["data"]}
    assert prices["acme/painter"]["image"] == "0.04"
    assert prices["acme/voice"]["character"] == "0.000015"
    assert prices["acme/ear"]["second"] == "0.0001"
    assert prices["acme/order"]["search"] == "0.002"
    assert "second" not in prices["acme/painter"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models?limit=1",
        "/v1/models/acme/Large",
        "/v1/models/acme",
        "/v1/models/search?q=large",
        "/v1/models/categories",
        "/v1/models/by-category/text",
        "/v1/models/compare?ids=large",
        "/v1/models/acme/Large/compare",
        "/v1beta/models",
        "/v1beta/models/acme/Large",
    ],
)
def test_answers_304_without_a_query_when_the_client_has_it(
    add_model, client, path, django_assert_num_queries
):
    add_model("acme/Large")
    first = client.get(path)

    with django_assert_num_queries(0):
        again = client.get(path, headers={"If-None-Match": first["ETag"]})
        other = client.get(path, headers={"If-None-Match": '"other"'})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert (other.status_code, other.content) == (200, first.content)


def test_list_is_empty_when_there_are_no_models(client):
    assert client.get("/v1/models").json() == {"object": "list", "data": []}


def test_unpriced_model_is_not_shown_when_listed_or_asked_for(add_model, client):
    row = add_model("acme/Large").provider
    Model.objects.create(id="acme/unpriced", name="Unpriced")
    Offering.objects.create(model_id="acme/unpriced", provider=row, upstream_model="unpriced")

    shown = client.get("/v1/models").json()["data"]
    assert [card["id"] for card in shown] == ["acme/Large"]
    assert client.get("/v1/models/acme/unpriced").status_code == 404


def test_model_is_shown_by_any_of_its_names_when_asked_for(add_model, client):
    add_model("acme/Large")

    for name in ("acme/Large", "ACME/large", "large"):
        card = client.get(f"/v1/models/{name}").json()
        assert ModelCard.model_validate(card).id == "acme/Large"


def test_models_of_an_author_are_listed_when_no_model_has_the_name(add_model, client):
    for model in ("acme/large", "acme/small", "other/large"):
        add_model(model)

    found = client.get("/v1/models/ACME").json()

    assert [card["id"] for card in found["data"]] == ["acme/large", "acme/small"]
    assert (found["total"], found["has_more"]) == (2, False)


@pytest.mark.parametrize(
    "path", ["/v1/models/acme/none", "/v1/models/none", "/v1/models/acme/none/compare"]
)
def test_model_not_found_names_it_when_unknown(client, path):
    response = client.get(path)

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        404,
        "model_not_found",
        "model",
    )
    assert "none" in error["message"]


def test_not_found_is_told_in_the_dialect_of_the_client_when_unknown(client):
    theirs = client.get("/v1/models/acme/none", headers={"anthropic-version": "2023-06-01"})
    assert (theirs.status_code, theirs.json()["type"]) == (404, "error")
    assert theirs.json()["error"]["type"] == "not_found_error"
    googles = client.get("/v1beta/models/acme/none")
    assert (googles.status_code, googles.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_routes_are_public_when_mounted():
    operations = [
        op
        for mounted in (router, google_router)
        for view in mounted.path_operations.values()
        for op in view.operations
    ]

    assert len(operations) == 10
    assert all(operation.auth_param is None for operation in operations)


def test_endpoints_name_the_parameters_of_their_host(client, add_model):
    add_model("acme/large", host="acme")
    add_model("acme/large", host="bolt")
    Model.objects.update(supported_parameters=["seed", "tools"])
    Offering.objects.filter(provider="bolt").update(
        supported_parameters=["seed"], told_by={"supported_parameters": "provider"}
    )

    card = client.get("/v1/models/acme/large").json()

    told = {one["provider"]: one["supported_parameters"] for one in card["endpoints"]}
    assert told == {"acme": ["seed", "tools"], "bolt": ["seed"]}
    assert card["supported_parameters"] == ["seed", "tools"]


def test_card_tells_what_each_host_takes_when_there_are_several(client, live, add_model):
    add_model("acme/large", host="acme", input_usd="1")
    add_model("acme/large", host="bolt", input_usd="3")

    card = client.get("/v1/models/acme/large").json()

    assert [host["provider"] for host in card["endpoints"]] == card["providers"] == ["acme", "bolt"]
    assert [host["pricing"]["prompt"] for host in card["endpoints"]] == ["0.000001", "0.000003"]
    assert set(card["endpoints"][0]) == {
        "provider", "upstream_model", "pricing", "context_length", "max_completion_tokens", "quantization",
        "supported_parameters",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path", ["acme/large", "acme/large/endpoints", "acme", "search?q=large", "unique"]
)
def test_what_has_no_key_is_shown_when_everything_is_asked_for(client, live, add_model, path):
    add_model("acme/large")
    Provider.objects.update(api_key_env="NO_SUCH_KEY")
    joint = "&" if "?" in path else "?"

    now = client.get(f"/v1/models/{path}")
    everything = client.get(f"/v1/models/{path}{joint}availability=all")

    assert b'"acme/large"' not in now.content
    assert everything.status_code == 200
    assert b'"acme/large"' in everything.content


def test_tiers_are_shown_where_long_inputs_cost_something_else(add_model, client, live):
    offering = add_model("acme/large")
    add_model("acme/small")
    tier = TierAmounts.of(above=200_000, input=2_000_000_000, output=3_000_000_000)
    amounts = Amounts.of(input=10**9, output=2 * 10**9).with_tiers([tier])
    post_price(offering, amounts, source=PriceSource.STAFF)
    live.check()

    found = client.get("/v1/models").json()
    ModelList.model_validate(found)
    cards = {card["id"]: card for card in found["data"]}
    (shown,) = cards["acme/large"]["pricing_tiers"]
    assert shown["above_input_tokens"] == 200_000
    assert (shown["pricing"]["prompt"], shown["pricing"]["completion"]) == ("0.000002", "0.000003")
    assert cards["acme/large"]["endpoints"][0]["pricing_tiers"] == [shown]
    assert "pricing_tiers" not in cards["acme/small"]
