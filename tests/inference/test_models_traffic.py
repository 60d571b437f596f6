"""The models routes that tell how models have done: what is counted, what is not, and how often it is read."""

import datetime

import pytest

from apps.accounts.models import Organization
from apps.catalog import api, entries
from apps.catalog import directory as directories
from apps.catalog.models import ModelAlias
from apps.catalog.selectors import load_catalog, read_epoch
from apps.catalog.services import offers, providers
from apps.common import cache, clock
from apps.common.ids import new_id
from apps.common.money import usd_to_nano
from apps.inference import statistics
from apps.inference.models import RequestRecord
from apps.inference.recorder import lost_row
from apps.inference.schemas import EndpointsBody, OfferingList, TrafficList, UniqueList

pytestmark = pytest.mark.django_db

HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _own_snapshots(db, monkeypatch):
    """Models of these tests' own, in a snapshot that no watcher knows, and no traffic but theirs."""
    snapshot = cache.Snapshot("catalog of a test", load=load_catalog, epoch=read_epoch)
    cache._snapshots.remove(snapshot)  # type: ignore[arg-type]
    for module in (api, entries, directories):
        monkeypatch.setattr(module, "catalog", snapshot)
    monkeypatch.setattr(directories, "_latest", None)
    RequestRecord.objects.all().delete()
    statistics.reset()
    yield
    statistics.reset()


def add(model, host, *, input_usd="1", **options):
    price = usd_to_nano(input_usd)
    return providers.add_provider(
        host,
        model=model,
        amounts=offers.Amounts.of(input=price, output=price),
        base_url=f"https://{host}.test/v1",
        wire="openai_chat",
        upstream_model="upstream",
        **options,
    )


@pytest.fixture
def hosts(db):
    """quick/model at two hosts, slow/model at one, toy/model at a sandbox."""
    add("quick/model", "first-host", input_usd="2")
    add("quick/model", "second-host", input_usd="1", priority=9)
    add("slow/model", "first-host")
    add("toy/model", "toy-host", is_sandbox=True)


def record(model="quick/model", provider="first-host", *, ago=HOUR, who=None, **fields):
    """One request, completed unless told otherwise."""
    who = who or Organization.objects.create(name=new_id("test"))
    row = lost_row(
        organization_id=who.pk,
        api_key_id=None,
        model=model,
        created_at=clock.now() - ago,
        latency_ms=1000,
    )
    told = {
        "model": model,
        "provider": provider,
        "outcome": "completed",
        "streamed": True,
        "first_token_ms": 100,
        "input_tokens": 10,
        "output_tokens": 20,
        "attempts": [attempt(provider)],
        "status": 200,
        "price_id": 1,
    }
    RequestRecord.objects.create(id=new_id("gen"), charged=0, **row | told | fields)
    statistics.reset()


def attempt(provider, fault=""):
    return {"provider": provider, "model": "upstream", "fault": fault, "status": None, "ms": 5}


def listed(client, path):
    response = client.get(path)
    assert response.status_code == 200, response.content
    TrafficList.model_validate(response.json())
    return response.json()["data"]


@pytest.mark.parametrize("path", ["trending", "low-latency"])
@pytest.mark.usefixtures("hosts")
def test_nothing_is_listed_when_nothing_was_asked(client, path):
    assert listed(client, f"/v1/models/{path}") == []
    assert listed(client, f"/v1/models/{path}?window=7d") == []


@pytest.mark.usefixtures("hosts")
def test_trending_counts_requests_tokens_and_organisations(client):
    who = Organization.objects.create(name="busy")
    record(who=who, latency_ms=1000, first_token_ms=100)
    record(who=who, latency_ms=2000, first_token_ms=300, provider="second-host")
    record(latency_ms=4000, first_token_ms=None, streamed=False)
    record("slow/model")

    first, second = listed(client, "/v1/models/trending")
    assert first == {
        "id": "quick/model",
        "name": "quick/model",
        "requests": 3,
        "tokens": 90,
        "organizations": 2,
        "first_token_ms": {"p50": 100, "p95": 300},
        "latency_ms": {"p50": 2000, "p95": 4000},
        "tokens_per_second": {"p50": 10, "p95": 20},
    }
    assert (second["id"], second["requests"]) == ("slow/model", 1)
    assert len(listed(client, "/v1/models/trending?limit=1")) == 1
    assert [one["id"] for one in listed(client, "/v1/models/trending?limit=1&offset=1")] == [
        "slow/model"
    ]
    for path in ("trending", "low-latency"):
        page = client.get(f"/v1/models/{path}?limit=1").json()
        assert (page["total"], page["has_more"]) == (2, True)
        page = client.get(f"/v1/models/{path}?limit=1&offset=1").json()
        assert (len(page["data"]), page["total"], page["has_more"]) == (1, 2, False)


@pytest.mark.usefixtures("hosts")
def test_low_latency_puts_the_soonest_first(client):
    record("slow/model", first_token_ms=900)
    record("quick/model", first_token_ms=90)
    add("late/model", "first-host")
    record("late/model", streamed=False, first_token_ms=50, latency_ms=60)

    found = listed(client, "/v1/models/low-latency")
    assert [model["id"] for model in found] == ["quick/model", "slow/model", "late/model"]
    assert found[2]["first_token_ms"] is None


@pytest.mark.usefixtures("hosts")
def test_percentiles_are_those_of_the_nearest_rank(client):
    for number in range(1, 101):
        record("slow/model", first_token_ms=number, latency_ms=1000 * number)

    (found,) = listed(client, "/v1/models/trending")
    assert found["first_token_ms"] == {"p50": 50, "p95": 95}
    assert found["latency_ms"] == {"p50": 50_000, "p95": 95_000}


@pytest.mark.usefixtures("hosts")
def test_what_is_no_traffic_is_not_counted(client):
    record("toy/model", "toy-host")
    record(price_id=None)  # a test key's
    record(outcome="failed")
    record(outcome="lost")
    record("gone/model")
    record(ago=25 * HOUR)
    assert listed(client, "/v1/models/trending") == []

    record()
    (found,) = listed(client, "/v1/models/trending")
    assert (found["id"], found["requests"]) == ("quick/model", 1)
    (week,) = listed(client, "/v1/models/trending?window=7d")
    assert week["requests"] == 2


@pytest.mark.parametrize("path", ["trending", "low-latency"])
@pytest.mark.parametrize(
    "query", ["window=1y", "limit=0", "limit=101"], ids=["window", "limit", "most"]
)
def test_parameter_is_named_when_it_is_refused(client, path, query):
    response = client.get(f"/v1/models/{path}?{query}")

    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, query.partition("=")[0])


@pytest.mark.usefixtures("hosts")
def test_records_are_read_once_a_minute(
    client, django_assert_num_queries, django_assert_max_num_queries, monkeypatch
):
    record()
    paths = (
        "/v1/models/trending", "/v1/models/trending?window=7d", "/v1/models/low-latency", "/v1/models/unique",
        "/v1/models/quick/model/endpoints",
    )  # fmt: skip
    entries.entries()
    directories.directory()
    with django_assert_num_queries(
        6
    ):  # the day, the week by model; half an hour, the day by host; their calls
        for path in paths:
            assert client.get(path).status_code == 200

    with django_assert_num_queries(0):
        for path in paths:
            response = client.get(path)
            tagged = client.get(path, headers={"if-none-match": response["ETag"]})
            assert (response.status_code, tagged.status_code) == (200, 304)
    later = clock.monotonic() + 2 * statistics.KEEP_SECONDS
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    with django_assert_max_num_queries(8):
        for path in paths:
            client.get(path)


def endpoints_of(client, model):
    response = client.get(f"/v1/models/{model}/endpoints")
    assert response.status_code == 200, response.content
    EndpointsBody.model_validate(response.json())
    return response.json()["data"]


@pytest.mark.usefixtures("hosts")
def test_endpoints_show_every_host_when_nobody_asked_them(client):
    ModelAlias.objects.create(alias="swift", model_id="quick/model")

    data = endpoints_of(client, "swift")
    assert (data["id"], data["architecture"]["modality"]) == ("quick/model", "text->text")
    first, second = data["endpoints"]
    assert (first["provider"], first["tag"], first["status"]) == ("first-host", "first-host", 0)
    assert (first["upstream_model"], first["pricing"]["prompt"]) == ("upstream", "0.000002")
    assert second["provider"] == "second-host"
    observed = ("uptime_last_30m", "uptime_last_1d", "latency_last_30m", "throughput_last_1d")
    assert [first[name] for name in observed] == [None] * 4


@pytest.mark.usefixtures("hosts")
def test_endpoints_come_in_pages(client):
    path = "/v1/models/quick/model/endpoints"
    whole, page = client.get(path).json(), client.get(f"{path}?limit=1&offset=1").json()

    assert (whole["total"], whole["has_more"]) == (2, False)
    assert page["data"]["endpoints"] == whole["data"]["endpoints"][1:]
    assert (page["total"], page["has_more"]) == (2, False)
    assert client.get(f"{path}?limit=1").json()["has_more"] is True


@pytest.mark.usefixtures("hosts")
def test_endpoints_tell_how_a_host_has_done(client):
    recently = datetime.timedelta(minutes=5)
    record(ago=recently, first_token_ms=70, latency_ms=500)
    record(
        provider="second-host",
        ago=recently,
        attempts=[attempt("first-host", "status"), attempt("second-host")],
    )
    record(outcome="failed", ago=recently, attempts=[attempt("first-host", "rejected")])
    for _ in range(2):
        record(ago=2 * HOUR, first_token_ms=90)

    first, second = endpoints_of(client, "quick/model")["endpoints"]
    assert (first["uptime_last_30m"], first["uptime_last_1d"]) == (50, 75)
    assert first["latency_last_30m"] == {"p50": 70, "p75": 70, "p90": 70, "p99": 70}
    assert first["latency_last_1d"]["p50"] == 90
    assert first["throughput_last_30m"]["p50"] == 40
    assert second["uptime_last_30m"] == 100


@pytest.mark.usefixtures("hosts")
def test_endpoints_tell_nothing_of_a_sandbox(client):
    record("toy/model", "toy-host")

    (host,) = endpoints_of(client, "toy/model")["endpoints"]
    observed = ("uptime_last_1d", "latency_last_1d", "throughput_last_1d")
    assert [host[name] for name in observed] == [None] * 3
    (toy,) = [m for m in client.get("/v1/models/unique").json()["data"] if m["id"] == "toy/model"]
    assert toy["fastest"] is None


def test_endpoints_are_not_found_when_the_model_is_unknown(client):
    response = client.get("/v1/models/acme/none/endpoints")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.usefixtures("hosts")
def test_unique_names_the_cheapest_and_the_fastest_host(client):
    record(first_token_ms=50)
    record(provider="second-host", first_token_ms=80)

    body = client.get("/v1/models/unique").json()
    UniqueList.model_validate(body)
    found = {model["id"]: model for model in body["data"]}
    quick = found["quick/model"]
    assert quick["provider_count"] == 2
    assert quick["cheapest"]["provider"] == "second-host"
    assert (quick["fastest"]["provider"], quick["fastest"]["requests"]) == ("first-host", 1)
    assert found["slow/model"]["fastest"] is None
    walked = [
        client.get(f"/v1/models/unique?limit=1&offset={place}").json()["data"][0]["id"]
        for place in range(body["total"])
    ]
    assert walked == [model["id"] for model in body["data"]]


@pytest.mark.usefixtures("hosts")
def test_offerings_lists_a_model_at_each_of_its_providers(client):
    body = client.get("/v1/models/offerings").json()

    OfferingList.model_validate(body)
    hosts = [found["provider"] for found in body["data"] if found["model_id"] == "quick/model"]
    assert sorted(hosts) == ["first-host", "second-host"]
    walked = [
        client.get(f"/v1/models/offerings?limit=1&offset={place}").json()["data"][0]
        for place in range(body["total"])
    ]
    assert walked == body["data"]
    only = client.get("/v1/models/offerings?provider=second-host").json()
    assert {found["provider"] for found in only["data"]} == {"second-host"}
    assert only["total"] == sum(f["provider"] == "second-host" for f in body["data"])
    unknown = client.get("/v1/models/offerings?provider=nobody")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "provider")


def test_unique_lists_a_model_once_when_it_is_also_offered_for_free(client):
    offering = add("quick/model", "first-host")
    add("quick/model", "second-host")
    type(offering).objects.filter(provider_id="second-host").update(variant="free")

    (model,) = [
        found
        for found in client.get("/v1/models/unique").json()["data"]
        if found["id"] == "quick/model"
    ]
    assert model["variants"] == ["quick/model", "quick/model:free"]
    assert model["providers"] == ["first-host", "second-host"]


@pytest.mark.parametrize("name", ["trending", "low-latency", "unique"])
def test_fixed_name_wins_when_a_model_has_it_too(client, name):
    add(name, "first-host")

    assert client.get(f"/v1/models/{name}").json()["object"] == "list"
