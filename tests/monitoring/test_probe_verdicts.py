"""What probes tell routing: the breaker that requests go by opens by them, closes by them, and lets one through at a time."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings

from apps.inference import breaker_beside, runtime
from apps.inference.breaker import LocalBreaker, Standing, rules
from apps.monitoring.models import Probe
from tests.monitoring.probing import offering_of
from tests.surfaces import Surface, ask

COOL_DOWN = 1.5


@pytest.fixture
def quick(settings) -> None:
    """The shipped numbers, but for the cool-down: settings for tests keep breakers closed."""
    settings.BREAKER_FAILURES = 5
    settings.BREAKER_LEAST_REQUESTS = 10
    settings.BREAKER_COOL_DOWN_SECONDS = COOL_DOWN


@pytest.fixture
def served(gateway, quick) -> Iterator[runtime.Runtime]:
    """The gateway's runtime, going by these numbers. With Redis its breaker is the one that is shared anyway."""
    (found,) = runtime._runtimes.values()
    former = found.breaker
    if not django_settings.REDIS_URL:
        found.breaker = LocalBreaker(rules())
    yield found
    found.breaker = former


def key_of(model: str) -> str:
    offering = offering_of(model)
    return f"{offering.pk}:{offering.upstream_model}"


def wait_until(seen, *, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not seen():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_broken_host_opens_the_gateways_breaker_and_a_healed_one_closes_it(
    field, gateway, customer, make_model, served
):
    name = "echo+status=503+first=5+words=201"
    model = make_model(name, "echo")
    key = key_of(model)
    field.watch(model)

    field.run(minutes=5)
    wait_until(lambda: served.standing(key) is Standing.OPEN)
    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, "Hello"))

    assert (answer.status, answer.headers["x-gatewayz-attempts"]) == (200, "1")
    assert answer.headers["x-gatewayz-provider"] == offering_of(model, place=1).provider_id
    assert field.calls(name) == 5

    time.sleep(COOL_DOWN)
    field.pass_time(minutes=5)
    field.run()
    assert served.standing(key) is not Standing.CLOSED, "one success is not enough"
    field.run(minutes=2)

    wait_until(lambda: served.standing(key) is Standing.CLOSED)
    verdicts = Probe.objects.filter(provider=offering_of(model).provider_id).order_by("at")
    assert [probe.succeeded for probe in verdicts] == [False] * 5 + [True] * 2


def test_rejected_probe_is_no_verdict_on_the_host(field, make_model, served):
    model = make_model("echo+status=400+words=202")
    field.watch(model)

    for _ in range(6):
        field.run()
        field.pass_time(hours=2)

    assert Probe.objects.filter(succeeded=None).count() == 6
    assert served.standing(key_of(model)) is Standing.CLOSED


def test_open_breaker_keeps_probes_away_and_they_stay_due(field, make_model, served, settings):
    settings.BREAKER_COOL_DOWN_SECONDS = 60.0
    if not settings.REDIS_URL:
        served.breaker = LocalBreaker(rules())
    name = "echo+status=503+words=203"
    model = make_model(name)
    field.watch(model)
    field.run(minutes=5)
    wait_until(lambda: served.standing(key_of(model)) is Standing.OPEN)

    field.pass_time(minutes=5)
    found = field.run(minutes=2)

    assert [one.asked for one in found] == [0, 0]
    assert field.calls(name) == 5
    assert Probe.objects.count() == 5


def test_half_open_host_is_asked_by_one_at_a_time(field, make_model, served):
    name = "echo+status=503+first=5+words=204"
    model = make_model(name)
    key = key_of(model)
    field.watch(model)
    field.run(minutes=5)
    wait_until(lambda: served.standing(key) is not Standing.CLOSED)
    time.sleep(COOL_DOWN)

    async def claim_as_a_request() -> bool:
        async with breaker_beside.open_breaker() as breaker:
            return await breaker.claim(key, by="request")

    assert asyncio.run(claim_as_a_request())
    field.pass_time(minutes=5)
    (found,) = field.run()

    assert found.asked == 0
    assert field.calls(name) == 5


def test_verdicts_stay_in_the_rows_when_nobody_serves_here_and_nothing_is_shared(
    monkeypatch, settings
):
    settings.REDIS_URL = ""
    monkeypatch.setattr(runtime, "_runtimes", {})

    async def tell() -> Standing:
        async with breaker_beside.open_breaker() as breaker:
            for _ in range(django_settings.BREAKER_FAILURES):
                breaker.record("host", by="request", succeeded=False)
            await breaker.settle()
            return breaker.standing("host")

    settings.BREAKER_FAILURES = 3
    assert asyncio.run(tell()) is Standing.OPEN
    assert not breaker_beside.is_heard()
