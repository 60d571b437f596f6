"""Failover: which failures of a host move a request on to the next, unseen by the client, and what happens after content."""

import secrets
from typing import Any

import pytest
from django.conf import settings

from apps.billing.models import Hold
from apps.catalog.providers.spec import Wire
from tests.hosting import Host, seconds, slug_of
from tests.surfaces import LANES, SURFACES, Surface, ask, check_error, name_lane

all_lanes = pytest.mark.parametrize("lane", LANES, ids=name_lane)
on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])

SILENT = seconds(first_content=0.15, first_content_last=0.15, total=0.15)

# What the first host does → how many calls it gets, and the fault that is recorded.
ONCE, TWICE = 1, 2
FAILURES: dict[str, tuple[str, int, str]] = {
    "401": ("status=401", ONCE, "status"),
    "402": ("status=402", ONCE, "status"),
    "403": ("status=403", ONCE, "status"),
    "404": ("status=404", ONCE, "status"),
    "408": ("status=408", ONCE, "status"),
    "409": ("status=409", ONCE, "status"),
    "429 for a minute": ("status=429+retry_after=60", ONCE, "status"),
    "429 without a time": ("status=429", ONCE, "status"),
    "429 for half a second, again and again": ("status=429+retry_after=0.05", TWICE, "status"),
    "500": ("status=500", TWICE, "status"),
    "502": ("status=502", TWICE, "status"),
    "503": ("status=503", ONCE, "status"),
    "504": ("status=504", ONCE, "status"),
    "529": ("status=529", ONCE, "status"),
    "a redirect": ("status=302", ONCE, "status"),
    "connection reset": ("reset", TWICE, "connection"),
    "error in a 200": ("errorbody", ONCE, "error_in_body"),
    "malformed from the start": ("malformed=0", ONCE, "malformed"),
}


def served_by(answer: Any) -> str:
    found: str = answer.headers["x-gatewayz-provider"]
    return found


def _rows() -> list[Any]:
    """Every failure in every lane or, where only the status counts, in one lane after the other."""
    rows: list[Any] = []
    for position, (name, row) in enumerate(FAILURES.items()):
        lanes = LANES if row[0] in {"errorbody", "malformed=0"} else [LANES[position % len(LANES)]]
        rows.extend(pytest.param(lane, *row, id=f"{name}-{name_lane(lane)}") for lane in lanes)
    return rows


@both_ways
@pytest.mark.parametrize(("lane", "told", "calls", "fault"), _rows())
def test_moves_on_when_the_first_host_fails(
    gateway, customer, make_model, upstream, lane, streamed, told, calls, fault
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire), Host("echo", wire, output_usd="5"))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    assert answer.is_finished
    assert served_by(answer) == slug_of(1, wire)
    assert answer.headers["x-gatewayz-attempts"] == str(calls + 1)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [fault] * calls + [""]
    assert [attempt["provider"] for attempt in record.attempts] == (
        [slug_of(0, wire)] * calls + [slug_of(1, wire)]
    )
    assert (record.provider, record.outcome) == (slug_of(1, wire), "completed")
    # Billed at the price of the host that served it: 3 tokens in at $1, 6 out at $5 a million.
    assert record.charged == record.cost == 3 * 1_000 + 6 * 5_000
    assert upstream.stats()["by_model"] == {f"echo+{told}": calls, "echo": 1}


@all_lanes
@both_ways
@pytest.mark.parametrize("told", ["empty", "empty=shell+nofinish"])
def test_moves_on_when_the_first_hosts_answer_is_empty(
    gateway, customer, make_model, lane, streamed, told
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire), Host("echo", wire))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    assert served_by(answer) == slug_of(1, wire)


@pytest.mark.parametrize("lane", [LANES[0], LANES[3]], ids=name_lane)
@both_ways
@pytest.mark.parametrize("told", ["hang", "ttft=60000"], ids=["before the headers", "after them"])
def test_moves_on_when_the_first_host_is_silent(
    gateway, customer, make_model, lane, streamed, told
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire, seconds=SILENT), Host("echo", wire))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["timeout", ""]
    assert 100 <= record.attempts[0]["ms"] < 1000


@on_both_surfaces
def test_keeps_waiting_when_the_silent_host_is_the_last(gateway, customer, make_model, surface):
    patient = seconds(first_content=0.1, first_content_last=5.0)
    model = make_model("echo+status=503", Host("echo+ttft=400", seconds=patient))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=True))

    assert answer.text == "You said: Hello there"


@on_both_surfaces
def test_comments_do_not_count_as_content_when_a_host_only_keeps_the_connection_alive(
    gateway, customer, make_model, surface
):
    model = make_model(Host("echo+ttft=60000+comments", seconds=seconds(first_content=0.2)), "echo")

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=True))

    assert answer.text == "You said: Hello there"
    assert served_by(answer) == slug_of(1)


@pytest.mark.parametrize("told", ["cut=0", "stall=0"])
@all_lanes
def test_moves_on_when_a_whole_answer_does_not_arrive_whole(
    gateway, customer, make_model, lane, told
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire, seconds=seconds(total=0.2)), Host("echo", wire))

    answer = ask(gateway.client(customer), surface, surface.body(model))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    assert served_by(answer) == slug_of(1, wire)


@both_ways
def test_moves_on_to_a_host_of_another_wire_when_the_first_fails(
    gateway, customer, make_model, streamed
):
    model = make_model("echo+status=503", Host("echo", Wire.ANTHROPIC_MESSAGES))

    for surface in SURFACES:
        answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

        assert answer.text == "You said: Hello there"
        assert served_by(answer) == slug_of(1, Wire.ANTHROPIC_MESSAGES)


# The same host again.

PASSING = {
    "500": "status=500+first=1",
    "502": "status=502+first=1",
    "reset": "reset+first=1",
    "429 for a moment": "status=429+retry_after=0.1+first=1",
}


@pytest.mark.parametrize(
    ("surface", "streamed"),
    [(Surface.CHAT, True), (Surface.MESSAGES, False)],
    ids=["chat", "messages"],
)
@pytest.mark.parametrize("told", PASSING.values(), ids=PASSING.keys())
def test_same_host_serves_when_its_trouble_was_passing(
    gateway, customer, make_model, upstream, surface, streamed, told
):
    model = make_model(f"echo+{told}", "echo")

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert answer.text == "You said: Hello there"
    assert served_by(answer) == slug_of(0)
    assert answer.headers["x-gatewayz-attempts"] == "2"
    assert upstream.stats()["by_model"] == {f"echo+{told}": 2}
    (record,) = customer.settled(requests=1)
    assert [bool(attempt["fault"]) for attempt in record.attempts] == [True, False]


def test_waits_as_long_as_the_host_says_when_it_is_short(gateway, customer, make_model):
    model = make_model("echo+status=429+retry_after=0.3+first=1")

    ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    (record,) = customer.settled(requests=1)
    assert record.latency_ms >= 300


@pytest.mark.alone
def test_waits_no_longer_than_the_host_says(gateway, customer, make_model, monkeypatch):
    monkeypatch.setattr(secrets, "randbelow", lambda bound: bound - 1)
    model = make_model("echo+status=429+retry_after=2+first=1")

    ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    (record,) = customer.settled(requests=1)
    assert 2000 <= record.latency_ms < 2400


def test_asks_at_most_six_times_when_more_hosts_are_left(gateway, customer, make_model, upstream):
    model = make_model(*[f"echo+status=503+words={number}" for number in range(1, 9)])

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.status == 503
    assert upstream.stats()["requests"] == settings.MAX_ATTEMPTS == 6
    (record,) = customer.settled(requests=1)
    assert len(record.attempts) == 6


# What the client caused is the client's.

REJECTIONS = {
    "400": ("status=400", "invalid_request"),
    "422": ("status=422", "invalid_request"),
    "context too long": ("context", "context_length_exceeded"),
    "content policy": ("filter", "content_policy_violation"),
}


@pytest.mark.parametrize("lane", [LANES[0], LANES[1]], ids=name_lane)
@both_ways
@pytest.mark.parametrize(("told", "code"), REJECTIONS.values(), ids=REJECTIONS.keys())
def test_does_not_move_on_when_the_client_caused_the_rejection(
    gateway, customer, make_model, upstream, lane, streamed, told, code
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire), Host("echo", wire))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert answer.status == 400
    assert check_error(answer, surface)["code"] == code
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.stats()["by_model"] == {f"echo+{told}": 1}
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged, record.usage_source) == ("failed", 0, "none")
    assert [attempt["fault"] for attempt in record.attempts] == ["rejected"]


def test_names_the_field_that_the_host_rejected_when_it_is_known(gateway, customer, make_model):
    body = Surface.CHAT.body(make_model("echo", "echo+words=1"), top_logprobs=5)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    error = check_error(answer, Surface.CHAT)
    assert (answer.status, error["param"]) == (400, "top_logprobs")


# After the first content.

BREAKS = {
    "cut": ("cut=3", "cut"),
    "stalled": ("stall=3", "stalled"),
    "stalled, with comments": ("stall=3+comments", "stalled"),
    "error in the stream": ("midstream_error=3", "error_in_body"),
    "malformed": ("malformed=3", "malformed"),
    "ended without a reason": ("nofinish", "cut"),
}


@all_lanes
@pytest.mark.parametrize(("told", "fault"), BREAKS.values(), ids=BREAKS.keys())
def test_stream_says_that_it_broke_when_the_host_fails_after_content(
    gateway, customer, make_model, upstream, lane, told, fault
):
    surface, wire = lane
    # The lull lets the content reach the client before the failure does.
    idle = seconds(idle=0.2) if fault == "stalled" else ()
    first = Host(f"echo+{told}+chunks=5+lull=200", wire, seconds=idle)
    model = make_model(first, Host("echo", wire))
    before = customer.balance.total

    body = surface.body(model, stream=True, recover="off")
    answer = ask(gateway.client(customer), surface, body)

    assert (answer.status, served_by(answer)) == (200, slug_of(0, wire))
    assert "You said: Hello there".startswith(answer.text)
    assert answer.text
    assert not answer.is_finished
    assert "message_delta" not in {event.get("type") for event in answer.events}
    assert not any(_finishes(event) for event in answer.events)
    assert answer.events[-1].get("error"), "the last record must be the error"
    assert check_error(answer, surface)["code"] == "upstream_error"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.error_code, record.status) == (
        "interrupted",
        "upstream_error",
        200,
    )
    assert (record.charged, record.cost, record.usage_source) == (0, 0, "none")
    assert [attempt["fault"] for attempt in record.attempts] == [fault]
    assert customer.balance.total == before
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()


def _finishes(event: dict[str, Any]) -> bool:
    return any(choice.get("finish_reason") for choice in event.get("choices") or ())


@on_both_surfaces
def test_slow_stream_is_not_stalled_when_each_pause_is_below_the_idle_deadline(
    gateway, customer, make_model, surface
):
    model = make_model(Host("echo+chunks=5+interval=200", seconds=seconds(idle=0.6)))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=True))

    assert (answer.text, answer.is_finished) == ("You said: Hello there", True)
    assert [record.outcome for record in customer.settled(requests=1)] == ["completed"]


@on_both_surfaces
def test_stream_breaks_when_the_total_deadline_passes(gateway, customer, make_model, surface):
    model = make_model(Host("echo+chunks=20+interval=100", seconds=seconds(total=0.5)))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=True))

    assert answer.text
    assert check_error(answer, surface)["code"] == "upstream_error"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
