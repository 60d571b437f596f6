"""Every fault × streamed or whole × one host or two: what the client gets, how long it takes, what is charged and called.

A client has the whole answer, or a typed error; never a part that looks whole. Other files look into each kind: failover,
recovery, routing, usage.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from apps.billing.models import Hold
from apps.catalog.providers.spec import Wire
from tests.hosting import Host, seconds
from tests.surfaces import Answer, Surface, ask, check_error

TEXT = "Hello there, how are you doing on this fine day?"
WHOLE = f"You said: {TEXT}"
IMPATIENT = seconds(first_content=0.3, first_content_last=0.3, idle=0.5, total=1.0)
SILENT = frozenset({"timeout", "stalled"})
"""Faults that only a deadline can tell; all others have the usual deadlines, which a busy machine keeps."""


@dataclass(frozen=True)
class Fault:
    told: str = ""
    calls: int = 1
    """Of the host that fails: of a stream, or of either."""
    whole_calls: int | None = None
    stream: str = ""
    """What the record calls it in a stream, and in a whole answer; empty when it does no harm."""
    whole: str = ""
    breaks_stream: bool = False
    """Content has reached the client before."""
    rescued: bool = True
    """With a second host the client gets the whole answer."""
    is_refusing: bool = False
    wire: Wire | None = None
    """Of the host that fails, where only that one has it; else what the client speaks."""

    def outcome(self, *, streamed: bool) -> tuple[str, int]:
        """What the record calls it, and the calls of the host that fails."""
        if streamed:
            return self.stream, self.calls
        return self.whole, self.calls if self.whole_calls is None else self.whole_calls


def before(told: str, fault: str = "status", calls: int = 1) -> Fault:
    return Fault(told, calls, stream=fault, whole=fault)


def amid(told: str, stream: str, whole: str, **more: Any) -> Fault:
    return Fault(
        f"{told}+chunks=6+lull=200", stream=stream, whole=whole, breaks_stream=True, **more
    )


FAULTS = {
    "late first token": before("ttft=60000", "timeout"),
    "slow headers": before("delay=60000", "timeout"),
    "no answer": before("hang", "timeout"),
    "connection refused": replace(before("", "connection", calls=0), is_refusing=True),
    "connection reset": before("reset", "connection", calls=2),
    "empty": replace(before("empty", "empty"), whole="malformed"),
    "answer without content": before("empty=shell+nofinish", "empty"),
    "error in a 200": before("errorbody", "error_in_body"),
    "wrong content type": replace(before("html", "empty"), whole="malformed"),
    "malformed from the start": before("malformed=0", "malformed"),
    **{f"status {status}": before(f"status={status}") for status in (401, 402, 403, 404, 408, 409, 503, 504, 529)},
    **{f"status {status}": before(f"status={status}", calls=2) for status in (500, 502)},
    "429": before("status=429"),
    "429 for a moment": before("status=429+retry_after=0.1", calls=2),
    "429 for a minute": before("status=429+retry_after=60"),
    "stalled": amid("stall=3", "stalled", "stalled"),
    "cut": amid("cut=3", "cut", "connection", whole_calls=2),
    "cut with an end marker": amid("marker=3", "cut", ""),
    "malformed in the middle": amid("malformed=3", "malformed", "malformed"),
    "error in the middle": amid("midstream_error=3", "error_in_body", ""),
    "given up in the middle": amid("abort=3", "error_in_body", "error_in_body", wire=Wire.OPENAI_CHAT),
    "without a finish reason": amid("nofinish", "cut", "malformed"),
    "without an end": amid("endless", "stalled", "timeout", rescued=False),
    "a stream for a whole answer": amid("endless=events", "stalled", "malformed", rescued=False),
    "letters without an end": amid("endless=text", "stalled", "stalled", rescued=False),
    "without an end marker": Fault("nomarker"),
    "broken behind its reason to end": Fault("lost_end=break"),
    "silent behind its reason to end": Fault("lost_end=hold"),
    "without usage": Fault("nousage"),
    "usage that cannot be true": Fault("absurd_usage"),
}  # fmt: skip
ROWS = [
    pytest.param((Surface.CHAT, Surface.MESSAGES)[number % 2], fault, id=name)
    for number, (name, fault) in enumerate(FAULTS.items())
]
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
every_fault = pytest.mark.parametrize(("surface", "fault"), ROWS)
on_either_surface = pytest.mark.parametrize(
    ("surface", "fault"),
    [
        pytest.param(surface, fault, id=f"{name}-{surface}")
        for name, fault in FAULTS.items()
        for surface in Surface
    ],
)


def failing(fault: Fault, surface: Surface) -> Host:
    return Host(
        f"echo+{fault.told}",
        fault.wire or surface.wire,
        seconds=IMPATIENT if {fault.stream, fault.whole} & SILENT else (),
        is_refusing=fault.is_refusing,
    )


def ask_timed(gateway: Any, customer: Any, surface: Surface, model: str, streamed: bool) -> Answer:
    started = time.monotonic()
    body = surface.body(model, TEXT, stream=streamed)
    answer = ask(gateway.client(customer), surface, body)
    assert time.monotonic() - started < 4, "longer than the deadlines and their repetitions"
    return answer


def check_unharmed(gateway: Any, customer: Any, make_model: Any, surface: Surface) -> None:
    """The next request, by a host beside the one that failed, is served at once."""
    model = make_model(Host("echo", surface.wire))
    started = time.monotonic()
    answer = ask(gateway.client(customer), surface, surface.body(model))
    assert (answer.status, answer.text) == (200, "You said: Hello there")
    assert time.monotonic() - started < 1


@every_fault
@both_ways
def test_one_host(gateway, customer, make_model, upstream, surface, fault, streamed):
    kind, calls = fault.outcome(streamed=streamed)
    before = customer.balance.total

    answer = ask_timed(gateway, customer, surface, make_model(failing(fault, surface)), streamed)

    (record,) = customer.settled(requests=1)
    attempts = 2 if fault.is_refusing else calls
    assert [attempt["fault"] for attempt in record.attempts] == [kind] * attempts
    assert customer.balance.total == before - record.charged
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()
    assert sum(upstream.stats()["by_model"].values()) == calls
    if not kind:
        assert (answer.text, answer.is_finished, answer.error) == (WHOLE, True, None)
        assert record.charged == record.cost > 0
    else:
        error = check_error(answer, surface)
        assert record.charged == 0
        if streamed and fault.breaks_stream:
            assert (answer.status, error["code"]) == (200, "upstream_error")
            assert answer.text
            assert not answer.is_finished
        else:
            assert (answer.status, error["code"]) == (503, "all_providers_failed")
            assert answer.headers["retry-after"]
    check_unharmed(gateway, customer, make_model, surface)


@on_either_surface
def test_two_hosts_of_a_stream(gateway, customer, make_model, upstream, surface, fault):
    check_two_hosts(gateway, customer, make_model, upstream, surface, fault, streamed=True)


@every_fault
def test_two_hosts_of_a_whole_answer(gateway, customer, make_model, upstream, surface, fault):
    check_two_hosts(gateway, customer, make_model, upstream, surface, fault, streamed=False)


def check_two_hosts(
    gateway: Any,
    customer: Any,
    make_model: Any,
    upstream: Any,
    surface: Surface,
    fault: Fault,
    *,
    streamed: bool,
) -> None:
    kind, calls = fault.outcome(streamed=streamed)
    other = Host(
        "echo", Wire.OPENAI_CHAT if surface is Surface.MESSAGES else Wire.ANTHROPIC_MESSAGES
    )
    model = make_model(failing(fault, surface), other)
    before = customer.balance.total

    answer = ask_timed(gateway, customer, surface, model, streamed)

    (record,) = customer.settled(requests=1)
    assert customer.balance.total == before - record.charged
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()
    asked = upstream.stats()["by_model"]
    assert asked.get("echo", 0) == bool(kind)
    assert sum(asked.values()) == calls + bool(kind)
    if streamed and not fault.rescued:
        assert check_error(answer, surface)["code"] == "upstream_error"
        assert not answer.is_finished
        assert (record.outcome, record.charged) == ("interrupted", 0)
    else:
        assert (answer.text, answer.is_finished, answer.error) == (WHOLE, True, None)
        assert (record.outcome, record.charged) == ("completed", record.cost)
        assert record.cost > 0
    check_unharmed(gateway, customer, make_model, surface)
