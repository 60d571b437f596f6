"""GET /v1/providers, /v1/gateways and /v1/routers: who can be asked, told from the snapshot."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog import directory as directories
from apps.catalog.directory import Unroutable, directory
from apps.catalog.models import Provider
from apps.catalog.provider_schemas import (
    GatewayList,
    ProviderBody,
    ProviderList,
    RouterList,
    SummaryBody,
)
from apps.catalog.reach import describe_provider
from apps.catalog.services import refresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shown")]

DOCUMENTS = {
    "/v1/providers": ProviderList,
    "/v1/provider": ProviderList,
    "/v1/gateways": GatewayList,
    "/v1/gateways/summary": SummaryBody,
    "/v1/routers": RouterList,
}


@pytest.fixture
def shown(live, monkeypatch):
    """The directory of the test's own catalogue."""
    monkeypatch.setattr(directories, "catalog", live)
    monkeypatch.setattr(directories, "_latest", None)


@pytest.fixture
def hosts(add_model):
    """One that serves two models, one that is off, one without a key, one with nothing to offer."""
    add_model("acme/Large", input_usd="0.15", context_length=1000)
    add_model("acme/small", input_usd="0.05")
    add_model("acme/Large", host="reseller", input_usd="9")
    add_model("acme/Large", host="off")
    Provider.objects.filter(slug="off").update(enabled=False)
    add_model("acme/Large", host="keyless")
    Provider.objects.filter(slug="keyless").update(api_key_env="KEYLESS_SECRET_KEY")
    add_model("acme/gone", host="bare")
    bare = Provider.objects.get(slug="bare")
    bare.offerings.update(is_active=False)


def data_of(client, path):
    response = client.get(path)
    assert response.status_code == 200
    return response.json()["data"]


@pytest.mark.parametrize(("path", "shape"), DOCUMENTS.items(), ids=DOCUMENTS)
def test_document_is_of_its_schema_and_304_when_known(client, hosts, path, shape):
    response = client.get(path)

    shape.model_validate(response.json())
    again = client.get(path, headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", DOCUMENTS)
def test_no_query_is_made_when_the_catalogue_has_not_changed(client, hosts, path):
    client.get(path)
    with CaptureQueriesContext(connection) as made:
        client.get(path)

    assert not any("catalog_provider" in query["sql"] for query in made.captured_queries)


@pytest.mark.parametrize(("path", "shape"), DOCUMENTS.items(), ids=DOCUMENTS)
def test_document_is_empty_when_there_is_nothing(client, path, shape):
    found = client.get(path).json()

    shape.model_validate(found)
    if path == "/v1/gateways/summary":
        assert found["data"]["cheapest_prompt"] is None
        assert found["data"]["models_by_operation"] == {}
        assert found["data"]["providers"] == found["data"]["models"] == 0
    elif path == "/v1/routers":
        assert found["aliases"] == {}
        assert [router["models"] for router in found["auto_routers"]] == [0, 0]
    else:
        assert found["data"] == []


def test_providers_are_shown_with_what_they_offer_when_listed(client, hosts):
    found = {card["slug"]: card for card in data_of(client, "/v1/providers")}

    assert found["acme"] == {
        "name": "acme",
        "slug": "acme",
        "docs_url": None,
        "privacy_policy_url": None,
        "terms_of_service_url": None,
        "status_page_url": None,
        "status": "routable",
        "models": 2,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
    }
    assert {slug: card["status"] for slug, card in found.items()} == {
        "acme": "routable",
        "reseller": "routable",
        "off": "unavailable",
        "keyless": "unavailable",
        "bare": "unavailable",
    }
    assert data_of(client, "/v1/provider") == list(found.values())


def test_reason_is_of_the_closed_list_when_a_provider_cannot_be_asked(hosts):
    reasons = {slug: found.reason for slug, found in directory().providers.items()}

    assert reasons == {
        "acme": None,
        "reseller": None,
        "off": Unroutable.DISABLED,
        "keyless": Unroutable.NOT_CONFIGURED,
        "bare": Unroutable.NO_MODELS,
    }


def test_sandbox_is_off_when_the_setting_says_so(add_model, settings):
    settings.SANDBOX_ENABLED = False
    add_model("acme/Large")
    Provider.objects.filter(slug="acme").update(is_sandbox=True)

    assert directory().providers["acme"].reason is Unroutable.SANDBOX_OFF


@pytest.mark.parametrize("path", [*DOCUMENTS, "/v1/provider/keyless"])
def test_no_setting_is_named_when_a_provider_lacks_it(client, hosts, path):
    assert b"KEYLESS" not in client.get(path).content
    assert b"https://keyless.test" not in client.get(path).content


def test_one_provider_is_shown_when_asked_for(client, hosts):
    response = client.get("/v1/provider/acme")

    assert ProviderBody.model_validate(response.json()).data.models == 2
    assert client.get("/v1/provider/acme", headers={"If-None-Match": response["ETag"]}).status_code == 304  # fmt: skip
    missing = client.get("/v1/provider/nobody")
    assert missing.status_code == 404
    assert missing.json()["error"]["param"] == "slug"


def test_gateways_name_wires_and_operations_when_listed(client, hosts):
    card = next(found for found in data_of(client, "/v1/gateways") if found["id"] == "off")

    assert "openai_chat" in card["wires"]
    assert {"chat", "embeddings"} <= set(card["operations"])
    assert (card["enabled"], card["models"], card["priority"]) == (False, 0, 50)


def test_summary_counts_what_can_be_asked_for(client, hosts):
    assert data_of(client, "/v1/gateways/summary") == {
        "providers": 5,
        "routable": 2,
        "models": 2,
        "priced_offerings": 3,
        "models_by_operation": {"chat": 2, "completions": 2},
        "models_by_input_modality": {"text": 2},
        "models_by_output_modality": {"text": 2},
        "cheapest_prompt": {"model": "acme/small", "provider": "acme", "price": "0.00000005"},
        "dearest_prompt": {"model": "acme/Large", "provider": "reseller", "price": "0.000009"},
    }


def test_routers_tell_the_order_and_the_hosts_behind_a_name(client, hosts):
    found = client.get("/v1/routers").json()

    assert [policy["id"] for policy in found["data"]] == ["default"]
    assert found["aliases"]["large"] == {"model": "acme/Large", "providers": ["acme", "reseller"]}
    assert "acme/large" not in found["aliases"]
    general, code = found["auto_routers"]
    assert (general["id"], general["default_mode"]) == ("router:general", "balanced")
    assert general["aliases"] == ["auto", "gatewayz/auto", "openrouter/auto"]
    assert [mode["id"] for mode in code["modes"]] == [
        f"router:code:{name}" for name in ("auto", "price", "quality", "agentic")
    ]
    assert code["modes"][1]["weights"] == {"quality": 0, "price": 1, "speed": 0}


@pytest.mark.parametrize(
    ("slug", "changes", "expected"),
    [
        ("fireworks", {}, (False, True)),
        ("openai", {}, (False, False)),
        ("together", {}, (True, False)),
        # Nobody has read its policy: it may collect and keep.
        ("deepinfra", {}, (None, False)),
        ("groq", {}, (None, False)),
        # Staff know better, for example of an agreement.
        ("openai", {"keeps_nothing": True}, (False, True)),
        ("fireworks", {"collects_data": True, "keeps_nothing": False}, (True, False)),
        # The policy is the provider's, not that of a proxy in front of it.
        ("fireworks", {"base_url": "https://proxy.test/v1"}, (None, False)),
    ],
)
def test_data_policy_is_staffs_else_the_releases_when_a_provider_is_read(slug, changes, expected):
    row = Provider(slug=slug, wire="openai_chat", **changes)
    found = describe_provider(row)

    assert (found.collects_data, found.keeps_nothing) == expected


@pytest.mark.django_db
def test_policy_page_is_shown_when_the_release_goes_by_one(client, empty_catalogue):
    refresh.sync_registry()
    found = {card["slug"]: card["privacy_policy_url"] for card in data_of(client, "/v1/providers")}

    assert found["fireworks"].startswith("https://docs.fireworks.ai/")
    assert found["deepinfra"] is None


@pytest.mark.parametrize(
    "path", ["/v1/providers", "/v1/provider", "/v1/gateways", "/v1/gateways/status"]
)
def test_pages_are_the_list_in_parts(client, hosts, path):
    whole = data_of(client, path)

    assert len(whole) > 3
    assert data_of(client, f"{path}?limit=2") == whole[:2]
    assert data_of(client, f"{path}?limit=2&offset=2") == whole[2:4]
    assert data_of(client, f"{path}?offset=3") == whole[3:]
    assert data_of(client, f"{path}?limit=2&offset=10000") == []
    assert data_of(client, path) == whole
    for query, has_more in (("", False), ("?limit=2", True), (f"?offset={len(whole) - 1}", False)):
        page = client.get(f"{path}{query}").json()
        assert (page["total"], page["has_more"]) == (len(whole), has_more)


def test_pages_of_routers_are_of_the_orders_of_hosts(client, hosts):
    whole = client.get("/v1/routers").json()
    behind = client.get("/v1/routers?limit=5&offset=1").json()

    assert (whole["total"], whole["has_more"]) == (len(whole["data"]), False)
    assert behind == {**whole, "data": whole["data"][1:6]}


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "limits=2"])
def test_page_is_refused_by_the_name_of_its_parameter(client, hosts, query):
    response = client.get(f"/v1/gateways?{query}")

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["error"]["param"]
