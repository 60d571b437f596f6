"""The back office's pages of reconciliation: importing, the report and its file, alerts, and who may do what."""

import csv
import io

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.common import clock
from apps.monitoring.models import (
    AlertStatus,
    BillRules,
    DriftAlert,
    ReconciliationRun,
    UsageExport,
    UsageExportMapping,
)
from tests.monitoring.bills import HEAD, ask, line, make_organization, make_price, take
from tests.monitoring.recording import at

IMPORT = "/admin/monitoring/usageexport/import/"
REPORT = "/admin/monitoring/usagecomparison/report/"
CSV = "/admin/monitoring/usagecomparison/csv/"


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at("2026-11-20T09:00:00"))


@pytest.fixture
def price_id(db):
    return make_price()


@pytest.fixture
def compared(price_id):
    """A day with a drift, one without, and a model whose name is no name."""
    organization = make_organization()
    ask(organization, price_id=price_id, output_tokens=10**6)
    take(
        line(output=2 * 10**6, cost="2"),
        line(model="=HYPERLINK(1)", requests=0),
        line(day="2026-11-11", requests=0),
        line(day="2026-11-11", model="<b>bold</b>", requests=0),
    )


def upload(client, *lines, name="acme.csv", text="", **fields):
    content = text or "\n".join([HEAD, *lines, ""])
    file = SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)
    return client.post(IMPORT, {"provider": "acme", "file": file} | fields, follow=True)


def shown(answer):
    return answer.content.decode()


def told(answer):
    return [str(message) for message in answer.context["messages"]]


def test_export_is_imported_and_the_drift_is_told(staff, price_id):
    page = upload(staff, line(cost="5"), line(day="2026-11-20"))

    export = UsageExport.objects.get()
    assert page.redirect_chain == [(f"/admin/monitoring/usageexport/{export.pk}/change/", 302)]
    assert told(page) == [
        "1 rows imported, 1 days compared; 1 rows are of a day that is not over.",
        "1 drifts were found: see the alerts.",
    ]
    assert (export.imported_by, export.file_name) == ("dave@example.com", "acme.csv")
    assert ReconciliationRun.objects.get().made_by == "dave@example.com"


def test_export_is_one_import_when_it_is_sent_twice(staff, price_id):
    upload(staff, line())
    page = upload(staff, line())

    assert UsageExport.objects.count() == 1
    assert told(page)[0].startswith("This file is there already, and current")


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"text": f"{HEAD}\n{line(cost='x')}\n{line(day='y')}\n"}, "file", "line 2, 'cost': 'x' is not a number; line 3, 'day': 'y'"),
        ({"text": "a,b\n1,2\n"}, "mapping", "no mapping for 'acme' fits its columns: a, b"),
        ({"text": b"PK\x03\x04"}, "file", "it is compressed"),
        ({"provider": ""}, "provider", "This field is required."),
        ({"provider": "nobody"}, "provider", "Select a valid choice"),
        ({"mapping": "openai-cost"}, "mapping", "There is no mapping 'openai-cost' for 'acme'."),
        ({"override": "{"}, "override", "Enter a valid JSON."),
        ({"override": "[1]"}, "override", "An object."),
        ({"override": '{"day_format": "x"}'}, "override", "'day_format' of the mapping"),
    ],
)  # fmt: skip
def test_import_is_refused_beside_the_field(staff, price_id, fields, field, words):
    page = upload(staff, line(), **fields)

    errors = page.context["form"].errors
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert not UsageExport.objects.exists()


def test_file_is_asked_for_when_none_is_sent(staff, price_id):
    page = staff.post(IMPORT, {"provider": "acme"})

    assert list(page.context["form"].errors) == ["file"]


def test_override_holds_for_the_file_alone(staff, price_id):
    upload(staff, line(cost="5"), override='{"skipped": {"model": ["nothing"]}}')

    assert UsageExport.objects.get().read_with["skipped"] == {"model": ["nothing"]}
    assert UsageExportMapping.objects.get(slug="generic").skipped == {}


def test_export_is_withdrawn_with_a_note(staff, compared):
    export = UsageExport.objects.get()
    path = f"/admin/monitoring/usageexport/{export.pk}/withdraw/"

    assert list(staff.post(path, {"note": ""}).context["form"].errors) == ["note"]
    assert told(staff.post(path, {"note": "wrong file"}, follow=True)) == [
        "Withdrawn; its days were compared anew."
    ]
    assert told(staff.post(path, {"note": "again"}, follow=True)) == ["It was withdrawn before."]
    export.refresh_from_db()
    assert (export.withdrawn_by, export.withdrawn_note) == ("dave@example.com", "wrong file")


def test_days_are_compared_anew_when_staff_ask(staff, compared):
    export = UsageExport.objects.get()
    page = compare(staff, export, follow=True)

    assert told(page) == ["acme 2026-11-10 to 2026-11-11: 2 days compared."]
    assert ReconciliationRun.objects.latest("pk").reason == "staff"


def test_days_are_not_compared_anew_for_who_may_only_look(visitor, compared):
    clerk = get_user_model().objects.create_user("eve@example.com", password="pw", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_usageexport"))
    visitor.force_login(clerk)
    compare(visitor, UsageExport.objects.get())

    assert ReconciliationRun.objects.get().reason == "import"


def compare(client, export, **options):
    body = {"action": "compare", "_selected_action": [export.pk]}
    return client.post("/admin/monitoring/usageexport/", body, **options)


def test_report_shows_days_models_and_alerts(staff, compared):
    text = shown(staff.get(REPORT))

    assert "2026-11-10 acme" in text
    assert "2026-11-11 acme" in text
    assert "2 open alerts" in text
    for words in ("large-v1", "$2.00", "$1.00", "-$1.00 (-50.00 %)", "-1,000,000 (-50.00 %)"):
        assert words in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "<b>bold</b>" not in text


def test_report_leads_to_the_requests_of_the_day(staff, compared):
    BillRules.objects.create(provider="acme", time_zone="Asia/Shanghai")
    day = staff.get(REPORT, {"last": "2026-11-10"}).context["days"][0]
    page = staff.get(f"/admin/inference/requestrecord/?{day.records_query}")

    assert "created_at__gte=2026-11-09T16" in day.records_query
    assert page.status_code == 200
    assert page.context["cl"].result_count == 1


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, ["2026-11-11", "2026-11-10"]),
        ({"provider": "acme"}, ["2026-11-11", "2026-11-10"]),
        ({"provider": "other"}, []),
        ({"first": "2026-11-11"}, ["2026-11-11"]),
        ({"first": "2026-11-01", "last": "2026-11-10"}, ["2026-11-10"]),
        ({"last": "2026-10-10"}, []),
        ({"is_drift_only": "on"}, ["2026-11-10"]),
        ({"model": "LARGE"}, ["2026-11-11", "2026-11-10"]),
        ({"model": "bold"}, ["2026-11-11"]),
        ({"side": "both"}, ["2026-11-10"]),
        ({"side": "ours"}, []),
    ],
)
def test_report_is_narrowed_by_what_is_asked(staff, compared, query, days):
    assert [f"{one.day}" for one in staff.get(REPORT, query).context["days"]] == days


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"first": "soon"}, "first"),
        ({"first": "2026-11-11", "last": "2026-11-10"}, "last"),
        ({"first": "2020-01-01", "last": "2026-11-10"}, "last"),
        ({"side": "middle"}, "side"),
    ],
)
@pytest.mark.parametrize("path", [REPORT, CSV])
def test_report_says_which_filter_is_wrong(staff, compared, path, query, field):
    page = staff.get(path, query)

    assert list(page.context["form"].errors) == [field]
    assert page.context["days"] == []


def test_file_has_every_measure_and_no_formula(staff, compared):
    answer = staff.get(CSV, {"provider": "acme", "first": "2026-11-10", "last": "2026-11-10"})
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(answer.getvalue().decode()))}

    assert answer["content-disposition"] == (
        'attachment; filename="reconciliation-2026-11-10-2026-11-10.csv"'
    )
    assert list(rows) == ["'=hyperlink(1)", "large-v1"]
    large = rows["large-v1"]
    assert (large["theirs_cost_nano_usd"], large["ours_cost_nano_usd"]) == (
        "2000000000",
        "1000000000",
    )
    assert (large["difference_cost_nano_usd"], large["difference_cost_percent"]) == (
        "-1000000000",
        "-50.0000",
    )
    assert (large["side"], large["theirs_cache_write_tokens"]) == ("Both", "")


def test_alert_is_acknowledged_and_resolved_with_a_note(staff, compared):
    alert = DriftAlert.objects.get(measure="cost")
    path = f"/admin/monitoring/driftalert/{alert.pk}"

    assert "-50.00 % (more than 0.5 % is told)" in shown(staff.get(f"{path}/change/"))
    assert list(staff.post(f"{path}/acknowledge/", {"note": " "}).context["form"].errors) == [
        "note"
    ]
    staff.post(f"{path}/acknowledge/", {"note": "asked them"})
    alert.refresh_from_db()
    assert (alert.status, alert.note, alert.handled_by) == (
        AlertStatus.ACKNOWLEDGED, "asked them", "dave@example.com",
    )  # fmt: skip
    staff.post(f"{path}/resolve/", {"note": "they credit it"})
    alert.refresh_from_db()
    assert (alert.status, alert.note) == (AlertStatus.RESOLVED, "they credit it")


def test_rules_are_written_in_dollars_and_checked(staff, db):
    page = reverse("admin:monitoring_billrules_add")
    rules = {
        "provider": "acme", "time_zone": "Asia/Shanghai", "model_rules": '[{"cut": ","}]',
        "drift_ppm": "10000", "least_cost": "0.25", "least_tokens": "0",
    }  # fmt: skip
    wrong = staff.post(
        page, rules | {"time_zone": "Mars", "model_rules": '[{"x": 1}]', "drift_ppm": "1000001"}
    )

    assert sorted(wrong.context["adminform"].form.errors) == [
        "drift_ppm",
        "model_rules",
        "time_zone",
    ]
    staff.post(page, rules)
    assert BillRules.objects.get(provider="acme").least_cost == 250_000_000


def test_rules_of_all_other_providers_stay(staff, db):
    row = BillRules.objects.get(provider="")

    assert (
        staff.post(reverse("admin:monitoring_billrules_delete", args=[row.pk])).status_code == 403
    )


def test_mapping_is_refused_by_its_field(staff, db):
    mapping = {"slug": "new", "name": "New", "day_column": "day", "day_format": "x", "decimal_mark": ".",
               "currency": "usd", "measures": "{}", "kinds": '["a"]', "usd_rates": "{}", "skipped": "{}"}  # fmt: skip
    page = staff.post(reverse("admin:monitoring_usageexportmapping_add"), mapping)

    assert {"currency", "kinds"} <= set(page.context["adminform"].form.errors)
    page = staff.post(
        reverse("admin:monitoring_usageexportmapping_add"),
        mapping | {"kinds": "{}", "currency": "USD"},
    )
    assert set(page.context["adminform"].form.errors) == {"measures", "day_format"}


ACTIONS = {
    "import": ("add_usageexport", IMPORT, {}),
    "withdraw": ("change_usageexport", "/admin/monitoring/usageexport/{export}/withdraw/", {"note": "x"}),
    "report": ("view_usagecomparison", REPORT, {}),
    "csv": ("view_usagecomparison", CSV, {}),
    "acknowledge": ("change_driftalert", "/admin/monitoring/driftalert/{alert}/acknowledge/", {"note": "x"}),
    "resolve": ("change_driftalert", "/admin/monitoring/driftalert/{alert}/resolve/", {"note": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIONS)
def test_action_is_for_staff_with_its_permission(visitor, compared, name):
    permission, path, body = ACTIONS[name]
    export, alert = UsageExport.objects.get(), DriftAlert.objects.get(measure="cost")
    path = path.format(export=export.pk, alert=alert.pk)
    clerk = get_user_model().objects.create_user("eve@example.com", password="pw", is_staff=True)

    def call():
        return (visitor.post(path, body) if body else visitor.get(path)).status_code

    assert call() == 302  # nobody: to the login
    visitor.force_login(clerk)
    assert call() == 403
    alert.refresh_from_db()
    export.refresh_from_db()
    assert (alert.status, export.state) == (AlertStatus.OPEN, "current")
    clerk.user_permissions.add(
        Permission.objects.get(codename=permission, content_type__app_label="monitoring")
    )
    assert call() in {200, 302}
