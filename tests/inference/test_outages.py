"""Outages: a host that flaps, one of two that fails, one that does not even take connections, and what a neighbour hears of it."""

import asyncio
import contextlib
import secrets
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.conf import settings

from apps.catalog.models import Offering, Provider
from apps.inference import runtime
from apps.inference.breaker import LocalBreaker, Rules, Standing
from apps.inference.health import HealthBook
from tests.hosting import Host, publish, seconds, slug_of
from tests.installation import make_installation
from tests.sandbox.process import start_sandbox
from tests.surfaces import Surface, ask, read_answer

TEXT = "Hello there, how are you doing on this fine day?"
WHOLE = f"You said: {TEXT}"
SHIPPED = Rules(failures=5, share=0.5, least=10, window=60.0, cool_down=15.0, successes=2)
"""The numbers of the decisions page; settings for tests keep breakers closed."""


@pytest.fixture
def breaker(gateway) -> Iterator[Any]:
    """The gateway's breaker with the shipped numbers and what it knows of its hosts, by a clock that the test moves."""
    (served,) = runtime._runtimes.values()

    class Clock:
        moment = 1000.0

    found = LocalBreaker(SHIPPED, now=lambda: Clock.moment)
    found.clock = Clock  # type: ignore[attr-defined]
    former = served.breaker, served.health
    served.breaker, served.health = found, HealthBook(now=lambda: Clock.moment)
    yield found
    served.breaker, served.health = former


def wait_for(is_so: Callable[[], bool]) -> None:
    """What the server learns of a call it may note a moment after the client has its answer."""
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline, "it never is"
        time.sleep(0.01)


def only_circuit(breaker: LocalBreaker) -> str:
    """The key of the one host that it knows."""
    wait_for(lambda: bool(breaker._circuits))
    (key,) = breaker._circuits
    return key


@pytest.mark.parametrize(
    ("priorities", "others"),
    [((0, 1), ["1"]), ((0, 0), ["1.2"]), ((0, 0), ["1"]), ((0, 0), ["1.1", "1.2"])],
    ids=["first by priority", "cheaper", "as cheap", "cheapest of three"],
)
def test_flapping_host_is_passed_by_and_back_soon(
    gateway, customer, make_model, upstream, breaker, priorities, others
):
    """Down for a minute of requests each second: five calls open its breaker, then one probe in fifteen seconds."""
    down = 5 + 3
    name = f"echo+status=503+first={down}"
    first, then = priorities
    model = make_model(
        Host(name, input_usd="1", priority=first),
        *(Host("echo", input_usd=usd, priority=then) for usd in others),
    )
    client = gateway.client(customer)
    served: list[tuple[float, str]] = []
    healthy_from = None

    for _ in range(120):
        breaker.clock.moment += 1
        answer = ask(client, Surface.CHAT, Surface.CHAT.body(model, TEXT))
        assert (answer.status, answer.text) == (200, WHOLE)
        served.append((breaker.clock.moment, answer.headers["x-gatewayz-provider"]))
        if healthy_from is None and upstream.stats()["by_model"][name] == down:
            healthy_from = breaker.clock.moment

    assert healthy_from is not None
    assert healthy_from - 1000 >= 45, "the probes of most of a minute"
    back = next(moment for moment, provider in served if provider == slug_of(0))
    assert back - healthy_from <= 20
    assert {provider for moment, provider in served if moment > back + 1} == {slug_of(0)}


def test_client_is_told_when_the_host_may_be_asked_again(gateway, customer, make_model, breaker):
    body = Surface.CHAT.body(make_model("echo+status=503+words=9"), TEXT)
    client = gateway.client(customer)
    for _ in range(5):
        ask(client, Surface.CHAT, body)

    told = []
    for moment in (1000, 1013, 1014.5):
        breaker.clock.moment = moment
        told.append(ask(client, Surface.CHAT, body).headers["retry-after-ms"])

    assert told == ["15000", "2000", "1000"]


def test_client_is_told_to_come_back_while_somebody_else_tries_the_only_host(
    gateway, customer, make_model, breaker
):
    body = Surface.CHAT.body(make_model("echo+status=503+words=8"), TEXT)
    client = gateway.client(customer)
    for _ in range(5):
        ask(client, Surface.CHAT, body)
    breaker.clock.moment += 15
    (key,) = breaker._circuits
    assert asyncio.run(breaker.claim(key, by="another")), "somebody else's probe"

    answer = ask(client, Surface.CHAT, body)

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "x-gatewayz-attempts" not in answer.headers


@pytest.mark.alone
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "json"])
def test_silent_host_is_back_soon(gateway, customer, make_model, upstream, settings, streamed):
    """In a tenth of the shipped times: its probes wait less than a first call does, on a real socket."""
    (served,) = runtime._runtimes.values()
    former = served.breaker, served.health
    rules = Rules(failures=1, share=0.5, least=10, window=60.0, cool_down=1.5, successes=1)
    served.breaker, served.health = LocalBreaker(rules), HealthBook()
    settings.BREAKER_PROBE_SECONDS, settings.WHOLE_ANSWER_SECONDS = 0.4, 6.0
    silent = 3
    name = f"echo+hang+first={silent}"
    model = make_model(Host(name, seconds=seconds(first_content=1.5)), "echo")
    client = gateway.client(customer)
    body = Surface.CHAT.body(model, TEXT, stream=streamed)
    healthy_from, provider = 0.0, ""
    deadline = time.monotonic() + 20
    try:
        while provider != slug_of(0):
            assert time.monotonic() < deadline, "it is never back"
            time.sleep(0.05)
            asked_at = time.monotonic()
            answer = ask(client, Surface.CHAT, body)
            assert (answer.status, answer.text) == (200, WHOLE)
            provider = answer.headers["x-gatewayz-provider"]
            if not healthy_from and upstream.stats()["by_model"][name] == silent:
                healthy_from = asked_at
    finally:
        served.breaker, served.health = former

    # The worst case: it came back just after a probe had begun.
    assert asked_at - healthy_from <= 0.4 + 1.5 + 0.5


def test_host_that_is_outrun_while_it_is_tried_again_is_left_alone_for_another_while(
    gateway, customer, make_model, breaker, settings
):
    settings.BREAKER_PROBE_SECONDS = 0.3
    model = make_model("echo+hang+words=4", "echo")
    key = f"{Offering.objects.get(model_id=model, priority=0).pk}:echo+hang+words=4"
    for _ in range(5):
        breaker.record(key, by="another", succeeded=False)
    breaker.clock.moment += 15
    client = gateway.client(customer)

    tried = ask(client, Surface.CHAT, Surface.CHAT.body(model, TEXT))
    wait_for(lambda: breaker.standing(key) is Standing.OPEN)
    spared = ask(client, Surface.CHAT, Surface.CHAT.body(model, TEXT))

    assert [answer.headers["x-gatewayz-attempts"] for answer in (tried, spared)] == ["2", "1"]
    assert breaker.seconds_left(key) == 15


def test_host_that_has_just_been_down_may_take_its_time_for_a_whole_answer(
    gateway, customer, make_model, settings
):
    """Nobody knows how long it usually takes: another one is asked beside it, and it is well when it answers first."""
    (served,) = runtime._runtimes.values()
    former = served.breaker, served.health
    rules = Rules(failures=1, share=0.5, least=10, window=60.0, cool_down=0.0, successes=1)
    served.breaker, served.health = LocalBreaker(rules), HealthBook()
    settings.BREAKER_PROBE_SECONDS = 0.2
    model = make_model("echo+delay=700+words=4", "echo+delay=3000+words=4")
    body = Surface.CHAT.body(model, TEXT)
    client = gateway.client(customer)
    try:
        ask(client, Surface.CHAT, body)
        key = only_circuit(served.breaker)
        served.breaker.record(key, by="another", succeeded=False)
        answer = ask(client, Surface.CHAT, body)
        wait_for(lambda: served.breaker.standing(key) is Standing.CLOSED)
    finally:
        served.breaker, served.health = former

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    faults = [{a["fault"] for a in record.attempts} for record in customer.settled(requests=2)]
    assert sorted(faults, key=len) == [{""}, {"", "outrun"}]


def test_silent_host_that_has_just_been_down_is_not_awaited_by_a_whole_answer(
    gateway, customer, make_model, settings
):
    """As long as it usually takes, and no longer: it answered ten whole answers at once before it fell silent."""
    (served,) = runtime._runtimes.values()
    former = served.breaker, served.health
    rules = Rules(failures=1, share=0.5, least=10, window=60.0, cool_down=0.0, successes=1)
    served.breaker, served.health = LocalBreaker(rules), HealthBook()
    settings.BREAKER_PROBE_SECONDS = 0.4
    model = make_model("echo+hang+every=11+words=7", "echo+words=6")
    body = Surface.CHAT.body(model, TEXT)
    client = gateway.client(customer)
    try:
        for _ in range(10):
            assert ask(client, Surface.CHAT, body).headers["x-gatewayz-provider"] == slug_of(0)
        key = only_circuit(served.breaker)
        wait_for(lambda: served.health.of(key).usual_whole is not None)
        served.breaker.record(key, by="another", succeeded=False)
        asked_at = time.monotonic()
        answer = ask(client, Surface.CHAT, body)
    finally:
        served.breaker, served.health = former

    assert (answer.status, answer.headers["x-gatewayz-provider"]) == (200, slug_of(1))
    assert 0.4 <= time.monotonic() - asked_at < 3


def test_probe_of_a_request_stays_the_only_one_for_as_long_as_it_takes(
    gateway, customer, make_model, upstream, settings
):
    (served,) = runtime._runtimes.values()
    former = served.breaker
    rules = Rules(
        failures=1, share=0.5, least=10, window=60.0, cool_down=0.0, successes=1, claim=0.3
    )
    served.breaker = LocalBreaker(rules)
    settings.BREAKER_CLAIM_SECONDS = 0.3
    name = "echo+delay=2500+every=2+words=5"
    model = make_model(name)
    body = Surface.CHAT.body(model, TEXT)
    try:
        ask(gateway.client(customer), Surface.CHAT, body)
        served.breaker.record(only_circuit(served.breaker), by="another", succeeded=False)
        with ThreadPoolExecutor() as pool:
            probe = pool.submit(ask, gateway.client(customer), Surface.CHAT, body)
            wait_for(lambda: upstream.stats()["by_model"].get(name) == 2)
            time.sleep(0.9)
            other = ask(gateway.client(customer), Surface.CHAT, body)
            assert probe.result().status == 200
    finally:
        served.breaker = former

    assert other.status == 503
    assert "x-gatewayz-attempts" not in other.headers


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        (["status=429+retry_after=30"], "30"),
        (["status=429+retry_after=30", "status=429+retry_after=20+words=3"], "20"),
        (["status=503+retry_after=30"], "30"),
        (["status=429+retry_after=30", "status=503+words=3"], "1"),
        (["status=429+retry_after=86400"], "60"),
        (["status=429+retry_after=0.1"], "1"),
    ],
    ids=str,
)
def test_client_is_told_what_its_hosts_say_when_all_of_them_say_when_to_come_back(
    gateway, customer, make_model, hosts, told
):
    model = make_model(*[f"echo+{host}" for host in hosts])

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    assert (answer.status, answer.headers["retry-after"]) == (503, told)


@pytest.mark.alone
@pytest.mark.parametrize(
    "told",
    ["status=503", "status=500+every=2", "reset+every=2", "cut=3+chunks=6+interval=5+every=2", "html"],
)  # fmt: skip
def test_more_than_99_of_100_succeed_when_one_of_two_hosts_fails(
    gateway, customer, make_model, told
):
    model = make_model(f"echo+{told}", "echo")
    number = 200

    async def ask_all() -> list[str]:
        limits = httpx.Limits(max_connections=20)
        options: Any = {"verify": False, "timeout": 30, "headers": customer.headers}
        async with httpx.AsyncClient(base_url=gateway.url, limits=limits, **options) as client:

            async def one(at: int) -> str:
                body = Surface.CHAT.body(model, TEXT, stream=at % 2 == 0)
                response = await client.post(Surface.CHAT.path, json=body)
                answer = read_answer(response, response.content)
                whole = answer.text == WHOLE and answer.is_finished and not answer.error
                return "whole" if whole else f"{response.status_code} {answer.error}"

            return await asyncio.gather(*(one(at) for at in range(number)))

    outcomes = Counter(asyncio.run(ask_all()))

    assert outcomes["whole"] > 0.99 * number, outcomes
    records = customer.settled(requests=number, within=20)
    assert sum(record.charged for record in records) == 10**10 - customer.balance.total
    assert customer.balance.held == 0


@contextlib.contextmanager
def deaf_address() -> Iterator[str]:
    """Where connections are neither taken nor refused: the queue of those that wait is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        time.sleep(0.05)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.mark.alone
def test_deaf_first_host_costs_less_than_its_connect_deadline(
    gateway, customer, make_model, breaker
):
    """Of 25 requests each second: five find out, and then one in fifteen seconds."""
    connect, number = 0.3, 800
    deaf = Host(is_refusing=True, seconds=seconds(connect=connect))
    model, healthy = make_model(deaf, "echo"), make_model("echo")
    client = gateway.client(customer)

    def p99_ms(name: str, number: int) -> float:
        taken = []
        for _ in range(number):
            breaker.clock.moment += 1 / 25
            started = time.monotonic()
            assert ask(client, Surface.CHAT, Surface.CHAT.body(name, TEXT)).text == WHOLE
            taken.append((time.monotonic() - started) * 1000)
        return statistics.quantiles(taken, n=100)[98]

    with deaf_address() as address:
        row = Provider.objects.filter(pk=f"refusing-{slug_of(0)}")
        former = row.get().base_url
        row.update(base_url=address)
        publish()
        try:
            usual, with_deaf = p99_ms(healthy, 200), p99_ms(model, number)
        finally:
            row.update(base_url=former)
            publish()

    records = customer.settled(requests=200 + number, within=20)
    faults = [[a for a in record.attempts if a["fault"]] for record in records]
    failed = [attempt for of_one in faults for attempt in of_one]
    # A silent host is never asked twice for one request, after five its breaker opens, and two probes fall into 32 s.
    assert max(map(len, faults)) == 1
    assert len(failed) == 5 + 2
    assert {attempt["fault"] for attempt in failed} == {"timeout"}
    assert all(attempt["ms"] < connect * 1000 + 300 for attempt in failed)
    assert with_deaf - usual < connect * 1000


def test_client_says_how_long_connecting_may_take(gateway, customer, make_model):
    model = make_model(Host("echo+words=2", is_refusing=True), "echo")
    body = Surface.CHAT.body(model, TEXT, deadlines={"connect": 0.2})

    with deaf_address() as address:
        row = Provider.objects.filter(pk=f"refusing-{slug_of(0)}")
        former = row.get().base_url
        row.update(base_url=address)
        publish()
        try:
            answer = ask(gateway.client(customer), Surface.CHAT, body)
        finally:
            row.update(base_url=former)
            publish()

    assert answer.text == WHOLE
    (record,) = customer.settled(requests=1)
    assert record.attempts[0]["fault"] == "deadline", "the client waits for less than the host has"
    assert all(attempt["ms"] < 2000 for attempt in record.attempts)


PREPARE = """
import json
from apps.accounts.models import Organization
from apps.billing.services import ledger
from apps.catalog.services import offers, providers
from apps.keys import services as keys
for place, model in enumerate(["{failing}", "echo"]):
    providers.add_provider(
        f"host-{{place}}", model="acme/one", amounts=offers.Amounts.of(input=10**9, output=10**9),
        base_url="{sandbox}/v1", wire="openai_chat", upstream_model=model, priority=place,
    )
    providers.set_api_key(providers.Provider.objects.get(pk=f"host-{{place}}"), "a-key")
organization = Organization.objects.create(name="test")
ledger.grant_promo(organization.pk, amount=10**10, reference="test", memo="")
issued = keys.issue(organization.pk, name="test", requests_per_minute=10**6, tokens_per_minute=10**9, concurrency=10**4)
print(json.dumps(issued.secret))
"""


def test_a_breaker_that_one_process_opens_is_open_in_another(tmp_path, django_db_setup):
    """On the embedded default there is one process, and the second client stands for the other."""
    shared = "" if settings.EMBEDDED else settings.DATABASE_URL
    with (
        start_sandbox() as sandbox,
        make_installation(
            tmp_path, database_url=shared, redis_url=settings.REDIS_URL
        ) as installation,
    ):
        # Installations of tests share one Redis, where a breaker goes by offering and name.
        failing = f"echo+status=503+words={secrets.randbelow(10**6) + 1}"
        secret = installation.python(PREPARE.format(sandbox=sandbox.base_url, failing=failing))
        webs = [installation.start_web() for _ in range(1 if settings.EMBEDDED else 2)]
        options: Any = {"verify": False, "headers": {"authorization": f"Bearer {secret}"}}
        body = Surface.CHAT.body("acme/one", TEXT)
        with (
            httpx.Client(base_url=webs[0].url, **options) as here,
            httpx.Client(base_url=webs[-1].url, **options) as there,
        ):
            for _ in range(5):
                assert ask(here, Surface.CHAT, body).text == WHOLE
            time.sleep(1)
            plan = there.post("/v1/route", json={"request": body}).json()["data"]
            answers = [ask(there, Surface.CHAT, body) for _ in range(3)]
            calls = sandbox.stats()["by_model"][failing]

    assert [rejection["why"] for rejection in plan["rejected"]] == ["breaker_open"]
    assert {answer.headers["x-gatewayz-attempts"] for answer in answers} == {"1"}
    assert calls == 5
