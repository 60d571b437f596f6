"""Many at once: one file is one import, and a day has one comparison and one alert for each measure."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.monitoring.models import (
    DriftAlert,
    ReconciliationRun,
    RunReason,
    UsageComparison,
    UsageExport,
)
from apps.monitoring.services import reconciling
from tests.monitoring.bills import line, make_price, take

PROVIDER = "raced"
DAY = datetime.date(2026, 11, 10)
MANY = 6


@pytest.fixture(autouse=True)
def _provider(committed):
    make_price("raced-v1", provider=PROVIDER)
    yield
    for table in (ReconciliationRun, DriftAlert, UsageComparison, UsageExport):
        table.objects.filter(provider=PROVIDER).delete()


def together(work):
    """All start at once; what each answered."""
    start = threading.Barrier(MANY)

    def run(_number):
        start.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(MANY) as threads:
        return list(threads.map(run, range(MANY)))


def test_file_is_one_import_when_it_is_given_many_times_at_once():
    done = together(lambda: take(line(cost="5"), provider=PROVIDER))

    assert sorted(one.is_new for one in done) == [False] * (MANY - 1) + [True]
    assert len({one.export.pk for one in done}) == 1
    assert UsageExport.objects.get(provider=PROVIDER).lines.count() == 1


def test_day_has_one_comparison_and_one_alert_when_it_is_compared_many_times_at_once():
    take(line(cost="5"), line(model="other", cost="1"), provider=PROVIDER)
    DriftAlert.objects.filter(provider=PROVIDER).delete()

    runs = together(lambda: reconciling.compare(PROVIDER, DAY, DAY, reason=RunReason.STAFF))

    assert sum(run.opened for run in runs) == 1
    assert UsageComparison.objects.filter(provider=PROVIDER).count() == 2
    assert DriftAlert.objects.filter(provider=PROVIDER).count() == 1
