"""Rounds of probes over real sockets: who is asked and when, what is found, what it costs, and what stops it."""

import threading
from datetime import timedelta

import pytest
import structlog
from django.db import connection

from apps.catalog.models import Model, Offering, Provider
from apps.catalog.providers.spec import Quirk, Wire
from apps.common import clock
from apps.monitoring.models import Probe, ProbeTotal, Tier, Watch
from apps.monitoring.pacing import Purse, today_of
from apps.monitoring.selectors import read_purse
from apps.monitoring.services import probes, rounds
from apps.monitoring.services.rounds import Round
from tests.hosting import Host
from tests.monitoring.probing import offering_of, serve


def only_probe() -> Probe:
    return Probe.objects.get()


def events(logs, name):
    return [event for event in logs if event["event"] == name]


@pytest.mark.parametrize("wire", [w for w in Wire if w is not Wire.OPENAI_JSON])
def test_host_is_asked_on_its_own_wire_and_found_well(field, make_model, wire):
    model = make_model(Host("echo", wire=wire, input_usd="10", output_usd="20"))
    field.watch(model)

    (found,) = field.run()

    assert found == Round(asked=1)
    probe = only_probe()
    assert (probe.succeeded, probe.fault, probe.status) == (True, "", None)
    assert (probe.offering_id, probe.provider) == (offering_of(model).pk, offering_of(model).provider_id)  # fmt: skip
    assert probe.model == model
    assert probe.tier == Tier.STANDARD
    assert probe.latency_ms is not None
    assert probe.first_content_ms is not None
    assert 0 <= probe.first_content_ms <= probe.latency_ms
    watch = Watch.objects.get()
    assert (watch.failures, watch.claimed_until, watch.reserved) == (0, None, 0)
    assert watch.due_at is not None
    assert watch.due_at - clock.now() > timedelta(minutes=119)


def test_cost_is_the_providers_price_when_clients_pay_a_mark_up(field, make_model, settings):
    settings.PROBE_MONTHLY_BUDGET = 10**13
    model = make_model(Host("echo", input_usd="1000", output_usd="3000"))
    row = Provider.objects.filter(pk=offering_of(model).provider_id)
    row.update(markup_ppm=500_000)
    try:
        field.watch(model)
        field.run()
    finally:
        row.update(markup_ppm=0)

    # The sandbox meters "Hi" as one token and "You said: Hi" as three, by what it tells its own clients.
    assert field.bodies()[0]["messages"] == [{"role": "user", "content": "Hi"}]
    assert only_probe().cost == 10**6 * (1 * 1 + 3 * 3)
    assert read_purse(clock.now()).today == only_probe().cost


@pytest.mark.parametrize(
    ("told", "succeeded", "fault", "status"),
    [
        ("status=503", False, "status", 503),
        ("status=429", False, "status", 429),
        ("status=401", False, "status", 401),
        ("reset", False, "connection", None),
        ("empty", False, "empty", None),
        ("malformed=0", False, "malformed", None),
        ("errorbody", False, "error_in_body", None),
        ("status=400", None, "rejected", 400),
        ("context", None, "rejected", 400),
    ],
)
def test_failure_is_the_hosts_unless_it_rejects_what_was_asked(
    field, make_model, told, succeeded, fault, status
):
    field.watch(make_model(f"echo+{told}"))

    field.run()

    probe = only_probe()
    assert (probe.succeeded, probe.fault, probe.status) == (succeeded, fault, status)
    assert Watch.objects.get().failures == (1 if succeeded is False else 0)


@pytest.mark.parametrize(("told", "fault"), [("hang", "timeout"), ("stall=1+chunks=5", "stalled")])
def test_host_that_falls_silent_is_given_up_and_may_have_cost_money(
    field, make_model, settings, told, fault
):
    settings.PROBE_TIERS = {**settings.PROBE_TIERS, "standard": (7200, 0.5)}
    field.watch(make_model(f"echo+{told}"))

    field.run()

    assert only_probe().fault == fault
    assert only_probe().cost > 0
    assert 400 < (only_probe().latency_ms or 0) < 3000


def test_others_are_told_of_when_one_row_is_broken(field, make_model):
    broken, sound = make_model("echo+words=11"), make_model("echo+words=12")
    impossible = Quirk(name="impossible", apply=lambda body: body["no such field"])
    field.watch(broken, sound, quirks={broken: (impossible,)})

    with structlog.testing.capture_logs() as logs:
        field.run(minutes=61)

    found = dict(Probe.objects.values_list("model", "fault"))
    assert found == {broken: "unaskable", sound: ""}
    assert Probe.objects.get(model=broken).succeeded is None
    assert [event["model"] for event in events(logs, "probe.unaskable")] == [broken]


def test_reasoning_model_has_room_to_think(field, make_model):
    plain, thinker = make_model("echo+words=21"), make_model("echo+words=22")
    Model.objects.filter(pk=thinker).update(supported_parameters=["reasoning"])
    try:
        field.watch(plain, thinker)
        field.run(minutes=61)
    finally:
        Model.objects.filter(pk=thinker).update(supported_parameters=[])

    rooms = {body["model"]: body["max_completion_tokens"] for body in field.bodies()}
    assert rooms == {"echo+words=21": 16, "echo+words=22": 256}


@pytest.mark.parametrize(
    ("table", "facts", "usual"),
    [
        (Model, {"output_modalities": ["text", "image"]}, {"output_modalities": ["text"]}),
        (Provider, {"is_sandbox": True}, {"is_sandbox": False}),
        (Offering, {"variant": "free"}, {"variant": ""}),
    ],
)
def test_no_schedule_probes_what_is_no_honest_host_of_a_conversation(
    field, make_model, table, facts, usual
):
    model = make_model("echo+words=31")
    offering = offering_of(model)
    keys: dict[type, object] = {Model: model, Provider: offering.provider_id, Offering: offering.pk}
    rows = table.objects.filter(pk=keys[table])
    rows.update(**facts)
    try:
        field.watch(f"{model}:free" if table is Offering else model)
        found = field.run(minutes=3)
    finally:
        rows.update(**usual)

    assert found == [Round()] * 3
    assert field.calls("echo+words=31") == 0
    assert [row.tier for row in Watch.objects.all()] == [Tier.ON_DEMAND]


def test_models_that_are_no_conversation_are_not_watched_at_all(field, make_model):
    model = make_model("echo")
    Model.objects.filter(pk=model).update(output_modalities=["embeddings"])
    try:
        field.watch(model)
        field.run()
    finally:
        Model.objects.filter(pk=model).update(output_modalities=["text"])

    assert not Watch.objects.exists()


def test_tier_follows_what_clients_used_in_a_day(field, make_model):
    models = [make_model(f"echo+words={40 + n}") for n in range(6)]
    for times, model in enumerate(models):
        for _ in range(times):
            serve(offering_of(model), ago=timedelta(hours=5))
    serve(offering_of(models[0]), ago=timedelta(hours=25))
    field.watch(*models)

    field.run()

    tiers = dict(Watch.objects.values_list("model", "tier"))
    assert tiers == {
        models[5]: "critical", models[4]: "popular", **dict.fromkeys(models[:4], "standard")
    }  # fmt: skip


def test_hosts_are_asked_as_often_as_their_tier_says(field, make_model):
    critical, standard = make_model("echo+words=51"), make_model("echo+words=52")
    serve(offering_of(critical), ago=timedelta(hours=5))
    field.watch(critical, standard)

    field.run(minutes=181)

    assert field.calls("echo+words=51") == 37  # each five minutes, from the first
    assert field.calls("echo+words=52") == 2  # after one hour, its turn, and two hours later


def test_host_is_asked_by_the_round_that_comes_nearest(field, make_model):
    field.watch(make_model("echo+words=53"))
    field.run()

    Watch.objects.update(due_at=clock.now() + timedelta(seconds=45))
    assert field.run() == [Round()]
    Watch.objects.update(due_at=clock.now() + timedelta(seconds=15))
    assert field.run() == [Round(asked=1)]


def test_clients_who_are_served_save_the_probe(field, make_model):
    model = make_model("echo+words=61")
    offering = offering_of(model)
    serve(offering, ago=timedelta(hours=5))
    field.watch(model)
    for _ in range(6):
        serve(offering, ago=timedelta(minutes=1))
        field.run(minutes=4)
        field.pass_time(minutes=1)
    assert field.calls("echo+words=61") == 0

    serve(offering, ago=timedelta(), fault="status")
    field.run(minutes=6)

    assert field.calls("echo+words=61") > 0, "a request that failed is no evidence of health"


def test_failing_host_is_asked_again_at_once_and_less_often_when_it_stays_down(
    field, make_model, settings
):
    settings.BREAKER_FAILURES = 5
    settings.BREAKER_COOL_DOWN_SECONDS = 0.0  # by the clock on the wall, which no test moves
    model = make_model("echo+status=503+words=71")
    field.watch(model)

    field.run(minutes=5)
    assert field.calls("echo+status=503+words=71") == 5
    field.run(minutes=60)

    # After 5, 5, 5, 10, 20 minutes, then 40.
    assert field.calls("echo+status=503+words=71") == 10
    assert Watch.objects.get().failures == 10


def test_failures_are_forgotten_when_the_host_answers(field, make_model):
    field.watch(make_model("echo+status=503+first=2+words=72"))

    field.run(minutes=3)

    assert [p.succeeded for p in Probe.objects.order_by("at")] == [False, False, True]
    assert Watch.objects.get().failures == 0


def test_two_workers_ask_a_host_once_when_they_run_at_the_same_time(field, make_model):
    models = [make_model(f"echo+delay=300+words={80 + n}") for n in range(4)]
    field.watch(*models)
    field.run()
    Watch.objects.update(due_at=clock.now())
    start = threading.Barrier(3)
    found: list[Round] = []

    def work():
        try:
            start.wait(timeout=10)
            found.append(rounds.run_round())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    before = Probe.objects.count()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)

    assert sorted(one.asked for one in found) == [0, 0, 4]
    assert [one.is_busy for one in found].count(True) == 2
    assert Probe.objects.count() == before + 4


def test_no_more_than_a_batch_is_asked_and_no_more_than_so_many_at_once(
    field, make_model, settings
):
    settings.PROBE_BATCH, settings.PROBES_AT_ONCE = 3, 1
    models = [make_model(f"echo+delay=100+words={90 + n}") for n in range(5)]
    field.watch(*models)
    field.pass_time(hours=3)

    sizes = []
    started = clock.monotonic()
    for _ in range(3):
        Watch.objects.filter(probed_at=None).update(due_at=clock.now())
        (one,) = field.run()
        sizes.append(one.asked)

    assert sizes == [1, 3, 1], "the first of all is due when it is first seen"
    assert clock.monotonic() - started > 0.5


def test_worker_that_died_is_written_off_at_what_was_set_aside(field, make_model):
    model = make_model("echo+words=101")
    field.watch(model)
    field.run()
    Watch.objects.update(claimed_until=clock.now() + probes.CLAIM, reserved=12_345, due_at=clock.now())  # fmt: skip
    spent = read_purse(clock.now()).today
    assert field.run() == [Round(is_busy=True)]

    field.pass_time(minutes=5, seconds=1)
    with structlog.testing.capture_logs() as logs:
        field.run()

    lost = Probe.objects.get(fault="lost")
    assert (lost.succeeded, lost.cost) == (None, 12_345)
    assert read_purse(clock.now()).today == spent
    assert Watch.objects.get().claimed_until is None
    assert [event["number"] for event in events(logs, "probes.lost")] == [1]


def test_nothing_is_asked_when_the_budget_is_zero(field, make_model, settings):
    settings.PROBE_MONTHLY_BUDGET = 0
    field.watch(make_model("echo+words=111"))

    assert field.run(minutes=3) == [Round()] * 3
    assert field.calls("echo+words=111") == 0
    assert Watch.objects.count() == 1


def test_probes_stop_before_the_cap_and_say_so_once_an_hour(field, make_model, settings):
    settings.PROBE_MONTHLY_BUDGET = 10**9
    model = make_model(Host("echo+words=112", input_usd="1000", output_usd="1000"))
    serve(offering_of(model), ago=timedelta(hours=5))
    other = make_model(Host("echo+words=113", input_usd="1000", output_usd="1000"))
    field.watch(model, other)
    now = clock.now()
    Probe.objects.create(
        offering_id=1, provider="x", model="x", tier="standard", succeeded=True, cost=10**9 - 1000, at=now
    )  # fmt: skip

    with structlog.testing.capture_logs() as logs:
        first = field.run(minutes=1)
        Watch.objects.update(due_at=clock.now())
        second = field.run(minutes=1)

    assert [one.asked for one in (*first, *second)] == [0, 0]
    assert first[0].unaffordable + second[0].unaffordable >= 2
    assert field.calls("echo+words=112") == 0
    warnings = events(logs, "probes.unaffordable")
    assert len(warnings) == 1 or clock.now().minute < 2
    assert warnings[0]["cap_nano_usd"] == 10**9
    skipped = ProbeTotal.objects.filter(result="unaffordable").values_list("number", flat=True)
    assert sum(skipped) == first[0].unaffordable + second[0].unaffordable
    due = Watch.objects.get(model=model).due_at
    assert due is not None
    assert (due.minute, due.second) == (0, 0), "when more may be spent"


def test_a_day_has_its_share_and_no_hour_takes_it_all_when_everything_is_always_due(
    field, make_model, settings
):
    """A price of which a day's share affords some ten probes."""
    settings.PROBE_MONTHLY_BUDGET = 10**9
    field.watch(make_model(Host("echo+words=114", input_usd="40", output_usd="40")))
    now = clock.now()
    field.pass_time(days=1, seconds=-(now - today_of(now)).total_seconds())
    day = clock.now()
    share = Purse(10**9, 0, 0).affords(day.replace(hour=23))

    while clock.now().date() == day.date():
        Watch.objects.update(due_at=clock.now())
        rounds.run_round()
        field.pass_time(minutes=20)

    made = list(Probe.objects.order_by("at"))
    spent = 0
    for probe in made:
        spent += probe.cost
        assert spent <= share * (probe.at.hour + 1) // 24
    assert len(made) > 3
    assert made[-1].at.hour >= 20


def test_host_that_took_more_than_it_was_allowed_is_believed_the_second_time(field, make_model):
    field.watch(make_model("echo+words=115"))
    field.run()
    watch = Watch.objects.get()
    assert watch.dearest == only_probe().cost > 0

    Watch.objects.update(dearest=5 * 10**9 + 1, due_at=clock.now())

    assert field.run() == [Round(unaffordable=1)]
    assert field.calls("echo+words=115") == 1


def test_watches_follow_the_catalogue(field, make_model):
    one, other = make_model("echo+words=121"), make_model("echo+words=122")
    field.watch(one, other)
    field.run()
    assert set(Watch.objects.values_list("model", flat=True)) == {one, other}

    field.watch(other)
    field.pass_time(minutes=16)
    field.run()

    assert set(Watch.objects.values_list("model", flat=True)) == {other}


def test_old_results_are_forgotten(field, make_model, settings):
    field.watch(make_model("echo+words=131"))
    field.run()
    settings.PROBES_KEPT_FOR = timedelta(days=31)

    assert probes.forget_old() == 0
    field.pass_time(days=31, seconds=1)
    assert probes.forget_old() == 1
    assert not Probe.objects.exists()


def test_totals_outlive_what_is_forgotten(field, make_model):
    field.watch(make_model("echo+words=132"), make_model("echo+status=500+words=133"))
    field.run(minutes=61)
    Probe.objects.all().delete()

    found = dict(ProbeTotal.objects.values_list("result", "number"))
    assert found["answered"] == 1
    assert found["failed"] >= 1
