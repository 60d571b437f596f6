"""manage.py import_usage_export: what it tells, and what it refuses."""

import pytest
from django.core.management import CommandError, call_command

from apps.common import clock
from apps.monitoring.models import UsageExport
from tests.monitoring.bills import HEAD, line, make_price
from tests.monitoring.recording import at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: at("2026-11-20T09:00:00"))
    make_price()


@pytest.fixture
def run(tmp_path, capsys):
    def run(*lines, provider="acme", name="bill.csv", **options):
        path = tmp_path / name
        path.write_text("\n".join([HEAD, *lines, ""]))
        call_command("import_usage_export", provider, str(path), **options)
        return capsys.readouterr().out.splitlines()

    return run


def told(out):
    return [text for text in out if not text.startswith("{")]


def test_command_tells_what_was_read_and_compared(run):
    assert told(run(line(cost="5"), line(day="2026-11-20"), account="main")) == [
        "acme main 2026-11-10 to 2026-11-10: 1 rows read with 'generic', 0 left out, 1 of a day that is not over.",
        "1 days compared: 1 models, 1 only theirs, 0 only ours; 1 alerts opened, 0 resolved.",
    ]
    assert UsageExport.objects.get().imported_by == "manage.py"
    assert told(run(line(cost="5"), line(day="2026-11-20"), account="main")) == [
        "This file is there already, and current: acme main 2026-11-10 to 2026-11-10."
    ]


def test_command_names_every_row_that_is_wrong(run, capsys):
    with pytest.raises(CommandError, match=r"Nothing was imported\."):
        run(line(cost="x"), line(day="y"))

    assert capsys.readouterr().err.splitlines() == [
        "line 2, 'cost': 'x' is not a number",
        "line 3, 'day': 'y' is not a day as in 2026-05-31",
    ]
    assert not UsageExport.objects.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"provider": "nobody"}, "provider: There is no provider 'nobody'."),
        ({"mapping": "nothing"}, "mapping: There is no mapping 'nothing' for 'acme'."),
        ({"override": {"day_format": "x"}}, "override: 'day_format' of the mapping"),
    ],
)
def test_command_is_refused_by_its_argument(run, options, words):
    with pytest.raises(CommandError, match=words):
        run(line(), **options)


@pytest.mark.parametrize("override", ["{", "[]"])
def test_command_is_refused_when_the_override_is_no_object(override):
    with pytest.raises(CommandError, match="override"):
        call_command("import_usage_export", "acme", "bill.csv", "--override", override)


def test_command_is_refused_when_there_is_no_file(tmp_path):
    with pytest.raises(CommandError, match=r"file: .*nothing\.csv cannot be read"):
        call_command("import_usage_export", "acme", str(tmp_path / "nothing.csv"))
