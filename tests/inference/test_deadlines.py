"""Deadlines: those that a request sets for itself, and the longer ones of models that think."""

import datetime
import time
from collections.abc import Iterator
from math import inf
from typing import Any

import pytest

from apps.catalog.models import Model
from apps.catalog.providers.spec import Timeouts
from apps.inference import runtime
from apps.inference.breaker import LocalBreaker, Rules
from apps.inference.health import HealthBook
from apps.inference.patience import waits_of
from apps.inference.preferences import Deadlines
from apps.inference.runtime import Runtime
from apps.inference.selectors import read_calls
from apps.inference.velocity import Velocity
from tests.hosting import Host, publish, seconds, slug_of
from tests.surfaces import SURFACES, Surface, ask, check_error

TEXT = "Hello there, how are you doing on this fine day?"
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])


@pytest.mark.parametrize(
    ("deadlines", "param"),
    [
        ({"connect": 0}, "deadlines.connect"),
        ({"first_content": "3"}, "deadlines.first_content"),
        ({"first_content": True}, "deadlines.first_content"),
        ({"idle": -1}, "deadlines.idle"),
        ({"total": 600.5}, "deadlines.total"),
        ({"whole": 3}, "deadlines.whole"),
        (3, "deadlines"),
        ([], "deadlines"),
    ],
    ids=str,
)
def test_deadline_is_refused_by_name_when_it_is_none(
    gateway, customer, make_model, deadlines, param
):
    body = Surface.CHAT.body(make_model("echo"), deadlines=deadlines)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert (answer.status, check_error(answer, Surface.CHAT)["param"]) == (400, param)


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_providers_are_not_told_of_deadlines(gateway, customer, make_model, upstream, surface):
    model = make_model(Host("echo", surface.wire))

    answer = ask(
        gateway.client(customer), surface, surface.body(model, deadlines={"idle": 3, "total": 20.5})
    )

    assert answer.status == 200
    assert "deadlines" not in upstream.stats()["last_request"]["body"]


def taken(client: Any, model: str, *, streamed: bool = True, **fields: Any) -> tuple[Any, float]:
    body = Surface.CHAT.body(model, TEXT, stream=streamed, recover="off", **fields)
    started = time.monotonic()
    answer = ask(client, Surface.CHAT, body)
    return answer, time.monotonic() - started


@pytest.mark.parametrize(
    ("asked", "first_content", "body", "idle"),
    [
        ({"stream": True}, 10, None, 15),
        ({"stream": True, "may_think": True}, 60, None, 60),
        ({"stream": True, "is_last": True}, 120, None, 15),
        ({}, 60, 60, 15),
        ({"may_think": True}, 120, 120, 60),
        ({"is_last": True}, 120, 600, 15),
        ({"is_last": True, "may_think": True}, 120, 600, 60),
        ({"is_slow": True}, 120, 600, 120),
        ({"most": 4.0}, 4, 4, 15),
        ({"most": 4.0, "stream": True}, 4, None, 15),
    ],
    ids=str,
)
def test_shipped_deadlines_are_those_of_the_documentation(asked, first_content, body, idle):
    told = {"stream": False, "is_slow": False, "may_think": False, "is_last": False, **asked}

    waits, own = waits_of(Timeouts(), Deadlines(), **told)

    assert waits == own
    assert (waits.connect, waits.until_content(), waits.idle) == (5, first_content, idle)
    assert body is None or waits.until_body() == body
    assert waits.total == 600
    if not told["stream"]:
        assert waits.whole == (inf if body == 600 else body + idle)


def test_whole_answer_is_awaited_no_longer_than_by_the_last_host():
    hasty = Timeouts(first_content=1.0, first_content_last=2.0)
    told: Any = {"stream": False, "is_slow": False, "may_think": False, "is_last": False}

    waits, _ = waits_of(hasty, Deadlines(total=30.0), **told)

    assert (waits.first_content, waits.body, waits.total) == (2.0, 2.0, 30.0)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ("hang", "timeout"),
        ("ttft=60000", "timeout"),
        ("stall=1", "stalled"),
        ("endless=text", "stalled"),
    ],
    ids=["no headers", "no more than headers", "half a body", "dripping"],
)
def test_whole_answer_is_not_awaited_for_ever_while_another_host_stands_by(
    gateway, customer, make_model, settings, told, fault
):
    settings.WHOLE_ANSWER_SECONDS = 0.5
    hasty = seconds(first_content=0.1, idle=0.5)
    model = make_model(Host(f"echo+{told}", seconds=hasty), "echo")

    answer, waited = taken(gateway.client(customer), model, streamed=False)

    assert (answer.status, answer.headers["x-gatewayz-provider"]) == (200, slug_of(1))
    assert 0.5 <= waited < 2
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [fault, ""]


def test_stream_for_a_whole_answer_is_refused_at_its_headers(gateway, customer, make_model):
    model = make_model("echo+endless=events", "echo")

    answer, waited = taken(gateway.client(customer), model, streamed=False)

    assert (answer.status, answer.headers["x-gatewayz-provider"]) == (200, slug_of(1))
    assert waited < 2
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["malformed", ""]


def test_whole_answer_has_longer_than_the_first_content_of_a_stream(gateway, customer, make_model):
    model = make_model(Host("echo+delay=500", seconds=seconds(first_content=0.1)), "echo")

    answer, _ = taken(gateway.client(customer), model, streamed=False)

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)


def test_last_host_that_sent_half_a_whole_answer_is_given_up(gateway, customer, make_model):
    model = make_model(Host("echo+stall=1", seconds=seconds(idle=0.3)))

    answer, waited = taken(gateway.client(customer), model, streamed=False)

    assert answer.status == 503
    assert waited < 2
    (record,) = customer.settled(requests=1)
    assert {attempt["fault"] for attempt in record.attempts} == {"stalled"}


def test_next_host_is_asked_when_the_clients_deadline_for_content_has_passed(
    gateway, customer, make_model
):
    model = make_model("echo+ttft=60000", "echo")

    answer, waited = taken(gateway.client(customer), model, deadlines={"first_content": 0.2})

    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    assert waited < 2


@pytest.mark.parametrize(
    ("told", "deadlines", "streamed"),
    [
        ("ttft=60000", {"first_content": 0.2}, True),
        ("hang", {"total": 0.3}, True),
        ("hang", {"total": 0.3}, False),
        ("stall=2", {"idle": 0.2}, True),
        ("chunks=100+interval=100+lull=1", {"total": 0.5}, True),
    ],
    ids=str,
)
def test_answer_ends_at_the_clients_deadline_whatever_the_providers_is(
    gateway, customer, make_model, told, deadlines, streamed
):
    model = make_model(f"echo+{told}")

    answer, waited = taken(gateway.client(customer), model, streamed=streamed, deadlines=deadlines)

    assert answer.error
    assert waited < 3
    (record,) = customer.settled(requests=1)
    assert {attempt["fault"] for attempt in record.attempts} == {"deadline"}


@pytest.fixture
def known(gateway, settings) -> Iterator[Runtime]:
    """The gateway's own, with the breaker's shipped numbers, nothing known of any host and velocity mode near."""
    settings.VELOCITY_LEAST_REQUESTS = 5
    (served,) = runtime._runtimes.values()
    former = served.breaker, served.health, served.velocity
    rules = Rules(failures=5, share=0.5, least=10, window=60.0, cool_down=15.0, successes=2)
    served.breaker, served.health, served.velocity = LocalBreaker(rules), HealthBook(), Velocity()
    yield served
    served.breaker, served.health, served.velocity = former


def failures_of(provider: str, upstream_model: str) -> int:
    """As its public uptime counts them."""
    calls = read_calls(datetime.timedelta(hours=1)).get((provider, upstream_model))
    return calls.failed if calls else 0


@pytest.mark.parametrize(
    ("told", "deadlines", "streamed"),
    [
        ("ttft=400", {"first_content": 0.1}, True),
        ("delay=400", {"first_content": 5, "total": 0.1}, True),
        ("delay=400", {"total": 0.1}, False),
        ("words=5", {"total": 0.0001}, False),
        ("chunks=3+interval=300", {"idle": 0.1}, True),
        ("chunks=3+interval=300", {"total": 0.4}, True),
    ],
    ids=str,
)
def test_nobody_else_loses_a_host_for_which_one_client_does_not_wait(
    gateway, customer, make_customer, make_model, known, told, deadlines, streamed
):
    model = make_model(f"echo+{told}")
    failed_before = failures_of(slug_of(0), f"echo+{told}")

    for _ in range(6):
        answer, _ = taken(gateway.client(customer), model, streamed=streamed, deadlines=deadlines)
        assert answer.error
    other = make_customer()
    answer, _ = taken(gateway.client(other), model, streamed=streamed)

    assert (answer.status, answer.error) == (200, None)
    other.settled(requests=1)
    records = customer.settled(requests=6)
    assert {attempt["fault"] for record in records for attempt in record.attempts} == {"deadline"}
    assert {record.charged for record in records} == {0}
    assert not known.velocity.is_on
    (health,) = known.health._hosts.values()
    assert (health.requests, health.errors) == (1, 0)
    assert failures_of(slug_of(0), f"echo+{told}") == failed_before


@pytest.mark.parametrize(
    ("told", "own", "deadlines", "fault"),
    [
        ("hang", {"first_content": 0.1}, {"first_content": 0.2}, "timeout"),
        ("hang", {"first_content": 0.1}, {"connect": 0.05, "total": 20}, "timeout"),
        ("stall=2", {"idle": 0.1}, {"first_content": 0.2, "idle": 0.2}, "stalled"),
    ],
    ids=str,
)
def test_silence_that_nobody_waits_for_is_held_against_the_host_all_the_same(
    gateway, customer, make_model, known, told, own, deadlines, fault
):
    model = make_model(Host(f"echo+{told}", seconds=seconds(**own)), "echo")

    for _ in range(5):
        taken(gateway.client(customer), model, deadlines=deadlines)

    records = customer.settled(requests=5)
    assert {record.attempts[0]["fault"] for record in records} == {fault}
    answer, _ = taken(gateway.client(customer), model)
    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    assert answer.headers["x-gatewayz-attempts"] == "1"


def test_client_may_be_more_patient_than_the_provider(gateway, customer, make_model):
    hasty = seconds(first_content=0.1, idle=0.1, total=0.1)
    model = make_model(Host("echo+ttft=400", seconds=hasty), "echo")
    patient = {"first_content": 5, "idle": 5, "total": 5}

    answer, _ = taken(gateway.client(customer), model, deadlines=patient)

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)


THINKERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "unsaid": ("/v1/chat/completions", {}, "first"),
    "effort none": ("/v1/chat/completions", {"reasoning_effort": "none"}, "second"),
    "reasoning disabled": ("/v1/chat/completions", {"reasoning": {"enabled": False}}, "second"),
    "reasoning of some effort": ("/v1/chat/completions", {"reasoning": {"effort": "low"}}, "first"),
    "thinking disabled": ("/v1/messages", {"thinking": {"type": "disabled"}}, "second"),
    "responses, unsaid": ("/v1/responses", {}, "first"),
    "responses, effort none": ("/v1/responses", {"reasoning": {"effort": "none"}}, "second"),
    "gemini, unsaid": ("/v1beta", {}, "first"),
    "gemini, no budget": ("/v1beta", {"thinkingConfig": {"thinkingBudget": 0}}, "second"),
}


@pytest.mark.parametrize(("path", "fields", "expected"), THINKERS.values(), ids=THINKERS)
def test_model_that_may_think_has_longer_unless_it_is_told_not_to(
    gateway, customer, make_model, path, fields, expected
):
    # Their order is the operator's: nobody ails before ten requests.
    model = make_model(Host("echo+ttft=500", seconds=seconds(first_content=0.1)), "echo+words=3")
    Model.objects.filter(pk=model).update(supported_parameters=["reasoning"])
    publish()
    said = {"messages": [{"role": "user", "content": TEXT}], "max_tokens": 90}
    if path == "/v1beta":
        path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
        body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}
        body["generationConfig"] = fields
    else:
        body = {"input": TEXT} if path == "/v1/responses" else said
        body = body | fields | {"model": model, "stream": True}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 200, response.text
    assert response.headers["x-gatewayz-provider"] == f"{expected}-openai-host"
