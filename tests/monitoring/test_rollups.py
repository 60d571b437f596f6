"""Roll-ups: whatever was written whenever, and whenever the job ran, they and the newest records are what all records add up to."""

import datetime
import math
import threading
from collections import defaultdict
from dataclasses import replace
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Organization
from apps.common import clock
from apps.common.histograms import RELATIVE_ERROR, percentile
from apps.inference.models import RequestRecord
from apps.inference.usage_sums import MONEY, Range, sum_records
from apps.monitoring import periods
from apps.monitoring.models import UsageDay, UsageHour, UsageLate, UsageProgress, UsageTail
from apps.monitoring.services import rollups
from apps.monitoring.usage import GROUPS, Question, read_times, read_total, read_usage
from tests.monitoring.recording import at, forget, write

START = at("2026-03-01T00:00:00")
END = at("2026-03-03T00:00:00")
HOUR = datetime.timedelta(hours=1)
NUMBERS = ("input_tokens", "reasoning_tokens", "images", *MONEY)


@pytest.fixture
def nothing(committed):
    forget()
    yield
    forget()


@pytest.fixture
def organization(nothing):
    return Organization.objects.create(name="acme").pk


def moments():
    # A few minutes around borders of hours, so that they are met.
    return st.builds(
        lambda hour, microseconds: START + hour * HOUR + datetime.timedelta(microseconds=microseconds),
        st.integers(1, 46),
        st.sampled_from([0, 1, -1, 500_000, 999_999, 30 * 60_000_000, 1800_000_000 - 1, 59 * 60_000_000])
        | st.integers(0, 3_599_999_999),
    )  # fmt: skip


records = st.fixed_dictionaries(
    {
        "created_at": moments(),
        "model": st.sampled_from(["acme/large", "acme/small", ""]),
        "provider": st.sampled_from(["acme", "other"]),
        "tag": st.sampled_from(["", "blue", "it's 100 %"]),
        "api_key_id": st.just(None),
        "outcome": st.sampled_from(
            ["completed", "completed", "client_gone", "failed", "interrupted", "stopped", "empty"]
        ),
        "status": st.sampled_from([200, 400, 503]),
        "cached": st.booleans(),
        "is_byok": st.booleans(),
        "price_id": st.sampled_from([None, 7]),
        "streamed": st.booleans(),
        "input_tokens": st.integers(0, 2**40),
        "reasoning_tokens": st.integers(0, 10**6),
        "images": st.integers(0, 3),
        "cost": st.integers(0, 2**50),
        "saved": st.integers(0, 2**50),
        "charged": st.integers(0, 2**50),
        "latency_ms": st.integers(0, 2**31 - 1),
        "first_token_ms": st.none() | st.integers(0, 10**6),
    }
)
ranges = st.lists(moments(), min_size=2, max_size=2, unique=True).map(sorted)
groupings = st.lists(st.sampled_from(GROUPS), unique=True, max_size=3).map(tuple)
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu"])  # fmt: skip


def value_of(group, record, zone):
    if group == "day":
        return (record.created_at.astimezone(zone).date() - datetime.date(1970, 1, 1)).days
    if group == "hour":
        return int(record.created_at.timestamp() // 3600)
    if group == "key":
        return record.api_key_id or 0
    if group == "billing":
        if record.cached:
            return "cache"
        if record.is_byok:
            return "own_key"
        return "none" if record.price_id is None else "price"
    return getattr(record, group)


def by_hand(question):
    """The same from the records, one by one."""
    found = defaultdict(list)
    for record in RequestRecord.objects.filter(organization_id=question.organization_id):
        if question.whole.start <= record.created_at < question.whole.end:
            found[tuple(value_of(group, record, question.zone) for group in question.by)].append(
                record
            )
    return found


def assert_true(question):
    wanted = by_hand(question)
    told = {spread.values: spread.sums for spread in read_usage(question)}
    assert told.keys() == wanted.keys()
    for values, sums in told.items():
        of_group = wanted[values]
        for name in NUMBERS:
            assert sums[name] == sum(getattr(record, name) for record in of_group)
        for end in ("completed", "client_gone", "interrupted", "stopped", "empty", "lost"):
            assert sums[end] == sum(record.outcome == end for record in of_group)
        failed = [record.status for record in of_group if record.outcome == "failed"]
        assert sums["rejected"] == sum(status < 500 for status in failed)
        assert sums["failed"] == sum(status >= 500 for status in failed)
        timed = [r for r in of_group if r.outcome == "completed" and not r.cached]
        assert_near(sums.latency, [r.latency_ms for r in timed])
        assert_near(
            sums.first_token,
            [r.first_token_ms for r in timed if r.streamed and r.first_token_ms is not None],
        )


def assert_near(histogram, times):
    for share in (1, 50, 95, 99, 100):
        told = percentile(histogram, share)
        if not times:
            assert told is None
            continue
        exact = sorted(times)[math.ceil(share * len(times) / 100) - 1]
        assert told == pytest.approx(max(exact, 1), rel=RELATIVE_ERROR + 1e-9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    batches=st.lists(st.lists(records, max_size=6), min_size=1, max_size=3),
    between=ranges,
    by=groupings,
    zone=zones,
)
def test_sums_are_those_of_the_records_however_grouped_and_whenever_the_job_ran(
    nothing, batches, between, by, zone
):
    forget()
    organization = Organization.objects.create(name="acme").pk
    write(Organization.objects.create(name="other").pk, created_at=START, cost=5)
    questions = [
        Question(organization, Range(*between), by, ZoneInfo(zone)),
        Question(organization, Range(START, END), by, ZoneInfo(zone)),
    ]
    for rows in batches:
        if rows:
            write(organization, *rows)
        for question in questions:
            assert_true(question)
        rollups.roll_up()
        for question in questions:
            assert_true(question)
    total = read_total(questions[1])
    rollups.rebuild(START, END)
    assert read_total(questions[1]).numbers == total.numbers
    assert_true(questions[0])


def test_a_job_that_runs_again_changes_nothing(organization):
    write(organization, *({"created_at": START + n * HOUR / 7, "cost": n} for n in range(50)))
    rollups.roll_up()
    once = list(UsageHour.objects.order_by("hour").values())
    rollups.roll_up()
    rollups.roll_up()

    assert list(UsageHour.objects.order_by("hour").values()) == once
    assert sum(row["cost"] for row in once) == sum(range(50))


def test_minutes_are_added_to_the_hour_that_has_begun(organization, monkeypatch):
    """As from minute to minute; the database's clock is the test's."""
    hour = clock.now().replace(minute=0, second=0, microsecond=0) + HOUR
    for minute in range(0, 60, 6):
        write(organization, created_at=hour + datetime.timedelta(minutes=minute), cost=1 << minute)
        later = hour + datetime.timedelta(minutes=minute + 4)
        monkeypatch.setattr(rollups, "_database_time", lambda later=later: later)
        rollups.roll_up()

    row = UsageHour.objects.get()
    assert (row.completed, row.cost) == (10, sum(1 << minute for minute in range(0, 60, 6)))
    assert not UsageLate.objects.exists()
    assert UsageProgress.objects.get().until == hour + datetime.timedelta(minutes=57)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-03-27"),
        ("Europe/Berlin", "2026-10-23"),
        ("America/St_Johns", "2026-03-06"),
        ("Australia/Lord_Howe", "2026-04-03"),
        ("Pacific/Kiritimati", "2026-03-01"),
        ("Pacific/Pago_Pago", "2026-03-01"),
        ("Asia/Kolkata", "2026-03-01"),
        ("Asia/Kathmandu", "2026-03-01"),
        ("Pacific/Marquesas", "2026-03-01"),
        ("Australia/Adelaide", "2026-04-03"),
        ("Pacific/Chatham", "2026-04-03"),
        ("Pacific/Chatham", "2026-09-25"),
    ],
)
def test_days_of_a_zone_are_exact_when_they_are_made_of_days_of_utc(
    organization, monkeypatch, zone, start
):
    """Across the night in which the clocks change; a late record comes into a day that has its sums already."""
    first = at(f"{start}T00:00:00")
    monkeypatch.setattr(rollups, "_database_time", lambda: first + 120 * HOUR)
    moments = [first + n * HOUR / 4 for n in range(4 * 96)]
    write(
        organization,
        *({"created_at": one, "cost": n, "latency_ms": n} for n, one in enumerate(moments)),
    )
    whole = Range(first + 3 * HOUR / 2, first + 95 * HOUR)
    question = Question(organization, whole, ("day",), ZoneInfo(zone))
    rollups.roll_up()
    assert UsageDay.objects.count() == 4
    assert_true(question)

    write(organization, created_at=first + 47 * HOUR, cost=1000)
    assert_true(question)
    rollups.roll_up()
    assert_true(question)
    assert_true(replace(question, by=("day", "hour")))
    assert sum(UsageDay.objects.values_list("cost", flat=True)) == 1000 + sum(range(4 * 96))


@pytest.mark.parametrize("by", [("day", "model"), ("day", "hour")])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin"])  # fmt: skip
def test_days_of_a_zone_need_no_records_that_are_rolled_up(organization, monkeypatch, zone, by):
    monkeypatch.setattr(rollups, "_database_time", lambda: END + HOUR)
    write(organization, *({"created_at": START + n * HOUR / 4, "cost": n} for n in range(4 * 48)))
    rollups.roll_up()
    question = Question(organization, Range(START, END), by, ZoneInfo(zone))
    assert_true(question)

    RequestRecord.objects.update(cost=10**6)  # unseen by whoever reads the roll-ups alone

    assert sum(spread.sums["cost"] for spread in read_usage(question)) == sum(range(4 * 48))
    assert all(spread.sums["cost"] < 10**6 for spread in read_usage(question))


def test_every_zone_has_its_midnights_rolled_up():
    moments = [at(f"{year}-{month:02}-15T12:00:00") for year in (2026, 2027) for month in range(1, 13)]  # fmt: skip
    found = {
        periods.minutes_ahead(moment, ZoneInfo(name))
        for name in available_timezones()
        for moment in moments
    }

    assert {minutes for minutes in found if minutes % 60} == set(periods.PARTIAL_OFFSETS)


def test_days_are_exact_while_a_former_release_still_rolls_up_without_tails(
    organization, monkeypatch
):
    def roll_up_until(moment):
        monkeypatch.setattr(rollups, "_database_time", lambda: moment)
        rollups.roll_up()

    def rest():
        return UsageProgress.objects.get().tails_since

    write(organization, *({"created_at": START + n * HOUR / 4, "cost": n} for n in range(4 * 48)))
    question = Question(organization, Range(START, END), ("day",), ZoneInfo("Asia/Kolkata"))
    roll_up_until(START + 10 * HOUR)
    assert rest() == 0
    roll_up_until(START + 25 * HOUR + HOUR / 4)
    # As if the former one had done so.
    UsageTail.objects.all().delete()
    UsageProgress.objects.update(version=F("version") + 1)

    assert_true(question)
    roll_up_until(END + HOUR)
    assert_true(question)
    hour = int(START.timestamp()) // 3600
    assert rest() == hour + 26  # 01:15 less a minute, the second day
    rollups.rebuild(START, END)
    assert rest() == hour
    assert_true(question)


def test_many_ranges_are_looked_up_whatever_sqlite_knows_of_the_rows(organization):
    """After ``ANALYZE`` of a million records of one organisation its planner would rather read all of them."""
    if connection.vendor != "sqlite":
        return  # PostgreSQL, which always knows, weighs the ranges themselves
    many = [Range(START + n * HOUR, START + n * HOUR + HOUR / 2) for n in range(30)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'inference_requestrecord'")
        for index, told in (
            ("inference_record_by_org", "1000000 1000000 1"),
            ("inference_requestrecord_created_at_a48e7582", "1000000 1"),
        ):
            row = ["inference_requestrecord", index, told]
            cursor.execute("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (%s, %s, %s)", row)
        cursor.execute("ANALYZE sqlite_master")  # reads them
        with CaptureQueriesContext(connection) as asked:
            sum_records(many, slot_seconds=3600, organization_id=organization)
            sum_records(many, slot_seconds=3600)
        for query in asked.captured_queries:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"].replace("%", "%%"), [])
            steps = [row[-1] for row in cursor.fetchall()]
            assert any(step.startswith("SEARCH inference_requestrecord") for step in steps)
            assert not any(step.startswith("SCAN inference_requestrecord") for step in steps)
        transaction.set_rollback(True)


def test_times_of_a_page_are_those_of_its_groups_alone(organization):
    write(
        organization,
        *({"created_at": START + n * HOUR / 2, "latency_ms": 10 * n + 10} for n in range(90)),
    )
    rollups.roll_up()
    question = Question(organization, Range(START, END), ("hour",))
    in_full = dict(read_usage(question))
    numbers = read_usage(replace(question, has_times=False))
    assert not any(spread.sums.latency for spread in numbers)

    page = sorted(numbers, key=lambda spread: spread.values)[10:15]
    for values, sums in read_times(question, page):
        assert sums.latency == in_full[values].latency
        assert sums.numbers == in_full[values].numbers


def test_answer_is_true_the_moment_a_request_ends(organization):
    write(organization, created_at=START, cost=1)
    rollups.roll_up()
    question = Question(organization, Range(START, clock.now() + HOUR))
    assert read_total(question)["cost"] == 1
    write(organization, created_at=clock.now(), cost=2)

    assert read_total(question)["cost"] == 3
    rollups.roll_up()
    assert read_total(question)["cost"] == 3


def test_a_record_that_becomes_another_one_moves_to_its_hour(organization):
    """A request that was called lost, and that was answered after all."""
    lost = write(organization, created_at=START, outcome="lost", cost=0, usage_source="lost")
    rollups.roll_up()
    write(organization, id=lost[0], created_at=START + 5 * HOUR, cost=9)
    rollups.roll_up()

    row = UsageHour.objects.get()
    assert row.began_at == START + 5 * HOUR
    assert (row.lost, row.completed, row.cost) == (0, 1, 9)


def test_records_are_noted_as_late_only_when_they_are(organization):
    write(organization, created_at=clock.now() - datetime.timedelta(seconds=50))
    assert not UsageLate.objects.exists()
    write(organization, created_at=START + HOUR / 2)

    assert [row.hour for row in UsageLate.objects.all()] == [int(START.timestamp()) // 3600]


@pytest.mark.parametrize("microseconds", [0, 1, 999_499, 999_500, 999_999])
def test_a_late_record_is_noted_in_its_own_hour_to_the_last_microsecond(organization, microseconds):
    moment = START + HOUR - datetime.timedelta(seconds=1) + datetime.timedelta(microseconds=microseconds)  # fmt: skip
    write(organization, created_at=moment)

    assert UsageLate.objects.get().hour == int(START.timestamp()) // 3600


def test_nothing_is_missed_and_nothing_counts_twice_when_late_records_come_while_the_job_runs(
    organization,
):
    """Writers of old and new records commit slowly, while the job and a reader run beside them."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def write_slowly(worker: int) -> None:
        try:
            for number in range(12):
                with transaction.atomic():
                    age = HOUR * (number % 5) if number % 2 else datetime.timedelta(0)
                    moment = clock.now() - age - datetime.timedelta(seconds=worker)
                    write(organization, created_at=moment, cost=1 + number)
                    stop.wait(0.02)  # under way for a while: that is what is tried here
        except BaseException as error:  # told by the test's own thread
            failures.append(error)
        finally:
            connection.close()

    write(organization, created_at=clock.now() - 7 * HOUR, cost=1000)
    writers = [threading.Thread(target=write_slowly, args=(worker,)) for worker in range(4)]
    for writer in writers:
        writer.start()
    whole = Question(organization, Range(clock.now() - 10 * HOUR, clock.now() + HOUR))
    least = 0
    while any(writer.is_alive() for writer in writers):
        rollups.roll_up()
        now = read_total(whole)["cost"]
        assert now >= least
        least = now
    for writer in writers:
        writer.join()
    assert not failures
    rollups.roll_up()

    expected = 1000 + 4 * sum(range(1, 13))
    assert read_total(whole)["cost"] == expected
    assert sum(RequestRecord.objects.values_list("cost", flat=True)) == expected
    until = UsageProgress.objects.get().until
    assert until is not None
    rolled = read_total(Question(organization, Range(START, until)))
    assert sum(UsageHour.objects.values_list("cost", flat=True)) == rolled["cost"]


def test_the_job_waits_for_who_was_writing_when_it_chose_its_minute(organization, monkeypatch):
    """A record that is not late when it is written, and whose transaction ends only after its minute is over."""
    write(organization, created_at=START, cost=1)
    moment = clock.now() - datetime.timedelta(seconds=30)
    written, may_end = threading.Event(), threading.Event()

    def write_and_wait() -> None:
        with transaction.atomic():
            write(organization, created_at=moment, cost=2)
            written.set()
            may_end.wait(10)
        connection.close()

    def roll() -> None:
        rollups.roll_up()
        connection.close()

    later = clock.now() + 3 * datetime.timedelta(minutes=1)
    monkeypatch.setattr(rollups, "_database_time", lambda: later)
    monkeypatch.setattr(rollups, "PATIENCE_SECONDS", 0.1)
    threads = [threading.Thread(target=write_and_wait), threading.Thread(target=roll)]
    threads[0].start()
    assert written.wait(10)
    threads[1].start()
    threads[1].join(1)  # PostgreSQL's job gives up, SQLite's waits until it may write
    assert not UsageProgress.objects.filter(until__gt=moment).exists()

    may_end.set()
    for thread in threads:
        thread.join()
    rollups.roll_up()
    until = UsageProgress.objects.get().until
    assert until is not None
    assert until > moment
    assert not UsageLate.objects.exists()
    assert sum(UsageHour.objects.values_list("cost", flat=True)) == 3


def test_roll_ups_are_made_anew_by_command_when_they_are_wrong(organization, capsys):
    write(organization, created_at=START, cost=7)
    rollups.roll_up()
    UsageHour.objects.update(cost=8)
    call_command("rebuild_rollups", "--from=2026-03-01", "--to=2026-03-02")

    assert UsageHour.objects.get().cost == 7
    assert capsys.readouterr().out.startswith("24 hours summed anew")
    for wrong in (["--from=yesterday"], ["--from=2026-03-02", "--to=2026-03-01"]):
        with pytest.raises(CommandError, match="--"):
            call_command("rebuild_rollups", *wrong)
