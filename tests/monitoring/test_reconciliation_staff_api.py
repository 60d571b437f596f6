"""The staff API of reconciliation: importing a file, withdrawing it, comparisons, alerts, and what is named when it is wrong."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.common import clock
from apps.monitoring.models import DriftAlert, UsageExport
from tests.monitoring.bills import HEAD, line, make_price, take
from tests.monitoring.recording import at

pytestmark = pytest.mark.django_db
EXPORTS = "/admin/usage-exports"
ALERTS = "/admin/drift-alerts"


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at("2026-11-20T09:00:00"))
    make_price()


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    return client


def upload(client, *lines, **fields):
    file = SimpleUploadedFile("acme.csv", "\n".join([HEAD, *lines, ""]).encode())
    return client.post(EXPORTS, {"provider": "acme", "file": file} | fields)


def post(client, path, body):
    return client.post(path, json.dumps(body), content_type="application/json")


def error_of(answer):
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


def test_file_is_imported_once_and_withdrawn(staff):
    made, again = upload(staff, line(cost="5")), upload(staff, line(cost="5"))
    export = made.json()

    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == export
    assert (export["state"], export["rows"], export["first_day"], export["imported_by"]) == (
        "current", 1, "2026-11-10", "dave@example.com",
    )  # fmt: skip
    found = staff.get(EXPORTS, {"provider": "acme", "withdrawn_at": "null"}).json()["results"]
    assert found == [export]

    path = f"{EXPORTS}/{export['id']}/withdraw"
    assert error_of(post(staff, path, {})) == (400, "missing_field", "note")
    assert post(staff, path, {"note": "wrong"}).json()["state"] == "withdrawn"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"provider": "nobody"}, "invalid_value", "provider"),
        ({"file": ""}, "invalid_value", "file"),
        ({"mapping": "nothing"}, "invalid_value", "mapping"),
        ({"account": "x" * 61}, "invalid_value", "account"),
        ({"override": "{"}, "invalid_value", "override"),
        ({"override": "[]"}, "invalid_value", "override"),
        ({"override": '{"decimal_mark": "!"}'}, "invalid_value", "override"),
    ],
)
def test_import_is_refused_by_its_field(staff, fields, code, param):
    assert error_of(upload(staff, line(), **fields)) == (400, code, param)
    assert not UsageExport.objects.exists()


def test_rows_that_are_wrong_are_named(staff):
    answer = upload(staff, line(), line(cost="x"))

    assert error_of(answer) == (400, "invalid_value", "file")
    assert "line 3, 'cost': 'x' is not a number" in answer.json()["error"]["message"]
    assert error_of(staff.post(EXPORTS, {"provider": "acme"})) == (400, "missing_field", "file")
    assert error_of(post(staff, EXPORTS, {"provider": "acme"})) == (400, "missing_field", "file")


def test_comparisons_are_read_by_provider_day_and_side(staff):
    take(line(output=7, cost="0.25"), line(day="2026-11-11"))

    found = staff.get("/admin/usage-comparisons", {"day": "2026-11-10", "side": "theirs"}).json()
    (row,) = found["results"]
    assert (row["model"], row["theirs_output_tokens"], row["ours_output_tokens"]) == (
        "large-v1",
        7,
        0,
    )
    assert (row["theirs_cost_usd"], row["ours_cost_usd"]) == ("0.25", "0")
    assert row["theirs_cache_write_tokens"] is None
    wrong = staff.get("/admin/usage-comparisons", {"day": "soon"})
    assert error_of(wrong) == (400, "invalid_value", "day")


def test_alert_is_handled_with_a_note(staff):
    take(line(cost="2"))
    (alert,) = staff.get(ALERTS, {"status": "open"}).json()["results"]
    path = f"{ALERTS}/{alert['id']}/handle"

    assert (alert["measure"], alert["difference"], alert["difference_percent"]) == (
        "cost", -2_000_000_000, "-100.0000",
    )  # fmt: skip
    assert error_of(post(staff, path, {"status": "resolved"})) == (400, "missing_field", "note")
    assert error_of(post(staff, path, {"status": "open", "note": "x"})) == (
        400,
        "invalid_value",
        "status",
    )
    handled = post(staff, path, {"status": "resolved", "note": "a refund"}).json()
    assert (handled["status"], handled["note"], handled["handled_by"]) == (
        "resolved", "a refund", "dave@example.com",
    )  # fmt: skip
    assert DriftAlert.objects.get().status == "resolved"


def test_open_alerts_are_in_the_metrics(client):
    take(line(cost="2"))

    text = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()

    assert 'gatewayz_drift_alerts_open{provider="acme"} 1.0' in text
