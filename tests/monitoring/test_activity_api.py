"""The activity routes: what was used at a glance, every request one by one, and what they refuse."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from apps.keys import services as keys
from apps.monitoring import activity_api
from apps.monitoring.services import rollups
from tests.gateway import make_customer
from tests.monitoring.recording import at, forget, write

NOW = at("2026-04-10T12:00:00")
HOUR = datetime.timedelta(hours=1)
ZEROS = {"requests": 0, "errors": 0, "tokens": 0, "charged": 0.0, "charged_nano_usd": 0}


@pytest.fixture
def customer(committed, monkeypatch):
    forget()
    monkeypatch.setattr(activity_api, "clock", SimpleNamespace(now=lambda: NOW))
    yield make_customer()
    forget()


@pytest.fixture
def ask(client, customer):
    def ask(path, who=None, status=200, **query):
        query = {name.rstrip("_"): value for name, value in query.items()}
        found = client.get(f"/v1/user/activity/{path}", query, headers=(who or customer).headers)
        assert found.status_code == status, found.content
        return found.json()

    return ask


@pytest.fixture(params=["records", "roll-ups"])
def rolled(request):
    """Whether the job has run: nobody can tell by the answers."""
    return rollups.roll_up if request.param == "roll-ups" else lambda: None


def test_stats_are_told_in_all_and_by_their_parts(ask, customer, rolled):
    write(
        customer.organization_id,
        {"created_at": NOW - HOUR, "input_tokens": 3, "cache_read_tokens": 4, "reasoning_tokens": 5, "cost": 2 * 10**9},
        {"created_at": NOW - 25 * HOUR, "model": "acme/small", "output_tokens": 1, "cost": 7},
        {"created_at": NOW - 25 * HOUR, "model": "acme/small", "provider": "", "outcome": "failed", "status": 503},
    )  # fmt: skip
    rolled()

    found = ask("stats")["data"]

    large = {
        "requests": 1,
        "errors": 0,
        "tokens": 12,
        "charged": 2.0,
        "charged_nano_usd": 2 * 10**9,
    }
    small = {"requests": 2, "errors": 1, "tokens": 1, "charged": 7e-9, "charged_nano_usd": 7}
    assert found["total"] == {
        "requests": 3, "errors": 1, "tokens": 13, "charged": 2.000000007, "charged_nano_usd": 2 * 10**9 + 7,
    }  # fmt: skip
    assert found["by_day"] == [{"day": "2026-04-10", **large}, {"day": "2026-04-09", **small}]
    assert found["by_model"] == [{"model": "acme/large", **large}, {"model": "acme/small", **small}]
    assert [(row["provider"], row["requests"]) for row in found["by_provider"]] == [("acme", 2), (None, 1)]  # fmt: skip
    assert (found["from"], found["to"]) == ("2026-03-11T12:00:00+00:00", "2026-04-10T12:00:00+00:00")  # fmt: skip


def test_stats_of_nothing_are_zeros(ask):
    found = ask("stats")["data"]

    assert found["total"] == ZEROS
    assert found["by_day"] == found["by_model"] == found["by_provider"] == []


def test_days_are_those_of_the_zone(ask, customer, rolled):
    write(customer.organization_id, created_at=at("2026-04-09T23:30:00"))
    rolled()

    assert ask("stats", timezone="Europe/Berlin")["data"]["by_day"][0]["day"] == "2026-04-10"


@pytest.mark.parametrize("path", ["stats", "log"])
def test_filters_leave_the_rest_out(ask, customer, rolled, path):
    write(
        customer.organization_id,
        {"tag": "blue", "cost": 1},
        {"cost": 2, "api_key_id": customer.key.pk},
        {"model": "acme/small", "provider": "other", "cost": 4},
        {"cost": 8, "created_at": NOW - 100 * HOUR},
        created_at=NOW - HOUR,
    )
    rolled()

    def spent(**query):
        found = ask(path, **query)["data"]
        if path == "log":
            return sum(row["charged_nano_usd"] for row in found)
        return found["total"]["charged_nano_usd"]

    assert spent() == 15
    assert (spent(tag="blue"), spent(tag="")) == (1, 14)
    assert (spent(key=customer.key.pk), spent(key=0)) == (2, 13)
    assert (spent(model="acme/small"), spent(provider="other"), spent(model="nobody")) == (4, 4, 0)
    assert (spent(from_="2026-04-09"), spent(to="2026-04-09")) == (7, 8)


def test_log_tells_each_request(ask, customer):
    write(
        customer.organization_id, id="gen_one", created_at=NOW - HOUR, api_key_id=customer.key.pk, tag="blue",
        input_tokens=3, cache_read_tokens=4, output_tokens=5, reasoning_tokens=6, cost=7, latency_ms=20,
        finish_reason="stop",
    )  # fmt: skip

    assert ask("log", timezone="Europe/Berlin") == {
        "data": [
            {
                "id": "gen_one", "created_at": "2026-04-10T13:00:00+02:00", "surface": "openai_chat",
                "requested_model": "large", "model": "acme/large", "provider": "acme", "key": customer.key.pk,
                "tag": "blue", "streamed": True, "outcome": "completed", "status": 200, "error_code": None,
                "finish_reason": "stop", "cached": False, "is_byok": False, "tokens_input": 7, "tokens_output": 11,
                "charged": 7e-9, "charged_nano_usd": 7, "first_token_ms": 10, "latency_ms": 20,
            }
        ],
        "has_more": False,
        "next_before": None,
    }  # fmt: skip


def test_pages_of_the_log_hold_each_request_once(ask, customer):
    """Several ended at the same moment."""
    ids = write(
        customer.organization_id,
        *({"created_at": NOW - (1 + n // 4) * HOUR} for n in range(23)),
    )
    seen: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    while True:
        page = ask("log", limit=5, **before)
        seen += page["data"]
        if not page["has_more"]:
            break
        before = {"before": page["next_before"]}

    assert len(seen) == 23
    assert {row["id"] for row in seen} == set(ids)
    moments = [row["created_at"] for row in seen]
    assert moments == sorted(moments, reverse=True)
    assert page["next_before"] is None


def test_log_is_narrowed_by_how_requests_ended(ask, customer):
    write(
        customer.organization_id, {"outcome": "failed", "status": 503}, {"outcome": "stopped"}, {}, created_at=NOW - HOUR
    )  # fmt: skip

    assert [row["status"] for row in ask("log", outcome="failed")["data"]] == [503]
    assert len(ask("log", outcome="completed")["data"]) == 1


def test_a_second_keys_requests_are_the_organisations_too(ask, customer):
    second = keys.issue(customer.organization_id, name="second").key
    write(customer.organization_id, {"api_key_id": second.pk}, created_at=NOW - HOUR)

    assert [row["key"] for row in ask("log")["data"]] == [second.pk]


@pytest.mark.usefixtures("running_gateway")
def test_stranger_sees_nothing_of_others(ask, customer):
    write(customer.organization_id, id="gen_mine", created_at=NOW - HOUR, cost=5)
    stranger = make_customer()

    assert ask("log", who=stranger)["data"] == []
    assert ask("stats", who=stranger)["data"]["total"] == ZEROS
    refused = ask("log", who=stranger, before="gen_mine", status=400)
    assert refused["error"]["param"] == "before"


@pytest.mark.parametrize("path", ["stats", "log"])
def test_nobody_is_told_without_a_key(client, customer, path):
    assert client.get(f"/v1/user/activity/{path}").status_code == 401


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("stats", {"from": "yesterday"}, "from"),
        ("stats", {"from": "2026-04-10", "to": "2026-04-09"}, "to"),
        ("stats", {"from": "2020-01-01"}, "from"),
        ("stats", {"timezone": "Mars"}, "timezone"),
        ("stats", {"key": "-1"}, "key"),
        ("stats", {"limit": "5"}, "limit"),
        ("stats", {"model": "\x00"}, "model"),
        ("log", {"limit": "0"}, "limit"),
        ("log", {"limit": "501"}, "limit"),
        ("log", {"outcome": "fine"}, "outcome"),
        ("log", {"before": "gen_nowhere"}, "before"),
        ("log", {"before": "x" * 41}, "before"),
        ("log", {"before": "\x00"}, "before"),
        ("log", {"group_by": "day"}, "group_by"),
        ("log", {"timezone": "Mars"}, "timezone"),
    ],
    ids=str,
)
def test_error_names_the_parameter(ask, path, query, param):
    error = ask(path, status=400, **query)["error"]

    assert (error["code"], error["param"]) == ("invalid_value", param)
