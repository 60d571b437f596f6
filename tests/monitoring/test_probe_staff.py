"""Probes on demand: the command, the action in the admin, and the pages."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from apps.catalog.models import Provider, UpstreamBalance
from apps.common import clock
from apps.monitoring.models import Probe, Tier, Watch
from tests.monitoring.probing import offering_of


@pytest.fixture
def desk(client, settings, tmp_path, field):
    """``desk(*permissions)``: a member of staff with these, at the back office. Committed, as probes are."""
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    made = []

    def sit(*permissions: str):
        user = get_user_model().objects.create_user(f"{clock.monotonic()}@example.com", "pw")
        user.is_staff = True
        user.save()
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        made.append(user)
        client.force_login(user)
        return client

    yield sit
    for user in made:
        user.delete()


def press(client, page: str, *rows) -> str:
    answer = client.post(
        reverse(f"admin:monitoring_{page}_changelist"),
        {"action": "probe_now", "_selected_action": [row.pk for row in rows]},
        follow=True,
    )
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize("page", ["watch", "probe"])
def test_action_probes_the_chosen_hosts_and_says_what_it_found(field, make_model, desk, page):
    sound, broken = make_model("echo+words=301"), make_model("echo+status=500+words=302")
    field.watch(sound, broken)
    field.run(minutes=61)
    asked = field.calls("echo+words=301")
    rows = list((Watch if page == "watch" else Probe).objects.filter(model__in=[sound, broken]))

    told = press(desk("probe_now", "view_watch", "view_probe"), page, *rows)

    assert f"{sound} at {offering_of(sound).provider_id} answered: " in told
    assert f"{broken} at {offering_of(broken).provider_id} failed: status 500" in told
    assert field.calls("echo+words=301") == asked + 1
    assert Probe.objects.filter(tier=Tier.ON_DEMAND).count() == 2


def test_action_is_not_there_for_staff_who_may_only_look(field, make_model, desk):
    model = make_model("echo+words=303")
    field.watch(model)
    field.run()

    press(desk("view_watch"), "watch", Watch.objects.get())

    assert field.calls("echo+words=303") == 1


def test_action_refuses_more_than_are_asked_at_once(field, make_model, desk):
    field.watch(make_model("echo"))
    rows = [
        Watch.objects.create(offering_id=10**9 + n, provider="x", model="x", tier=Tier.ON_DEMAND)
        for n in range(21)
    ]

    told = press(desk("probe_now", "view_watch"), "watch", *rows)

    assert "at most 20" in told


def test_action_says_so_when_a_host_is_gone(field, make_model, desk):
    field.watch(make_model("echo"))
    row = Watch.objects.create(offering_id=10**9, provider="x", model="x", tier=Tier.ON_DEMAND)

    assert "1 cannot be asked any more." in press(desk("probe_now", "view_watch"), "watch", row)


@pytest.mark.parametrize("by", ["model", "provider"])
def test_command_probes_a_model_or_a_provider(field, make_model, capsys, by):
    model = make_model("echo+words=311")
    field.watch(model)
    name = model if by == "model" else offering_of(model).provider_id

    call_command("probe", name)

    out = capsys.readouterr().out
    assert model in out
    assert "answered: " in out
    assert Probe.objects.get().tier == Tier.ON_DEMAND


def test_command_asks_the_sandbox_which_no_schedule_does(field, make_model, capsys):
    model = make_model("echo+words=312")
    row = Provider.objects.filter(pk=offering_of(model).provider_id)
    row.update(is_sandbox=True)
    try:
        field.watch(model)
        call_command("probe", model)
    finally:
        row.update(is_sandbox=False)

    assert field.calls("echo+words=312") == 1
    assert Watch.objects.get().due_at is None


def test_command_fails_when_a_host_does(field, make_model, capsys):
    model = make_model("echo+status=503+words=313", "echo+words=314")
    field.watch(model)

    with pytest.raises(CommandError, match="Not every host answered"):
        call_command("probe", model)

    out = capsys.readouterr().out
    assert "failed: status 503" in out
    assert "answered: " in out


def test_command_knows_nobody_by_a_wrong_name(field, make_model):
    field.watch(make_model("echo"))

    with pytest.raises(CommandError, match="'nobody'"):
        call_command("probe", "nobody")


def test_command_stops_at_the_months_cap_unless_told_otherwise(field, make_model, settings, capsys):
    settings.PROBE_MONTHLY_BUDGET = 0
    model = make_model("echo+words=315")
    field.watch(model)

    with pytest.raises(CommandError):
        call_command("probe", model)
    assert "not asked: the month's budget for probes is spent" in capsys.readouterr().out
    assert field.calls("echo+words=315") == 0

    call_command("probe", model, "--beyond-budget")
    assert field.calls("echo+words=315") == 1


def test_host_under_a_round_is_left_to_it(field, make_model, capsys):
    model = make_model("echo+words=316")
    field.watch(model)
    field.run()
    Watch.objects.update(claimed_until=clock.now().replace(year=2100))

    with pytest.raises(CommandError):
        call_command("probe", model)

    assert "not asked: it is being probed already" in capsys.readouterr().out
    assert field.calls("echo+words=316") == 1


def test_metrics_tell_of_probes_that_a_worker_made(field, make_model, visitor):
    good, bad = make_model("echo+words=317"), make_model("echo+status=500+words=318")
    field.watch(good, bad)
    field.run(minutes=61)
    failed = Probe.objects.filter(succeeded=False).count()
    host = offering_of(good).provider_id

    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(visitor.get("/metrics").content.decode())
        for sample in family.samples
    }

    here = ("provider", host)
    answered = ("gatewayz_probes_total", here, ("result", "answered"), ("tier", "standard"))
    broken = ("gatewayz_probes_total", here, ("result", "failed"), ("tier", "standard"))
    cost = sum(Probe.objects.values_list("cost", flat=True))
    assert cost > 0
    assert found[answered] == 1
    assert found[broken] == failed > 0
    assert found["gatewayz_hosts_failing", here] == 1
    assert found["gatewayz_probe_cost_nano_usd_total", here] == cost
    assert found["gatewayz_probe_month_nano_usd",] == cost
    assert found["gatewayz_probe_month_cap_nano_usd",] == 5 * 10**9


def test_metrics_tell_the_balances_at_providers(visitor, db):
    row = Provider.objects.create(slug="acme-pays", name="A", wire="openai_chat")
    UpstreamBalance.objects.create(provider=row, amount=-1_500_000_000, currency="USD")
    silent = Provider.objects.create(slug="acme-silent", name="A", wire="openai_chat")
    UpstreamBalance.objects.create(provider=silent, error="It was answered with status 401.")

    text = visitor.get("/metrics").content.decode()

    labels = 'currency="USD",provider="acme-pays"'
    assert f"gatewayz_provider_balance_nano{{{labels}}} -1500000000.0" in text
    assert "acme-silent" not in text
