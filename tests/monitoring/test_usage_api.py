"""The usage routes over HTTP's own client: groups, days, forecasts, what-if, files, and what they refuse."""

import csv
import datetime
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from apps.accounts.models import Organization
from apps.billing.services import ledger, rating
from apps.catalog.selectors import catalog
from apps.common.usage import Usage
from apps.monitoring import api
from apps.monitoring.services import rollups
from tests.gateway import make_customer
from tests.monitoring.recording import at, forget, write

NOW = at("2026-04-10T12:00:00")
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
ZEROS: dict[str, Any] = {
    "requests": 0, "completed": 0, "client_gone": 0, "errors": 0,
    "errors_by_kind": {"rejected": 0, "failed": 0, "interrupted": 0, "stopped": 0, "empty": 0, "lost": 0},
    "tokens": {
        "input": 0, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0, "reasoning": 0,
        "audio_input": 0, "audio_output": 0,
    },
    "units": {"images": 0, "characters": 0, "seconds": 0, "searches": 0},
    "cost_nano_usd": 0, "charged": 0.0, "charged_nano_usd": 0, "saved_nano_usd": 0,
    "latency_ms": {"p50": None, "p95": None, "p99": None},
    "first_token_ms": {"p50": None, "p95": None, "p99": None},
}  # fmt: skip


@pytest.fixture
def customer(committed, monkeypatch):
    forget()
    # The routes' clock alone: prices are in force by the real one.
    monkeypatch.setattr(api, "clock", SimpleNamespace(now=lambda: NOW))
    yield make_customer()
    forget()


@pytest.fixture
def ask(client, customer):
    def ask(path="", who=None, status=200, **query):
        query = {name.rstrip("_"): value for name, value in query.items()}
        found = client.get(f"/v1/user/usage{path}", query, headers=(who or customer).headers)
        assert found.status_code == status, found.content
        return found.json()

    return ask


async def whole(answer):
    return b"".join([piece async for piece in answer.streaming_content])


@pytest.fixture(params=["records", "roll-ups"])
def rolled(request):
    """Whether the job has run: nobody can tell by the answers."""
    return rollups.roll_up if request.param == "roll-ups" else lambda: None


def test_organisation_without_requests_gets_zeros_and_nulls(ask):
    assert ask()["data"] == ask(group_by="")["data"] == []
    summary = ask("/summary")["data"]
    assert summary["today"] == summary["month"] == ZEROS
    assert summary["forecast"] is summary["runs_dry_on"] is None


def test_all_that_is_known_is_told_of_each_group(ask, customer, rolled):
    mine = {"api_key_id": customer.key.pk, "tag": "blue", "created_at": NOW - 2 * HOUR}
    write(
        customer.organization_id,
        {**mine, "input_tokens": 5, "cache_read_tokens": 7, "cost": 3, "charged": 2, "saved": 11, "latency_ms": 100},
        {**mine, "outcome": "failed", "status": 400, "model": "acme/small"},
        {**mine, "outcome": "failed", "status": 503},
        {**mine, "outcome": "client_gone", "reasoning_tokens": 4, "cost": 1},
        {**mine, "cached": True, "provider": "", "price_id": None, "input_tokens": 5, "saved": 3, "latency_ms": 1},
    )  # fmt: skip
    rolled()
    small, large = sorted(ask()["data"], key=lambda row: row["requests"])

    assert small == {
        **ZEROS, "model": "acme/small", "requests": 1, "errors": 1,
        "errors_by_kind": {**ZEROS["errors_by_kind"], "rejected": 1},
    }  # fmt: skip
    assert (large["requests"], large["completed"], large["client_gone"], large["errors"]) == (4, 2, 1, 1)  # fmt: skip
    assert large["errors_by_kind"]["failed"] == 1
    assert large["tokens"] == {**ZEROS["tokens"], "input": 10, "cache_read": 7, "reasoning": 4}
    assert (large["cost_nano_usd"], large["charged_nano_usd"], large["saved_nano_usd"]) == (4, 3, 14)  # fmt: skip
    assert large["charged"] == 3e-9
    assert large["latency_ms"]["p99"] == pytest.approx(100, rel=0.051)
    of_key = ask(group_by="key,tag")["data"]
    assert [(row["key"], row["key_name"], row["tag"]) for row in of_key] == [(customer.key.pk, "test", "blue")]  # fmt: skip
    billed = {row["billing"]: row["requests"] for row in ask(group_by="billing")["data"]}
    assert billed == {"price": 4, "cache": 1}
    assert {row["provider"] for row in ask(group_by="provider")["data"]} == {"acme", None}


def test_filters_leave_the_rest_out(ask, customer, rolled):
    write(
        customer.organization_id,
        {"tag": "blue", "cost": 1},
        {"tag": "", "cost": 2, "api_key_id": customer.key.pk},
        {"model": "acme/small", "provider": "other", "cost": 4},
        created_at=NOW - HOUR,
    )
    rolled()

    def spent(**query):
        return sum(row["cost_nano_usd"] for row in ask(**query)["data"])

    assert spent() == 7
    assert (spent(tag="blue"), spent(tag="")) == (1, 6)
    assert (spent(key=customer.key.pk), spent(key=0)) == (2, 5)
    assert (spent(model="acme/small"), spent(provider="other"), spent(model="nobody")) == (4, 4, 0)
    assert spent(model="acme/large", tag="") == 2


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        # The clocks of Berlin are put forward on the 29th, so that day has 23 hours.
        ("Europe/Berlin", {"2026-03-28": 1, "2026-03-29": 23, "2026-03-30": 24}),
        ("UTC", {"2026-03-28": 2, "2026-03-29": 24, "2026-03-30": 22}),
        ("Asia/Kolkata", {"2026-03-29": 21, "2026-03-30": 24, "2026-03-31": 3}),
        ("Asia/Kathmandu", {"2026-03-29": 20, "2026-03-30": 24, "2026-03-31": 4}),
    ],
)
def test_days_are_those_of_the_zone_also_when_its_clocks_change(ask, customer, rolled, zone, days):
    first = at("2026-03-28T22:20:00")
    write(customer.organization_id, *({"created_at": first + n * HOUR} for n in range(48)))
    rolled()
    found = ask(group_by="day", timezone=zone, from_="2026-03-28", to="2026-04-01")["data"]

    assert {row["day"]: row["requests"] for row in found} == days
    assert [row["day"] for row in found] == sorted(days, reverse=True)
    day = ask(group_by="", timezone=zone, from_="2026-03-30", to="2026-03-31")["data"]
    assert day[0]["requests"] == days["2026-03-30"]


def test_hours_are_shown_with_the_offset_of_the_zone(ask, customer, rolled):
    """2 o'clock comes twice in Berlin when the clocks are put back."""
    moments = [at("2025-10-26T00:30:00"), at("2025-10-26T01:30:00")]
    write(customer.organization_id, *({"created_at": moment} for moment in moments))
    rolled()
    found = ask(group_by="hour", timezone="Europe/Berlin", from_="2025-10-26", to="2025-10-27")

    assert [row["hour"] for row in found["data"]] == ["2025-10-26T02:00:00+01:00", "2025-10-26T02:00:00+02:00"]  # fmt: skip
    assert (found["from"], found["to"]) == ("2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00")  # fmt: skip


def test_range_is_kept_to_the_microsecond(ask, customer, rolled):
    moment = NOW - 5 * HOUR
    write(customer.organization_id, {"created_at": moment, "cost": 1}, {"created_at": moment + datetime.timedelta(microseconds=1), "cost": 2})  # fmt: skip
    rolled()
    border = (moment + datetime.timedelta(microseconds=1)).isoformat()

    assert ask(group_by="", to=border)["data"][0]["cost_nano_usd"] == 1
    assert ask(group_by="", from_=border)["data"][0]["cost_nano_usd"] == 2


def test_pages_hold_each_row_once_and_files_hold_the_same(ask, client, customer, rolled):
    write(
        customer.organization_id,
        *({"created_at": NOW - n * HOUR, "cost": n, "tag": f"=tag {n % 3}", "latency_ms": n * 9} for n in range(1, 60)),
    )  # fmt: skip
    rolled()
    query = {"group_by": "day,tag,key", "timezone": "Europe/Berlin"}
    rows, page = [], 1
    while True:
        found = ask(**query, limit=4, page=page)
        rows += found["data"]
        assert found["total"] == 9
        if not found["has_more"]:
            break
        page += 1
    assert page == 3
    assert sum(row["cost_nano_usd"] for row in rows) == sum(range(60))
    assert ask(**query, limit=4, page=4)["data"] == []

    def fetch(kind):
        answer = client.get("/v1/user/usage", {**query, "format": kind}, headers=customer.headers)
        assert f'filename="usage.{kind}"'.replace(".json", ".ndjson") in answer["content-disposition"]  # fmt: skip
        return async_to_sync(whole)(answer).decode()

    assert [json.loads(line) for line in fetch("json").splitlines()] == rows
    lines = list(csv.DictReader(io.StringIO(fetch("csv"))))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line["tag"] == f"'{row['tag']}"  # no formula
        assert line["day"] == row["day"]
        assert int(line["charged_nano_usd"]) == row["charged_nano_usd"]
        assert line["charged"] == f"{row['charged_nano_usd'] / 10**9:.9f}"
        assert int(line["errors_failed"]) == row["errors_by_kind"]["failed"]
        assert int(line["input_tokens"]) == row["tokens"]["input"]
        assert float(line["latency_ms_p95"]) == row["latency_ms"]["p95"]


@pytest.mark.usefixtures("running_gateway")
def test_stranger_sees_nothing_of_others(ask, customer, rolled):
    write(customer.organization_id, created_at=NOW - 30 * HOUR, cost=5, api_key_id=customer.key.pk)
    rolled()
    stranger = make_customer()

    assert ask(who=stranger)["data"] == ask(who=stranger, key=customer.key.pk)["data"] == []
    assert ask("/summary", who=stranger)["data"]["month"] == ZEROS
    assert ask("/what-if", who=stranger, model="sandbox/echo")["data"]["requests"] == 0
    assert ask()["data"][0]["cost_nano_usd"] == 5


@pytest.mark.parametrize("path", ["", "/summary", "/what-if"])
def test_nobody_is_told_without_a_key(client, customer, path):
    assert client.get(f"/v1/user/usage{path}").status_code == 401


def test_forecast_goes_by_the_last_seven_days(ask, customer, rolled):
    """A dollar a day in the last seven days, and ten long before them."""
    usd = 10**9
    write(
        customer.organization_id,
        {"created_at": NOW - 9 * DAY, "cost": 10 * usd},
        *({"created_at": NOW - n * DAY + HOUR, "cost": usd} for n in range(1, 8)),
    )
    ledger.grant_promo(customer.organization_id, amount=10 * usd, reference=f"more:{customer.organization_id}", memo="test")  # fmt: skip
    rolled()
    summary = ask("/summary")["data"]

    assert summary["today"]["requests"] == 0
    assert summary["month"]["charged_nano_usd"] == 17 * usd
    assert summary["forecast"] == {
        "since": "2026-04-03T12:00:00+00:00",
        "burn_nano_usd_per_day": usd,
        "month_end_nano_usd": 17 * usd + 20 * usd + usd // 2,
        "month_end": 37.5,
    }
    assert summary["runs_dry_on"] == "2026-04-30T12:00:00+00:00"  # $20 at one a day
    kiritimati = ask("/summary", timezone="Pacific/Kiritimati")["data"]  # already the 11th
    assert kiritimati["today"]["requests"] == 0
    assert kiritimati["month"]["charged_nano_usd"] == 17 * usd


def test_forecast_says_nothing_before_a_day_is_over(ask, customer):
    write(customer.organization_id, created_at=NOW - 23 * HOUR, cost=10**9)
    summary = ask("/summary")["data"]

    assert summary["month"]["charged_nano_usd"] == 10**9
    assert summary["forecast"] is summary["runs_dry_on"] is None


def test_young_organisation_is_foretold_by_the_days_that_it_has(ask, customer):
    write(customer.organization_id, {"created_at": NOW - 2 * DAY, "cost": 3 * 10**9}, {"created_at": NOW - HOUR, "cost": 10**9})  # fmt: skip
    summary = ask("/summary")["data"]

    assert summary["forecast"]["burn_nano_usd_per_day"] == 2 * 10**9
    assert summary["runs_dry_on"] == "2026-04-15T12:00:00+00:00"


def test_nothing_runs_dry_when_nothing_was_charged(ask, customer):
    write(customer.organization_id, created_at=NOW - 8 * DAY, cost=10**9)
    summary = ask("/summary")["data"]

    assert summary["runs_dry_on"] is None
    assert summary["forecast"]["month_end_nano_usd"] == 10**9
    assert summary["forecast"]["burn_nano_usd_per_day"] == 0


def test_credit_that_expires_unused_does_not_last(ask, customer):
    organization = Organization.objects.get(pk=customer.organization_id)
    who = make_customer(credit_usd="0")
    ledger.grant_promo(who.organization_id, amount=5 * 10**9, reference=f"lot:{organization.pk}", memo="test", expires_at=NOW + 2 * DAY)  # fmt: skip
    ledger.grant_promo(who.organization_id, amount=3 * 10**9, reference=f"stays:{organization.pk}", memo="test")  # fmt: skip
    write(who.organization_id, created_at=NOW - DAY, cost=10**9)

    assert ask("/summary", who=who)["data"]["runs_dry_on"] == (NOW + 5 * DAY).isoformat()


@pytest.mark.usefixtures("running_gateway")
def test_what_if_is_the_rating_of_the_same_usage_by_hand(ask, customer, rolled):
    model = catalog.get().resolve("sandbox/echo")
    assert model is not None
    usage = Usage(input=1_234_567, cache_read=89, output=4_321, reasoning=17)
    mine = {"created_at": NOW - 3 * HOUR, "input_tokens": usage.input, "cache_read_tokens": 89, "output_tokens": 4_321}  # fmt: skip
    write(
        customer.organization_id,
        {**mine, "reasoning_tokens": 17, "cost": 12345},
        {**mine, "cached": True},
        {**mine, "is_byok": True},
        {**mine, "price_id": None},
        {"created_at": NOW - 3 * HOUR, "model": "acme/small", "images": 2, "cost": 5},
    )
    rolled()
    found = ask("/what-if", model="sandbox/echo", instead_of="acme/large")["data"]

    wanted = rating.cost(usage, model.offerings[0].rates).total
    assert wanted > 0
    (host,) = found["hosts"]
    assert host["cost_nano_usd"] == wanted
    assert host["difference_nano_usd"] == wanted - 12345
    assert host["not_compared"] == []
    assert (found["requests"], found["cost_nano_usd"], found["instead_of"]) == (1, 12345, "acme/large")  # fmt: skip
    assert found["left_out"] == {"cache": 1, "none": 1, "own_key": 1}
    assert {bucket: number for bucket, number in found["usage"].items() if number} == {
        "input": 1_234_567, "cache_read": 89, "output": 4_321, "reasoning": 17,
    }  # fmt: skip
    every = ask("/what-if", model="sandbox/echo")["data"]
    assert every["hosts"][0]["not_compared"] == ["images"]
    assert every["requests"] == 2


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("", {"group_by": "model,colour"}, "group_by"),
        ("", {"group_by": ","}, "group_by"),
        ("", {"from": "2026-04-02", "to": "2026-04-01"}, "to"),
        ("", {"from": "2026-04-01", "to": "2026-04-01"}, "to"),
        ("", {"from": "2020-01-01"}, "from"),
        ("", {"from": "2026-01-01", "group_by": "hour"}, "from"),
        ("", {"from": "soon"}, "from"),
        ("", {"to": "0001-01-01"}, "to"),
        ("", {"to": "9999-12-31T23:59:59-14:00"}, "to"),
        ("", {"timezone": "Mars/Olympus"}, "timezone"),
        ("", {"timezone": "../etc/passwd"}, "timezone"),
        ("", {"timezone": "Europe"}, "timezone"),
        ("", {"timezone": ""}, "timezone"),
        ("", {"timezone": "a" * 300}, "timezone"),
        ("", {"key": "first"}, "key"),
        ("", {"key": -1}, "key"),
        ("", {"key": 2**63}, "key"),
        ("", {"tag": "a\x00b"}, "tag"),
        ("", {"model": "\x00"}, "model"),
        ("/what-if", {"model": "sandbox/echo", "instead_of": "\x00"}, "instead_of"),
        ("", {"page": 0}, "page"),
        ("", {"limit": 1001}, "limit"),
        ("", {"format": "xml"}, "format"),
        ("", {"groupby": "model"}, "groupby"),
        ("/summary", {"timezone": "Mars/Olympus"}, "timezone"),
        ("/summary", {"from": "2026-04-01"}, "from"),
        ("/what-if", {}, "model"),
        ("/what-if", {"model": "sandbox/echo", "group_by": "day"}, "group_by"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_name(client, customer, path, query, param):
    answer = client.get(f"/v1/user/usage{path}", query, headers=customer.headers)

    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["param"] == param


def test_unknown_model_is_not_found(ask):
    assert ask("/what-if", model="nobody/nothing", status=404)["error"]["param"] == "model"


def test_a_filter_that_no_record_can_have_finds_nothing(ask):
    assert ask(provider="x" * 5000)["data"] == []
