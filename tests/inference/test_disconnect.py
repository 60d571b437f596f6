"""Clients that go away: the host is told to stop within a second, and what was delivered is billed, no more."""

import json
import socket
import struct
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from apps.billing.models import Hold
from tests.gateway import Customer, Gateway
from tests.hosting import Host
from tests.sandbox.process import SandboxProcess
from tests.surfaces import LANES, SURFACES, Json, Surface, ask, name_lane

all_lanes = pytest.mark.parametrize("lane", LANES, ids=name_lane)
on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
on_purpose = pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])

WHOLE = 400
"""Chunks of the whole answer, ten characters each; it would take eight seconds."""
LONG = f"echo+chunks={WHOLE}+text=10+interval=20"


class RawClient:
    """A socket that sends one request and can be closed at any moment."""

    def __init__(self, gateway: Gateway, customer: Customer, surface: Surface, body: Json) -> None:
        address = urlsplit(gateway.url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=5)
        content = json.dumps(body).encode()
        head = (
            f"POST {surface.path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {customer.secret}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + content)
        self.received = b""

    def read_until(self, text: bytes) -> None:
        while text not in self.received:
            data = self._socket.recv(65536)
            assert data, "the gateway closed the connection"
            self.received += data

    def leave(self, *, reset: bool = False) -> None:
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def wait_for(found: Callable[[], bool], *, within: float) -> float:
    """Seconds until it was so."""
    started = time.monotonic()
    while not found():
        assert time.monotonic() - started < within, f"not within {within} s"
        time.sleep(0.01)
    return time.monotonic() - started


def is_asked(upstream: SandboxProcess) -> bool:
    return bool(upstream.stats()["open"] == 1)


def is_stopped(upstream: SandboxProcess) -> bool:
    stats = upstream.stats()
    return bool(stats["open"] == 0 and stats["aborted"] == 1)


@on_purpose
@all_lanes
def test_host_is_stopped_and_the_delivered_part_billed_when_the_client_leaves_a_stream(
    gateway, customer, make_model, upstream, lane, reset
):
    surface, wire = lane
    model = make_model(Host(LONG, wire))
    client = RawClient(
        gateway, customer, surface, surface.body(model, stream=True, max_tokens=4000)
    )
    client.read_until(b"Hello")
    before = customer.balance.total

    client.leave(reset=reset)

    wait_for(lambda: is_stopped(upstream), within=1)
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.usage_source) == ("client_gone", "counted")
    assert (record.input_tokens, record.cache_read_tokens) == (3, 0)
    assert 0 < record.output_tokens < WHOLE * 10 / 4 / 2
    assert record.charged == record.cost == 3 * 1_000 + record.output_tokens * 2_000
    assert customer.balance.total == before - record.charged
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()


@on_both_surfaces
def test_what_is_billed_is_what_was_delivered_when_the_client_leaves(
    gateway, customer, make_model, upstream, surface
):
    """One content chunk, then silence: exactly that chunk is billed."""
    model = make_model("echo+chunks=2+text=40+stall=1")
    client = RawClient(gateway, customer, surface, surface.body(model, stream=True))
    client.read_until(b"You said")

    client.leave()

    wait_for(lambda: is_stopped(upstream), within=1)
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.output_tokens) == ("client_gone", 10)


@on_purpose
@all_lanes
@pytest.mark.parametrize("told", ["hang", "ttft=60000"], ids=["no headers yet", "no content yet"])
def test_nothing_is_charged_when_the_client_leaves_before_content(
    gateway, customer, make_model, upstream, lane, told, reset
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire))
    client = RawClient(gateway, customer, surface, surface.body(model, stream=True))
    wait_for(lambda: is_asked(upstream), within=2)

    client.leave(reset=reset)

    wait_for(lambda: is_stopped(upstream), within=1)
    check_free(customer)


@all_lanes
@pytest.mark.parametrize("told", ["hang", "stall=0"], ids=["no headers yet", "half a body"])
def test_nothing_is_charged_when_the_client_leaves_a_whole_answer(
    gateway, customer, make_model, upstream, lane, told
):
    surface, wire = lane
    model = make_model(Host(f"echo+{told}", wire))
    client = RawClient(gateway, customer, surface, surface.body(model))
    wait_for(lambda: is_asked(upstream), within=2)

    client.leave()

    wait_for(lambda: is_stopped(upstream), within=1)
    check_free(customer)


def check_free(customer: Customer) -> None:
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.status, record.usage_source) == ("client_gone", 499, "none")
    assert (record.charged, record.cost, record.output_tokens, record.input_tokens) == (0, 0, 0, 0)
    assert customer.balance.held == 0
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()


def test_no_further_host_is_asked_when_the_client_leaves_between_two(
    gateway, customer, make_model, upstream
):
    """The first host's 429 makes the gateway wait for a second; the client does not."""
    model = make_model("echo+status=429+retry_after=1", "echo")
    client = RawClient(gateway, customer, Surface.CHAT, Surface.CHAT.body(model))
    wait_for(lambda: upstream.stats()["failed"] == 1, within=2)

    client.leave()

    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("client_gone", 0)
    assert upstream.stats()["requests"] == 1


@on_both_surfaces
def test_slot_is_free_again_when_the_client_left(
    gateway, make_customer, make_model, upstream, surface
):
    customer = make_customer(concurrency=1)
    client = RawClient(
        gateway, customer, surface, surface.body(make_model("echo+hang"), stream=True)
    )
    wait_for(lambda: is_asked(upstream), within=2)
    client.leave()
    customer.settled(requests=1)

    answer = ask(gateway.client(customer), surface, surface.body(make_model("echo")))

    assert answer.status == 200


def test_nothing_happens_when_the_client_leaves_before_its_body_is_sent(
    gateway, customer, make_model, upstream
):
    model = make_model("echo")
    address = urlsplit(gateway.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=5)
    connection.sendall(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {customer.secret}\r\n"
        'content-length: 1000\r\n\r\n{"model": '.encode()
    )

    connection.close()

    assert ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model)).status == 200
    assert len(customer.settled(requests=1)) == 1
    assert upstream.stats()["requests"] == 1


@on_both_surfaces
def test_answer_is_billed_in_full_when_the_client_leaves_right_after_the_end(
    gateway, customer, make_model, surface
):
    model = make_model("echo")
    client = RawClient(gateway, customer, surface, surface.body(model, stream=True))
    client.read_until(b"[DONE]" if surface is Surface.CHAT else b"message_stop")

    client.leave(reset=True)

    (record,) = customer.settled(requests=1)
    assert (record.usage_source, record.output_tokens) == ("provider", 6)
    assert record.charged == 3 * 1_000 + 6 * 2_000
