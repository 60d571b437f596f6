"""Statistics of providers and models: what the routes say is what records made by hand add up to."""

import datetime
import itertools
import math
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Organization
from apps.catalog import directory as directories
from apps.catalog.models import Feed, Model, Offering, Provider
from apps.catalog.selectors import load_catalog, read_epoch
from apps.common import cache, clock
from apps.inference import statistics
from apps.inference.models import RequestRecord
from apps.inference.statistics import KEEP_SECONDS, WINDOWS
from apps.inference.statistics_schemas import GatewayStatusList, ProviderStatsBody, Ranking

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty")]

_numbers = itertools.count(1)
MINUTE = datetime.timedelta(minutes=1)
EMPTY_WINDOW = {
    "requests": 0,
    "success_rate": None,
    "error_rate": None,
    "first_token_ms": {"p50": None, "p95": None},
    "latency_ms": {"p50": None, "p95": None},
    "tokens": {"input": 0, "output": 0},
}


@pytest.fixture
def empty(db, monkeypatch):
    """No records, and two providers, one of them a sandbox, that the directory knows."""
    RequestRecord.objects.all().delete()
    Feed.objects.all().delete()
    Offering.objects.update(is_active=False)
    Model.objects.get_or_create(id="acme/large", defaults={"name": "Large"})
    Model.objects.get_or_create(id="acme/small", defaults={"name": "Small"})
    Provider.objects.create(slug="stats-host", name="Host", wire="openai_chat")
    Provider.objects.create(slug="stats-other", name="Other", wire="openai_chat", enabled=False)
    Provider.objects.create(slug="stats-box", name="Box", wire="openai_chat", is_sandbox=True)
    snapshot = cache.Snapshot("catalog of a test", load=load_catalog, epoch=read_epoch)
    cache._snapshots.remove(snapshot)  # type: ignore[arg-type]
    monkeypatch.setattr(directories, "catalog", snapshot)
    monkeypatch.setattr(directories, "_latest", None)
    statistics.reset()
    yield
    statistics.reset()


@pytest.fixture
def organization():
    return Organization.objects.create(name="acme")


@pytest.fixture
def record(organization):
    """Writes a record; by default a full answer of ``stats-host`` a minute ago."""

    def write(**fields: Any) -> RequestRecord:
        values: dict[str, Any] = {
            "id": f"gen_stats{next(_numbers)}", "organization": organization, "created_at": clock.now() - MINUTE,
            "surface": "openai_chat", "streamed": True, "requested_model": "large", "model": "acme/large",
            "provider": "stats-host", "price_id": 1, "outcome": "completed", "status": 200, "usage_source": "provider",
            "first_token_ms": 10, "latency_ms": 20,
        } | fields  # fmt: skip
        fault = "" if values["outcome"] in {"completed", "client_gone"} else "cut"
        values.setdefault("attempts", [attempt(values["provider"], fault)])
        return RequestRecord.objects.create(**values)

    return write


def attempt(provider: str, fault: str = "") -> dict[str, Any]:
    return {"provider": provider, "model": "up", "fault": fault, "status": None, "ms": 5}


def windows_of(client, slug="stats-host"):
    response = client.get(f"/v1/provider/{slug}/stats")
    assert response.status_code == 200, response.content
    ProviderStatsBody.model_validate(response.json())
    return response.json()["data"]["windows"]


def ranking(client, path="/v1/ranking/models", **query):
    response = client.get(path, query)
    assert response.status_code == 200, response.content
    Ranking.model_validate(response.json())
    return [(m["rank"], m["model"], m["requests"], m["tokens"]) for m in response.json()["data"]]


def test_everything_is_null_or_empty_when_there_are_no_records(client):
    assert windows_of(client) == dict.fromkeys(WINDOWS, EMPTY_WINDOW)
    assert ranking(client) == ranking(client, "/v1/provider/stats-host/top-models") == []
    status = client.get("/v1/gateways/status").json()
    GatewayStatusList.model_validate(status)
    found = {item["id"]: item for item in status["data"]}
    assert found["stats-other"] == {
        "id": "stats-other", "name": "Other", "routable": False, "reason": "disabled",
        "refreshed_at": None, "error_rate": None,
    }  # fmt: skip


def test_counts_and_tokens_are_exact_when_added_up(client, record):
    record(
        input_tokens=1, cache_read_tokens=2, cache_write_5m_tokens=4, cache_write_1h_tokens=8,
        audio_input_tokens=16, output_tokens=32, reasoning_tokens=64, audio_output_tokens=128,
    )  # fmt: skip
    record(model="acme/small", input_tokens=1000, created_at=clock.now() - 2 * 60 * MINUTE)
    record(input_tokens=2**53 + 1, created_at=clock.now() - 3 * 24 * 60 * MINUTE)
    record(created_at=clock.now() - 8 * 24 * 60 * MINUTE)
    record(provider="stats-other")

    found = windows_of(client)
    assert [found[window]["requests"] for window in WINDOWS] == [1, 2, 3]
    assert [found[window]["tokens"] for window in WINDOWS] == [
        {"input": 31, "output": 224},
        {"input": 1031, "output": 224},
        {"input": 1031 + 2**53 + 1, "output": 224},
    ]


def test_rates_are_of_calls_that_the_provider_could_answer_when_some_fail(client, record):
    for _ in range(3):
        record()
    record(outcome="interrupted")
    record(outcome="client_gone")
    record(outcome="failed", attempts=[attempt("stats-host", "rejected")])
    # Another host answered in its place: its own record does not name it, its failure counts.
    record(
        provider="stats-other", attempts=[attempt("stats-host", "status"), attempt("stats-other")]
    )

    hour = windows_of(client)["1h"]
    assert (hour["requests"], hour["success_rate"], hour["error_rate"]) == (6, 0.6, 0.4)
    other = windows_of(client, "stats-other")["1h"]
    assert (other["requests"], other["success_rate"], other["error_rate"]) == (1, 1.0, 0.0)
    status = {item["id"]: item for item in client.get("/v1/gateways/status").json()["data"]}
    assert status["stats-host"]["error_rate"] == 0.4


@pytest.mark.parametrize("times", [[7], [5, 1], [1, 2, 3], list(range(1, 21)), list(range(101))])
def test_percentiles_are_nearest_rank_over_all_models_when_measured(client, record, times):
    for position, time in enumerate(times):
        model = "acme/large" if position % 3 else "acme/small"
        record(model=model, latency_ms=time, first_token_ms=time // 2)
    record(outcome="failed", latency_ms=10**6, first_token_ms=None)

    hour = windows_of(client)["1h"]
    ordered = sorted(times)
    for percent in (50, 95):
        wanted = ordered[math.ceil(percent * len(ordered) / 100) - 1]
        assert hour["latency_ms"][f"p{percent}"] == wanted
        assert hour["first_token_ms"][f"p{percent}"] == wanted // 2


def test_ranking_is_of_paid_full_answers_when_counted(client, record):
    record(input_tokens=5)
    record(input_tokens=5)
    record(model="acme/small", output_tokens=100)
    record(provider="stats-other", model="acme/small", created_at=clock.now() - 120 * MINUTE)
    record(model="acme/small", provider="stats-box", input_tokens=10**6)
    record(model="acme/small", price_id=None, input_tokens=10**6)
    record(model="acme/small", outcome="interrupted")
    record(model="acme/taken-out")

    assert ranking(client) == [(1, "acme/large", 2, 10), (2, "acme/small", 2, 100)]
    assert ranking(client, by="tokens") == [(1, "acme/small", 2, 100), (2, "acme/large", 2, 10)]
    assert ranking(client, window="1h") == [(1, "acme/large", 2, 10), (2, "acme/small", 1, 100)]
    assert ranking(client, limit=1) == [(1, "acme/large", 2, 10)]
    assert ranking(client, limit=1, offset=1) == [(2, "acme/small", 2, 100)]
    page = client.get("/v1/ranking/models?limit=1").json()
    assert (page["total"], page["has_more"]) == (2, True)
    assert ranking(client, "/v1/provider/stats-other/top-models") == [(1, "acme/small", 1, 0)]
    assert ranking(client, "/v1/provider/stats-box/top-models") == [(1, "acme/small", 1, 10**6)]
    assert "organization" not in client.get("/v1/ranking/models").content.decode()


def test_status_tells_when_the_list_was_read(client):
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    Feed.objects.create(provider_id="stats-host", refreshed_at=moment)

    status = {item["id"]: item for item in client.get("/v1/gateways/status").json()["data"]}
    assert status["stats-host"]["refreshed_at"] == "2026-01-02T03:04:05Z"


def test_provider_is_found_however_it_is_capitalised(client):
    assert client.get("/v1/provider/Stats-HOST/stats").json()["data"]["provider"] == "stats-host"


def test_gateway_stats_are_the_providers(client, record):
    record()

    assert client.get("/v1/gateway/stats-host/stats").json() == client.get("/v1/provider/stats-host/stats").json()  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/v1/provider/nobody/stats", "/v1/gateway/nobody/stats", "/v1/provider/nobody/top-models"]
)  # fmt: skip
def test_unknown_provider_is_not_found(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["param"] == "slug"


@pytest.mark.parametrize("query", [{"window": "1y"}, {"by": "money"}, {"limit": 0}, {"limit": 101}])
@pytest.mark.parametrize("path", ["/v1/ranking/models", "/v1/provider/stats-host/top-models"])
def test_ranking_refuses_what_it_does_not_know(client, path, query):
    response = client.get(path, query)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == next(iter(query))


@pytest.mark.parametrize(
    "path",
    ["/v1/provider/stats-host/stats", "/v1/provider/stats-host/top-models", "/v1/ranking/models", "/v1/gateways/status"],
)  # fmt: skip
def test_answer_is_a_304_when_the_client_has_it(client, record, path):
    record()
    etag = client.get(path)["ETag"]

    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304


def test_records_are_asked_once_a_minute_when_many_ask(client, record, monkeypatch):
    record()
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    assert windows_of(client)["1h"]["requests"] == 1
    assert len(ranking(client)) == 1
    record()
    with CaptureQueriesContext(connection) as made:
        assert windows_of(client)["1h"]["requests"] == 1
        ranking(client)
        client.get("/v1/gateways/status")
    assert not any("inference_requestrecord" in query["sql"] for query in made.captured_queries)

    now += KEEP_SECONDS
    with CaptureQueriesContext(connection) as made:
        assert windows_of(client)["1h"]["requests"] == 2
    asked = [query for query in made.captured_queries if "requestrecord" in query["sql"]]
    assert len(asked) == 2 * len(WINDOWS)  # requests, and calls
