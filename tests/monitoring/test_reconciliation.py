"""Exports are imported once, replace one another by day and measure, and are compared with the records; drift is told."""

import datetime
import json

import pytest
from django.db import connection

from apps.catalog.models import Offering
from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.common.money import format_usd
from apps.monitoring import tasks
from apps.monitoring.export_files import ExportRefused
from apps.monitoring.models import (
    AlertStatus,
    BillRules,
    DriftAlert,
    Probe,
    ReconciliationRun,
    RunReason,
    Side,
    UsageComparison,
    UsageExport,
    UsageExportLine,
    UsageExportMapping,
)
from apps.monitoring.services import exports, reconciling
from tests.monitoring.bills import (
    HEAD,
    NOON,
    ask,
    line,
    make_organization,
    make_price,
    map_columns,
    take,
)
from tests.monitoring.recording import at

pytestmark = pytest.mark.django_db
TENTH = datetime.date(2026, 11, 10)
DOLLAR = 10**9


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at("2026-11-20T09:00:00"))


@pytest.fixture
def organization():
    return make_organization()


@pytest.fixture
def price_id():
    return make_price()


@pytest.fixture
def strict():
    """Whatever differs is told, however little it is."""
    BillRules.objects.filter(provider="").update(least_cost=0, least_tokens=0)


def alerts(**only):
    return {(f"{one.day}", one.measure): one for one in DriftAlert.objects.filter(**only)}


def open_ones():
    return sorted(alerts(status=AlertStatus.OPEN))


def test_file_is_one_import_when_it_is_given_twice(price_id):
    first = take(line())
    again = take(line(), file_name="renamed.csv")
    other = take(line(), account="second")

    assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
    assert (again.export, again.run) == (first.export, None)
    assert UsageExport.objects.count() == 2
    assert first.run.reason == RunReason.IMPORT


def test_file_is_imported_again_when_it_is_read_in_another_way(price_id):
    first = take(line(cost="1.5"))
    other = take(line(cost="1.5"), override={"currency_column": "", "currency": "EUR", "usd_rates": {"EUR": "2"}})  # fmt: skip

    assert other.is_new
    assert other.export.read_with["currency"] == "EUR"
    assert UsageExportLine.objects.get(export=other.export).cost == 3 * DOLLAR
    first.export.refresh_from_db()
    assert (first.export.superseded_by, first.export.state) == (other.export, "superseded")


def test_nothing_is_imported_when_a_row_is_wrong(price_id):
    with pytest.raises(ExportRefused) as refused:
        take(line(), line(cost="free"), line(day="soon"))

    assert refused.value.details["problems"] == [
        {"line": 3, "column": "cost", "what": "'free' is not a number"},
        {"line": 4, "column": "day", "what": "'soon' is not a day as in 2026-05-31"},
    ]
    assert not UsageExport.objects.exists()
    assert not UsageExportLine.objects.exists()
    assert not ReconciliationRun.objects.exists()


@pytest.mark.parametrize(
    ("options", "param", "words"),
    [
        ({"provider": "nobody"}, "provider", "There is no provider 'nobody'."),
        ({"mapping": "nothing"}, "mapping", "There is no mapping 'nothing' for 'acme'."),
        ({"mapping": "openai-cost"}, "mapping", "There is no mapping 'openai-cost' for 'acme'."),
        ({"account": "x" * 61}, "account", "at most 60 characters"),
        ({"file_name": ""}, "file", "no name"),
        ({"override": {"slug": "x"}}, "override", "'slug' is not one of"),
        ({"override": {"measures": {"price": ["cost"]}}}, "override", "'measures' of the mapping: 'price' is not one of"),
        ({"override": {"measures": []}}, "override", "'measures' of the mapping"),
        ({"override": {"kinds": []}}, "override", "'kinds' of the mapping"),
        ({"override": {"decimal_mark": "!"}}, "override", "'decimal_mark' of the mapping"),
        ({"override": {"kind_column": "model"}}, "override", "'value_column' of the mapping"),
        ({"override": {"usd_rates": {"EUR": 1.1}}}, "override", "'usd_rates' of the mapping"),
        ({"override": {"day_format": "dmy"}}, "override", "'day_format' of the mapping"),
        ({"head": "a,b,c,d,e,f,g,h"}, "mapping", "no mapping for 'acme' fits its columns: a, b, c"),
    ],
)  # fmt: skip
def test_import_is_refused_by_its_argument(price_id, options, param, words):
    with pytest.raises(InvalidRequest) as refused:
        take(line(), **options)

    assert (refused.value.param, words in refused.value.message) == (param, True)
    assert not UsageExport.objects.exists()


def test_mapping_is_chosen_by_the_columns_of_the_file(price_id):
    made = [map_columns("few", cost="cost"), map_columns("other", cost="price")]

    assert take(line()).export.mapping == "generic"
    assert take("2026-11-10,a,1", head="Day,MODEL,cost").export.mapping == "few"
    assert take("2026-11-11,a,1,2", head="day,model,cost,price", mapping="other").export.mapping == "other"  # fmt: skip
    with pytest.raises(InvalidRequest, match=r"say which: few, other"):
        take("2026-11-12,a,1,2", head="day,model,cost,price")
    for mapping in made:
        mapping.is_active = False
        mapping.save()
    with pytest.raises(ExportRefused, match="Tried: generic"):
        take("2026-11-12,a,1,2", head="day,model,cost,price")


def test_corrected_export_replaces_the_former_one(price_id):
    first = take(line(cost="1"), line(day="2026-11-11", cost="1"))
    second = take(line(cost="2"), line(day="2026-11-11", cost="3"))

    first.export.refresh_from_db()
    assert first.export.state == "superseded"
    assert first.export.lines.count() == 2
    assert [row.theirs_cost for row in UsageComparison.objects.order_by("day")] == [
        2 * DOLLAR, 3 * DOLLAR,
    ]  # fmt: skip
    assert UsageComparison.objects.get(day=TENTH).day == second.export.first_day


def test_export_of_some_days_replaces_those_alone(price_id):
    first = take(*[line(day=f"2026-11-{day:02}", cost="1") for day in (9, 10, 11)])
    take(line(cost="5"))

    first.export.refresh_from_db()
    assert first.export.state == "current"
    found = {row.day.day: row.theirs_cost for row in UsageComparison.objects.all()}
    assert found == {9: DOLLAR, 10: 5 * DOLLAR, 11: DOLLAR}


def test_export_of_some_measures_leaves_the_others(price_id):
    take(line(tokens=10, output=7, cost="1"))
    map_columns("bill", day="date", model="m")
    take("2026-11-10,large-v1,4", head="date,m,usd")

    row = UsageComparison.objects.get()
    assert (row.theirs_input_tokens, row.theirs_output_tokens, row.theirs_cost) == (
        10, 7, 4 * DOLLAR,
    )  # fmt: skip
    assert row.theirs_cache_write_tokens is None


def test_accounts_are_added_and_a_measure_that_one_does_not_tell_is_not_compared(price_id):
    map_columns("bill", day="date", model="m")
    take(line(tokens=10, cost="1"), account="a")
    take("2026-11-10,large-v1,4", head="date,m,usd", account="b")

    row = UsageComparison.objects.get()
    assert (row.theirs_cost, row.theirs_input_tokens) == (5 * DOLLAR, None)


def test_export_that_was_wrong_is_withdrawn_and_the_former_counts_again(price_id):
    first, second = take(line(cost="1")).export, take(line(cost="9")).export
    run = exports.withdraw(second.pk, note="another account's", withdrawn_by="dave@example.com")
    assert run is not None

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("current", "withdrawn")
    assert (second.withdrawn_note, second.withdrawn_by) == ("another account's", "dave@example.com")
    assert (run.reason, UsageComparison.objects.get().theirs_cost) == ("withdrawal", DOLLAR)
    assert exports.withdraw(second.pk, note="again", withdrawn_by="") is None
    assert take(line(cost="9")).is_new
    with pytest.raises(InvalidRequest, match="Say why"):
        exports.withdraw(first.pk, note=" ", withdrawn_by="")


def test_nothing_is_compared_any_more_when_the_only_export_is_withdrawn(price_id):
    export = take(line(tokens=10**6, cost="1")).export
    assert open_ones()

    exports.withdraw(export.pk, note="not ours", withdrawn_by="dave@example.com")

    assert not UsageComparison.objects.exists()
    assert {one.status for one in DriftAlert.objects.all()} == {AlertStatus.RESOLVED}
    assert {one.note for one in DriftAlert.objects.all()} == {reconciling.NOT_TOLD_ANY_MORE}


def test_replacing_goes_on_when_one_in_the_middle_is_withdrawn(price_id):
    first, second, third = (take(line(cost=str(cost))).export for cost in (1, 2, 3))
    exports.withdraw(second.pk, note="wrong", withdrawn_by="")

    first.refresh_from_db()
    assert first.superseded_by == third


def test_comparison_tells_both_sides_and_who_alone_knows_a_model(organization, price_id):
    ask(
        organization,
        price_id=price_id,
        input_tokens=70,
        cache_read_tokens=20,
        cache_write_5m_tokens=10,
        output_tokens=5,
    )
    ask(organization, price_id=price_id, input_tokens=1, usage_source="counted")
    ask(organization, price_id=price_id, model="ours-alone", input_tokens=3)
    run = take(
        line(model="LARGE-v1 ", requests=2, tokens=101, cached=20, output=5, cost="0.000106"),
        line(model="theirs-alone", tokens=4, cost="0.5"),
    ).run  # fmt: skip

    rows = {row.model: row for row in UsageComparison.objects.all()}
    both, ours, theirs = rows["large-v1"], rows["ours-alone"], rows["theirs-alone"]
    assert (both.side, ours.side, theirs.side) == (Side.BOTH, Side.OURS, Side.THEIRS)
    assert (both.ours_requests, both.ours_input_tokens, both.ours_cache_read_tokens) == (2, 101, 20)
    assert (both.ours_cache_write_tokens, both.ours_output_tokens) == (10, 5)
    assert (both.ours_cost, both.theirs_cost, both.uncertain) == (106_000, 106_000, 1)
    assert (ours.theirs_input_tokens, ours.ours_input_tokens) == (0, 3)
    assert (theirs.theirs_cost, theirs.ours_cost) == (DOLLAR // 2, 0)
    assert (run.days, run.models_compared, run.only_theirs, run.only_ours) == (1, 3, 1, 1)


def test_models_meet_by_the_rules_of_the_provider(organization, price_id):
    BillRules.objects.create(
        provider="acme", model_rules=[{"replace": [" ", "-"]}, {"drop_date": True}]
    )
    ask(organization, price_id=price_id, model="large-v1-20251001", input_tokens=5)
    take(line(model="Large v1", tokens=5))

    assert UsageComparison.objects.get().side == Side.BOTH


def test_day_is_the_providers(organization, price_id):
    BillRules.objects.create(provider="acme", time_zone="Asia/Shanghai")
    for moment in (
        "2026-11-09T15:59:59",
        "2026-11-09T16:00:00",
        "2026-11-10T15:59:59",
        "2026-11-10T16:00:00",
    ):
        ask(organization, price_id=price_id, input_tokens=1, created_at=at(moment))  # fmt: skip
    take(line(tokens=2))

    assert UsageComparison.objects.get().ours_input_tokens == 2


def test_probes_are_part_of_what_we_have_asked(price_id):
    offering = Offering.objects.get(upstream_model="large-v1")
    host = {
        "offering_id": offering.pk,
        "provider": "acme",
        "model": "vendor/large-v1",
        "tier": "standard",
    }
    Probe.objects.create(**host, succeeded=True, cost=700, at=NOON)
    Probe.objects.create(**host, succeeded=True, cost=300, at=NOON + datetime.timedelta(days=1))
    take(line(cost="0.0000007"))

    row = UsageComparison.objects.get()
    assert (row.model, row.ours_requests, row.ours_cost, row.side) == ("large-v1", 1, 700, "both")


@pytest.mark.parametrize(
    ("theirs", "ours", "is_told"),
    [
        (1_000_000, 1_000_000, False),
        (1_000_000, 1_005_000, False),
        (1_000_000, 1_005_001, True),
        (1_000_000, 995_000, False),
        (1_000_000, 994_999, True),
        (0, 1, True),
        (1, 0, True),
        (0, 0, False),
        (200, 201, False),
        (199, 200, True),
    ],
)
def test_drift_is_told_above_half_a_percent_of_theirs(
    organization, price_id, strict, theirs, ours, is_told
):
    ask(organization, price_id=price_id, output_tokens=ours)
    take(line(output=theirs, cost=f"{theirs / 10**6:.6f}"))

    expected = [("2026-11-10", "cost"), ("2026-11-10", "output_tokens")] if is_told else []
    assert open_ones() == expected
    if is_told:
        alert = alerts()["2026-11-10", "cost"]
        assert (alert.theirs, alert.ours) == (theirs * 1000, ours * 1000)
        assert (alert.difference, alert.drift_ppm) == ((ours - theirs) * 1000, 5000)


@pytest.mark.parametrize(
    ("difference", "is_told"), [(1000, False), (1001, True), (-1000, False), (-1001, True)]
)
def test_drift_is_told_above_the_least_difference(organization, price_id, difference, is_told):
    ask(organization, price_id=price_id, input_tokens=5000 + difference)
    take(line(tokens=5000, cost="0.005"))

    assert open_ones() == ([("2026-11-10", "input_tokens")] if is_told else [])


def test_credit_that_was_given_back_is_part_of_the_sum(organization, price_id, strict):
    ask(organization, price_id=price_id, output_tokens=500_000)
    take(line(output=500_000, cost="0.75"), line(requests=0, cost="-0.25"))

    assert open_ones() == []
    assert UsageExportLine.objects.get().cost == DOLLAR // 2


def test_models_of_a_day_are_judged_together(organization, price_id, strict):
    """A request under another name is no drift of the bill; the comparison shows it."""
    ask(organization, price_id=price_id, output_tokens=1000)
    take(line(model="another", output=1000, cost="0.001"))

    assert open_ones() == []
    assert {row.side for row in UsageComparison.objects.all()} == {Side.OURS, Side.THEIRS}


def test_rules_of_the_provider_win(organization, price_id):
    BillRules.objects.create(provider="acme", drift_ppm=500_000, least_cost=0, least_tokens=0)
    ask(organization, price_id=price_id, output_tokens=1500)
    take(line(output=1000, cost="0.0009"))

    assert open_ones() == [("2026-11-10", "cost")]


def test_alert_is_resolved_when_late_records_make_the_numbers_agree(organization, price_id):
    export = take(line(output=10**6, cost="1")).export
    assert open_ones() == [("2026-11-10", "cost"), ("2026-11-10", "output_tokens")]

    ask(organization, price_id=price_id, output_tokens=10**6)
    tasks.reconcile_usage()

    run = ReconciliationRun.objects.latest("pk")
    assert (run.reason, run.resolved, run.opened, run.export) == ("schedule", 2, 0, None)
    assert open_ones() == []
    assert {(one.note, one.handled_by) for one in DriftAlert.objects.all()} == {
        (reconciling.WITHIN, "")
    }
    assert export.lines.count() == 1


def test_days_long_ago_are_not_compared_anew(price_id):
    take(line(day="2026-11-05"))
    take(line(day="2026-11-06"), line(day="2026-11-08"))
    take(line(day="2026-10-06"), account="old")

    tasks.reconcile_usage()

    (run,) = ReconciliationRun.objects.filter(reason=RunReason.SCHEDULE)
    assert (f"{run.first_day}", f"{run.last_day}", run.days) == ("2026-11-06", "2026-11-08", 3)


def test_days_of_an_import_that_was_not_compared_are_compared(organization, price_id):
    take(line(day="2026-10-06"))
    ReconciliationRun.objects.all().delete()
    UsageComparison.objects.all().delete()

    tasks.reconcile_usage()
    tasks.reconcile_usage()

    assert ReconciliationRun.objects.count() == 1
    assert UsageComparison.objects.count() == 1


def test_day_is_read_again_when_an_export_comes_in_between(price_id):
    first = take(line(cost="1")).export
    waiting = ["another"]

    def interrupt(execute, sql, *rest):
        if waiting and "inference_requestrecord" in sql:
            waiting.clear()
            exports.withdraw(first.pk, note="wrong", withdrawn_by="")
            take(line(cost="2"))
        return execute(sql, *rest)

    with connection.execute_wrapper(interrupt):
        reconciling.compare("acme", TENTH, TENTH, reason=RunReason.STAFF)

    assert not waiting
    assert UsageComparison.objects.get().theirs_cost == 2 * DOLLAR


def test_alert_that_was_handled_opens_again_only_when_the_drift_has_grown(organization, price_id):
    take(line(output=10**6, cost="1"))
    alert = alerts()["2026-11-10", "output_tokens"]
    reconciling.handle(
        alert.pk, status=AlertStatus.ACKNOWLEDGED, note="asked them", handled_by="dave@example.com"
    )

    ask(organization, price_id=price_id, output_tokens=1000)
    tasks.reconcile_usage()
    alert.refresh_from_db()
    assert (alert.status, alert.note, alert.ours) == ("acknowledged", "asked them", 1000)

    take(line(output=10**6 + 1001, cost="1"))
    alert.refresh_from_db()
    assert (alert.status, alert.note, alert.handled_by, alert.theirs) == (
        "open",
        "",
        "",
        10**6 + 1001,
    )


def test_alert_that_staff_resolved_opens_again_after_the_numbers_had_agreed(organization, price_id):
    take(line(output=10**6, cost="0"))
    alert = alerts()["2026-11-10", "output_tokens"]
    reconciling.handle(alert.pk, status=AlertStatus.RESOLVED, note="known", handled_by="dave")
    take(line(output=0, cost="0"))
    alert.refresh_from_db()
    assert (alert.status, alert.note) == ("resolved", "known")

    take(line(output=5000, cost="0"))
    alert.refresh_from_db()
    assert alert.status == "open"


@pytest.mark.parametrize(
    ("status", "note", "param"),
    [("open", "x", "status"), ("resolved", " ", "note"), ("acknowledged", "x" * 501, "note")],
)
def test_handling_is_refused_by_its_field(price_id, status, note, param):
    take(line(output=10**6))
    alert = DriftAlert.objects.get(measure="output_tokens")

    with pytest.raises(InvalidRequest) as refused:
        reconciling.handle(alert.pk, status=AlertStatus(status), note=note, handled_by="dave")

    assert refused.value.param == param
    alert.refresh_from_db()
    assert alert.status == AlertStatus.OPEN


def test_drift_is_an_error_in_the_log_once(price_id, caplog):
    take(line(output=10**6, cost="0"))
    tasks.reconcile_usage()

    told = [one for one in caplog.records if one.levelname == "ERROR"]
    assert [one.msg["event"] for one in told] == ["reconciliation.drift"]
    assert (told[0].msg["provider"], told[0].msg["day"]) == ("acme", "2026-11-10")


def test_mapping_is_kept_with_the_export_as_it_was(price_id):
    export = take(line()).export
    UsageExportMapping.objects.filter(slug="generic").update(day_column="date")

    assert export.read_with["day_column"] == "day"
    assert json.dumps(export.read_with)
    assert (export.measures[0], HEAD.split(",")[0], format_usd(0)) == ("requests", "day", "$0.00")
