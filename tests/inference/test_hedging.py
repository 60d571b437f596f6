"""Hedging: with ``hedge`` a second host is asked when the first takes longer than it usually does; who answers first is paid."""

import time

import pytest

from apps.catalog.models import Offering
from apps.inference import attempts, runtime
from apps.inference.breaker import LocalBreaker, Rules
from apps.inference.retry_budget import RetryBudget
from tests.hosting import Host, seconds, slug_of
from tests.surfaces import SURFACES, Surface, ask, check_error

pytestmark = pytest.mark.alone
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
SLOW = "delay=2500+every=11"
"""Ten answers at once, from which the usual time is known, and then a slow one."""


def ask_until_slow(client, surface, model, *, streamed=False, **fields):
    """The eleventh answer, and the seconds that it took."""
    body = surface.body(model, stream=streamed, **fields)
    for _ in range(10):
        assert ask(client, surface, body).headers["x-gatewayz-provider"] == slug_of(0)
    started = time.monotonic()
    answer = ask(client, surface, body)
    return answer, time.monotonic() - started


class Spent(RetryBudget):
    """A budget of which nothing is left."""

    def spend(self, key):
        return False


@both_ways
@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_second_host_answers_and_alone_is_paid_when_the_first_is_slow(
    gateway, customer, make_model, upstream, surface, streamed
):
    model = make_model(f"echo+{SLOW}", Host("echo", input_usd="10", output_usd="20"))

    answer, taken = ask_until_slow(
        gateway.client(customer), surface, model, streamed=streamed, hedge=True
    )

    assert (answer.status, answer.text, answer.is_finished) == (200, "You said: Hello there", True)
    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    assert "x-gatewayz-dropped-params" not in answer.headers
    assert taken < 2
    records = sorted(customer.settled(requests=11), key=lambda record: record.created_at)
    hedged = records[-1]
    # Each is noted when it ends, and the loser may end a moment later.
    assert {attempt["provider"]: attempt["fault"] for attempt in hedged.attempts} == {
        slug_of(0): "outrun",
        slug_of(1): "",
    }
    assert answer.headers["x-gatewayz-attempts"] == "2"
    assert (hedged.provider, hedged.outcome) == (slug_of(1), "completed")
    assert hedged.charged == hedged.input_tokens * 10_000 + hedged.output_tokens * 20_000
    assert customer.balance.total == 10**10 - sum(record.charged for record in records)
    assert upstream.stats()["by_model"] == {f"echo+{SLOW}": 11, "echo": 1}
    deadline = time.monotonic() + 1
    while not upstream.stats()["aborted"]:
        assert time.monotonic() < deadline, "the slow host still works"
        time.sleep(0.02)


def test_nobody_is_asked_beside_the_first_unless_the_client_wants_it(
    gateway, customer, make_model, upstream
):
    model = make_model(f"echo+{SLOW.replace('2500', '500')}", "echo")

    answer, taken = ask_until_slow(gateway.client(customer), Surface.CHAT, model)

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    assert taken > 0.5
    assert "echo" not in upstream.stats()["by_model"]


@both_ways
def test_first_host_answers_when_the_second_fails(gateway, customer, make_model, streamed):
    model = make_model(f"echo+{SLOW.replace('2500', '700')}", "echo+status=503")

    answer, _ = ask_until_slow(
        gateway.client(customer), Surface.CHAT, model, streamed=streamed, hedge=True
    )

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    assert answer.headers["x-gatewayz-attempts"] == "2"
    *_, record = sorted(customer.settled(requests=11), key=lambda record: record.created_at)
    assert [attempt["fault"] for attempt in record.attempts] == ["status", ""]


def test_third_host_is_asked_when_both_fail(gateway, customer, make_model):
    first = "echo+delay=500+status=503+every=11"
    model = make_model(first, "echo+status=503+words=2", "echo")

    answer, _ = ask_until_slow(gateway.client(customer), Surface.CHAT, model, hedge=True)

    assert answer.headers["x-gatewayz-provider"] == slug_of(2)
    *_, record = sorted(customer.settled(requests=11), key=lambda record: record.created_at)
    assert [attempt["fault"] for attempt in record.attempts] == ["status", "status", ""]


def test_answer_that_breaks_after_a_race_is_recovered(gateway, customer, make_model):
    broken = "echo+cut=2+chunks=5+lull=200"
    model = make_model(f"echo+{SLOW}", broken, "echo")
    text = "Hello there, how are you doing on this fine day?"

    answer, _ = ask_until_slow(
        gateway.client(customer), Surface.CHAT, model, streamed=True, hedge=True
    )

    assert (answer.text, answer.is_finished) == ("You said: Hello there", True), text
    *_, record = sorted(customer.settled(requests=11), key=lambda record: record.created_at)
    assert [attempt["fault"] for attempt in record.attempts] == ["outrun", "cut", ""]


def test_load_of_the_second_host_is_bounded_by_its_budget(gateway, customer, make_model, upstream):
    model = make_model(f"echo+{SLOW.replace('2500', '400')}", "echo+words=7")
    (served,) = runtime._runtimes.values()
    former, served.retries = served.retries, Spent()
    try:
        answer, _ = ask_until_slow(gateway.client(customer), Surface.CHAT, model, hedge=True)
    finally:
        served.retries = former

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    assert "echo+words=7" not in upstream.stats()["by_model"]


@pytest.fixture
def hasty(monkeypatch):
    """A second host is asked after a tenth of a second, as long as the first has never answered."""
    monkeypatch.setattr(attempts, "HEDGE_AFTER_SECONDS", 0.1)


@pytest.fixture
def retries(gateway):
    """Sets the gateway's retry budget."""
    (served,) = runtime._runtimes.values()
    former = served.retries

    def put(budget):
        served.retries = budget
        return budget

    yield put
    served.retries = former


def silent(told="echo+hang"):
    return Host(told, seconds=seconds(first_content=0.5, first_content_last=0.5))


@both_ways
@pytest.mark.parametrize("others", [("echo+words=9",), ("echo+words=9", "echo+words=8")], ids=len)
def test_host_without_a_call_to_spare_is_asked_once_the_first_has_failed(
    gateway, customer, make_model, hasty, retries, streamed, others
):
    retries(Spent())
    body = Surface.CHAT.body(make_model(silent(), *others), stream=streamed, hedge=True)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert (answer.status, answer.is_finished) == (200, True)
    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["timeout", ""]


def test_host_that_is_only_just_coming_back_is_not_asked_beside_another(
    gateway, customer, make_model, upstream, hasty
):
    (served,) = runtime._runtimes.values()
    former = served.breaker
    rules = Rules(failures=1, share=0.5, least=10, window=60.0, cool_down=0.0, successes=1)
    body = Surface.CHAT.body(make_model(silent(), "echo+words=6"), hedge=True)
    plan = {"request": body, "path": Surface.CHAT.path}
    client = gateway.client(customer)
    try:
        served.breaker = LocalBreaker(rules)
        assert len(client.post("/v1/route", json=plan).json()["data"]["candidates"]) == 2
        served.breaker.record(_key_of("echo+words=6"), by="another", succeeded=False)
        answer = ask(client, Surface.CHAT, body)
    finally:
        served.breaker = former

    assert (answer.status, answer.headers["x-gatewayz-provider"]) == (200, slug_of(1))
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["timeout", ""]


def _key_of(upstream_model):
    offering = Offering.objects.filter(upstream_model=upstream_model).latest("pk")
    return f"{offering.pk}:{upstream_model}"


def test_host_that_is_asked_beside_another_earns_as_for_any_request(
    gateway, customer, make_model, hasty, retries
):
    budget = retries(RetryBudget())
    body = Surface.CHAT.body(make_model(silent(), "echo+words=5"), hedge=True)

    for _ in range(6):
        answer = ask(gateway.client(customer), Surface.CHAT, body)
        assert answer.headers["x-gatewayz-provider"] == slug_of(1)

    # Ten were saved, six spent, and six requests earned one and a fifth.
    key = _key_of("echo+words=5")
    assert [budget.spend(key) for _ in range(6)] == [True] * 5 + [False]


def test_six_calls_are_made_at_most_with_those_beside_another(
    gateway, customer, make_model, upstream, monkeypatch
):
    monkeypatch.setattr(attempts, "HEDGE_AFTER_SECONDS", 0.3)
    failing = [f"echo+status=503+words={number}" for number in range(11, 16)]
    last = Host("echo+hang+words=2", seconds=seconds(first_content=1.0, first_content_last=1.0))
    body = Surface.CHAT.body(make_model(*failing, last, "echo+words=7"), hedge=True)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.status == 503
    assert upstream.stats()["requests"] == 6
    (record,) = customer.settled(requests=1)
    assert len(record.attempts) == 6


@both_ways
@pytest.mark.parametrize("first", ["echo+delay=600+status=503", "echo+delay=600+reset"])
def test_clients_mistake_that_the_second_host_tells_is_told(
    gateway, customer, make_model, upstream, hasty, first, streamed
):
    model = make_model(first, "echo+status=400", "echo+words=4")
    body = Surface.CHAT.body(model, stream=streamed, hedge=True)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert (answer.status, check_error(answer, Surface.CHAT)["code"]) == (400, "invalid_request")
    assert "echo+words=4" not in upstream.stats()["by_model"]
    (record,) = customer.settled(requests=1)
    assert {attempt["fault"] for attempt in record.attempts} & {"rejected"}
    assert record.charged == 0


def test_model_with_more_room_is_asked_when_the_second_host_lacks_it(
    gateway, customer, make_model, hasty
):
    small = make_model(
        Host("echo+delay=600+status=503", context_length=1000),
        Host("echo+context", context_length=1000),
    )
    roomy = make_model(Host("echo+words=3", context_length=100_000))
    body = Surface.CHAT.body(small, hedge=True, models=[roomy])

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert (answer.status, answer.headers["x-gatewayz-model"]) == (200, roomy)


@pytest.mark.parametrize("value", ["yes", 1, []])
def test_wrong_type_is_refused_by_name(gateway, customer, make_model, value):
    body = Surface.CHAT.body(make_model("echo"), hedge=value)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert (answer.status, check_error(answer, Surface.CHAT)["param"]) == (400, "hedge")
