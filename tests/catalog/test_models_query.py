"""GET /v1/models with a query, and the routes beside it: filters, orders, pages, searches, categories, comparisons."""

import json

import pytest

from apps.catalog.models import Model, ModelAlias
from apps.catalog.schemas import CategoryList, Comparison, ModelPage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("live")]


@pytest.fixture
def shelf(add_shaped):
    """Five models that every filter tells apart."""
    add_shaped("acme/eye", takes=["text", "image"], input=3_000_000_000, context_length=8_000)
    add_shaped("acme/large", parameters=["tools", "seed"], input=5_000_000_000, name="Zeta")
    add_shaped("acme/vector", makes=["embeddings"], input=20_000_000, context_length=512)
    add_shaped("zeno/coder-1", host="zeno", parameters=["tools"], context_length=1_000_000)
    add_shaped("zeno/gift", host="zeno", parameters=["reasoning"], input=0, output=0)
    for name, day in (("acme/vector", "2025-01-31"), ("zeno/gift", "2026-02-01")):
        Model.objects.filter(id=name).update(released_on=day)


def ids(response):
    assert response.status_code == 200, response.content
    ModelPage.model_validate(response.json())
    return [card["id"].partition("/")[2] for card in response.json()["data"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("provider=zeno", ["coder-1", "gift"]),
        ("owned_by=acme", ["eye", "large", "vector"]),
        ("author=Zeno", ["coder-1", "gift"]),
        ("author=nobody", []),
        ("q=ZETA", ["large"]),
        ("q=zeno coder", ["coder-1"]),
        ("category=code", ["coder-1"]),
        ("input_modalities=text,image", ["eye"]),
        ("output_modalities=embeddings", ["vector"]),
        ("input_modalities=audio", []),
        ("supported_parameters=tools", ["large", "coder-1"]),
        ("supported_parameters=tools, seed", ["large"]),
        ("supported_parameters=unheard", []),
        ("min_context=8000", ["eye", "coder-1"]),
        ("max_price=0.02", ["vector", "gift"]),
        ("free=true", ["gift"]),
        ("free=false&author=zeno", ["coder-1"]),
        ("sort=name", ["eye", "vector", "coder-1", "gift", "large"]),
        ("sort=created", ["gift", "vector", "eye", "large", "coder-1"]),
        ("sort=price", ["gift", "vector", "coder-1", "eye", "large"]),
        ("sort=-price", ["large", "eye", "coder-1", "vector", "gift"]),
        ("sort=context", ["coder-1", "eye", "vector", "large", "gift"]),
        ("author=acme&category=text&sort=-price&limit=1", ["large"]),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_models_are_chosen_when_filtered(client, query, expected):
    assert ids(client.get(f"/v1/models?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("colour=red", "colour"),
        ("after_id=acme/eye", "after_id"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("after=acme/none", "after"),
        ("provider=nobody", "provider"),
        ("category=cooking", "category"),
        ("input_modalities=text,smell", "input_modalities"),
        ("output_modalities=smell", "output_modalities"),
        ("min_context=-1", "min_context"),
        ("max_price=cheap", "max_price"),
        ("max_price=-1", "max_price"),
        ("max_price=NaN", "max_price"),
        ("free=perhaps", "free"),
        ("sort=colour", "sort"),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_parameter_is_named_when_it_is_refused(client, query, param):
    response = client.get(f"/v1/models?{query}")

    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, "invalid_value")


@pytest.mark.parametrize("size", [1, 2, 5, 9])
@pytest.mark.parametrize("by", ["offset", "after"])
@pytest.mark.parametrize("query", ["sort=-price", "sort=", "free=false"])
@pytest.mark.usefixtures("shelf")
def test_pages_hold_every_model_once_when_walked(client, size, by, query):
    whole = [card["id"] for card in client.get(f"/v1/models?{query}").json()["data"]]
    seen: list[str] = []
    place = ""
    for _ in range(10):
        page = client.get(f"/v1/models?{query}&limit={size}{place}").json()
        seen += [card["id"] for card in page["data"]]
        assert page["total"] == len(whole)
        if not page["has_more"]:
            break
        place = f"&offset={len(seen)}" if by == "offset" else f"&after={seen[-1]}"
    assert seen == whole


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("acme/large", ["acme/large", "acme/large-2", "zeno/xx-acme/large"]),
        ("flagship", ["acme/small", "zeno/flagship-2"]),
        ("lar", ["acme/large", "acme/large-2", "zeno/xx-acme/large"]),
        ("small", ["acme/small", "zeno/smaller", "zeno/a-small", "zeno/dismally-small"]),
        ("mall", ["acme/small", "zeno/a-small", "zeno/smaller", "zeno/dismally-small"]),
        ("nothing", []),
    ],
)
def test_search_puts_the_best_first_when_several_match(add_model, client, q, expected):
    for model in (
        "acme/large", "acme/large-2", "acme/small", "zeno/smaller", "zeno/a-small", "zeno/dismally-small",
        "zeno/xx-acme/large", "zeno/flagship-2",
    ):  # fmt: skip
        add_model(model)
    ModelAlias.objects.create(alias="flagship", model_id="acme/small")

    found = client.get("/v1/models/search", {"q": q})
    assert [card["id"] for card in found.json()["data"]] == expected
    page = client.get("/v1/models/search", {"q": q, "limit": 1, "offset": 1}).json()
    assert [card["id"] for card in page["data"]] == expected[1:2]
    assert page["total"] == len(expected)


@pytest.mark.parametrize("q", ["llama 3.3", "llama-3.3", "Llama 3.3 70B"])
def test_search_puts_the_vendors_own_model_before_what_others_made_of_it(add_model, client, q):
    for model in (
        "zeno/llama-3.3-70b", "a/l-llama-3.3-70b", "b/llama-3.3-70b-x", "meta-llama/llama-3.3-70b-instruct",
        "nousresearch/hermes-llama-3.3-70b",
    ):  # fmt: skip
        add_model(model)

    found = client.get("/v1/models/search", {"q": q}).json()["data"]

    assert found[0]["id"] == "meta-llama/llama-3.3-70b-instruct"
    assert len(found) == 5


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20", "?q=x&limit=0"])
def test_search_is_refused_when_it_asks_for_nothing(client, query):
    response = client.get(f"/v1/models/search{query}")

    assert response.status_code == 400
    assert response.json()["error"]["param"] == ("limit" if "limit" in query else "q")


def test_category_holds_the_models_that_can_do_it_when_listed(add_shaped, shelf, client):
    add_shaped("acme/painter", makes=["image"])
    add_shaped("acme/ear", takes=["audio"], makes=["transcription"])
    add_shaped("acme/voice", makes=["speech"])
    add_shaped("acme/order", makes=["rerank"])
    add_shaped("acme/judge", makes=["moderation"])
    expected = {
        "text": ["eye", "large", "coder-1", "gift"],
        "vision": ["eye"],
        "audio": ["ear", "voice"],
        "image": ["painter"],
        "embeddings": ["vector"],
        "rerank": ["order"],
        "moderation": ["judge"],
        "speech": ["voice"],
        "transcription": ["ear"],
        "reasoning": ["gift"],
        "tools": ["large", "coder-1"],
        "code": ["coder-1"],
        "free": ["gift"],
        "long-context": ["coder-1"],
    }

    found = {name: ids(client.get(f"/v1/models/by-category/{name}")) for name in expected}
    assert found == expected
    listed = client.get("/v1/models/categories").json()
    CategoryList.model_validate(listed)
    counts = {entry["id"]: entry["count"] for entry in listed["data"]}
    assert counts == {name: len(models) for name, models in expected.items()}
    assert ids(client.get("/v1/models/by-category/text?limit=2&offset=1")) == ["large", "coder-1"]


def test_category_is_not_found_when_there_is_none(client):
    response = client.get("/v1/models/by-category/cooking")

    assert (response.status_code, response.json()["error"]["param"]) == (404, "category")


@pytest.mark.parametrize("way", ["ids", "batch"])
def test_comparison_marks_the_cheapest_when_hosts_differ(add_model, client, way):
    add_model("acme/large", input_usd="2", output_usd="8")
    add_model("acme/large", host="reseller", input_usd="3", output_usd="7")
    add_model("acme/small", input_usd="2", output_usd="9")

    if way == "ids":
        response = client.get("/v1/models/compare?ids=acme/large,small,large")
    else:
        response = client.post(
            "/v1/models/batch-compare",
            {"models": ["acme/large", "small"]},
            content_type="application/json",
        )
    Comparison.model_validate(response.json())
    cheapest = {
        (model["id"], host["provider"]): {"prompt", "completion", "image"} & set(host["cheapest"])
        for model in response.json()["data"]
        for host in model["endpoints"]
    }
    assert cheapest == {
        ("acme/large", "acme"): {"prompt"},
        ("acme/large", "reseller"): {"completion"},
        ("acme/small", "acme"): {"prompt"},
    }


@pytest.mark.usefixtures("shelf")
def test_comparison_names_who_takes_a_parameter_when_models_differ(client):
    found = client.get("/v1/models/compare?ids=acme/large,zeno/coder-1").json()

    assert found["parameters"] == {"seed": ["acme/large"], "tools": ["acme/large", "zeno/coder-1"]}


def test_hosts_are_compared_when_one_model_is_named(add_model, client):
    add_model("acme/large", input_usd="2")
    add_model("acme/large", host="reseller", input_usd="1")

    (model,) = client.get("/v1/models/acme/large/compare").json()["data"]
    marked = {host["provider"]: "prompt" in host["cheapest"] for host in model["endpoints"]}
    assert marked == {"acme": False, "reseller": True}


def test_comparison_is_refused_when_it_names_nothing_or_nobody(add_model, client):
    add_model("acme/large")

    def status_of(response):
        return response.status_code, response.json()["error"]["param"]

    assert status_of(client.get("/v1/models/compare")) == (400, "ids")
    assert status_of(client.get("/v1/models/compare?ids=,")) == (400, "ids")
    assert status_of(client.get("/v1/models/compare?ids=" + "a," * 101)) == (400, "ids")
    assert status_of(client.get("/v1/models/compare?ids=acme/large,none")) == (404, "ids")
    bodies: list[dict[str, object]] = [{}, {"models": []}, {"models": ["a"] * 101}, {"models": 1}]
    for body in bodies:
        response = client.post("/v1/models/batch-compare", json.dumps(body), "application/json")
        assert response.status_code == 400
        assert "models" in response.json()["error"]["param"]
    misspelt = {"models": ["acme/large"], "provider": "acme"}
    response = client.post("/v1/models/batch-compare", json.dumps(misspelt), "application/json")
    assert response.status_code == 400
    assert "provider" in response.json()["error"]["param"]
    assert client.get("/v1/models/batch-compare").status_code == 405


@pytest.mark.parametrize("name", ["search", "categories", "compare"])
def test_fixed_name_wins_when_a_model_has_it_too(add_model, client, name):
    add_model(name)

    response = client.get(f"/v1/models/{name}")
    assert response.status_code == (200 if name == "categories" else 400)
    assert "pricing" not in response.json()


def test_no_query_is_made_when_the_snapshot_is_warm(shelf, client, django_assert_num_queries):
    client.get("/v1/models")

    with django_assert_num_queries(0):
        for path in (
            "/v1/models", "/v1/models?sort=price&limit=2", "/v1/models/acme/eye", "/v1/models/acme",
            "/v1/models/search?q=large", "/v1/models/by-category/text", "/v1/models/categories",
            "/v1/models/compare?ids=acme/eye,large", "/v1/models/large/compare", "/v1beta/models",
        ):  # fmt: skip
            assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "models/search?q=large&",
        "models/categories?",
        "models/by-category/text?",
        "models/compare?ids=acme/large&",
        "models/acme/large/compare?",
        "models/acme/large/endpoints?",
        "models/acme/large?",
        "models/trending?",
        "models/low-latency?",
        "models/offerings?",
        "models/unique?",
        "providers?",
        "provider/acme?",
        "gateways?",
        "gateways/summary?",
        "gateways/status?",
        "routers?",
        "ranking/models?",
    ],
)
def test_route_refuses_a_parameter_that_it_does_not_know(client, live, add_model, path):
    add_model("acme/large")
    response = client.get(f"/v1/{path}limt=3")

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "limt"
