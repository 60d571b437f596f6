"""``/ws/v1/chat`` over a real socket: the same answers, limits and bills as over HTTP."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.gateway import Customer, Gateway, make_customer

HELLO = [{"role": "user", "content": "Hello there"}]
MODELS = ("sandbox/echo", "sandbox/claude")
every_lane = pytest.mark.parametrize("model", MODELS)


def address(gateway: Gateway) -> str:
    return gateway.url.replace("http", "ws", 1) + "/ws/v1/chat"


@pytest.fixture
def socket(gateway: Gateway, customer: Customer) -> Iterator[ClientConnection]:
    with connect(
        address(gateway),
        subprotocols=["gatewayz", f"gatewayz-key.{customer.secret}"],  # type: ignore[list-item]
    ) as opened:
        assert opened.subprotocol == "gatewayz"
        yield opened


def ask(socket: ClientConnection, model: str, *, id: str = "1", **fields: Any) -> None:  # noqa: A002
    body = {"model": model, "messages": HELLO, "max_tokens": 100, **fields}
    socket.send(json.dumps({"type": "chat.completion.create", "id": id, "body": body}))


def read_until(socket: ClientConnection, *kinds: str) -> list[dict[str, Any]]:
    found = []
    while True:
        message = json.loads(socket.recv(timeout=10))
        found.append(message)
        if message["type"] in kinds:
            return found


@every_lane
def test_streams_chunks_and_ends_with_done(socket, customer, model):
    ask(socket, model, stream=True, stream_options={"include_usage": True})

    started, *chunks, done = read_until(socket, "chat.completion.done")
    assert (started["type"], started["status"], started["id"]) == (
        "chat.completion.started",
        200,
        "1",
    )
    assert started["headers"]["x-ratelimit-limit-requests"]
    said = "".join(
        choice["delta"].get("content") or "" for c in chunks for choice in c["data"]["choices"]
    )
    assert said == "You said: Hello there"
    assert chunks[-1]["data"]["usage"]["cost"] > 0
    assert done["id"] == "1"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.streamed) == ("completed", True)


def test_answers_whole_when_no_stream_is_asked_for(socket):
    ask(socket, "sandbox/echo")

    _, whole, _ = read_until(socket, "chat.completion.done")
    assert whole["type"] == "chat.completion"
    assert whole["data"]["choices"][0]["message"]["content"] == "You said: Hello there"


def test_requests_on_one_socket_do_not_wait_for_each_other(socket):
    ask(socket, "sandbox/echo+delay=1500", id="slow")
    ask(socket, "sandbox/echo", id="quick")

    first = read_until(socket, "chat.completion.done")[-1]
    second = read_until(socket, "chat.completion.done")[-1]
    assert (first["id"], second["id"]) == ("quick", "slow")


def test_a_cancelled_request_stops_and_the_socket_lives_on(socket, customer):
    ask(socket, "sandbox/long+chunks=100+interval=100", id="a", stream=True)
    read_until(socket, "chat.completion.chunk")
    socket.send(json.dumps({"type": "chat.completion.cancel", "id": "a"}))
    assert read_until(socket, "chat.completion.cancelled")[-1]["id"] == "a"
    ask(socket, "sandbox/echo", id="b")

    assert read_until(socket, "chat.completion.done")[-1]["id"] == "b"
    records = customer.settled(requests=2)
    assert {record.outcome for record in records} == {"client_gone", "completed"}
    assert customer.balance.held == 0


def test_a_closed_socket_stops_its_requests(gateway, customer):
    with connect(
        address(gateway), additional_headers={"authorization": f"Bearer {customer.secret}"}
    ) as opened:
        ask(opened, "sandbox/long+chunks=100+interval=100", stream=True)
        read_until(opened, "chat.completion.chunk")
    closed = time.monotonic()

    (record,) = customer.settled(requests=1)
    assert time.monotonic() - closed < 3
    assert record.outcome == "client_gone"
    assert customer.balance.held == 0


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "nobody/nothing"}, 404, "model_not_found", "model"),
        ({"model": "sandbox/echo", "messages": []}, 400, "invalid_value", "messages"),
        ({"model": "sandbox/echo", "temperature": "hot"}, 400, "invalid_type", "temperature"),
        ({"model": "sandbox/echo+status=500"}, 503, "all_providers_failed", None),
    ],
)
def test_errors_come_as_messages(socket, customer, fields, status, code, param):
    model = fields.pop("model")
    ask(socket, model, **fields)

    (error,) = read_until(socket, "error")
    assert (error["status"], error["error"]["code"], error["error"]["param"]) == (
        status,
        code,
        param,
    )
    customer.settled(requests=1 if status == 503 else 0)
    assert customer.balance.held == 0


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ("nonsense", None),
        ("[]", None),
        ('{"type": "x"}', "type"),
        ('{"type": "chat.completion.create", "body": {}}', "id"),
        ('{"type": "chat.completion.create", "id": "1"}', "body"),
    ],
)
def test_what_is_no_message_is_named(socket, sent, param):
    socket.send(sent)

    (error,) = read_until(socket, "error")
    assert (error["status"], error["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "x", "id": "7"},
        {"type": "chat.completion.create", "id": "7"},
        {"type": "chat.completion.create", "id": "7", "body": []},
    ],
)
def test_what_is_no_message_keeps_its_id(socket, sent):
    socket.send(json.dumps(sent))

    (error,) = read_until(socket, "error")
    assert (error["id"], error["status"]) == ("7", 400)
    assert set(error["error"]) >= {"message", "type", "param", "code", "request_id"}


def test_cancelling_what_is_not_under_way_is_an_error(socket):
    socket.send(json.dumps({"type": "chat.completion.cancel", "id": "7"}))

    (error,) = read_until(socket, "error")
    assert (error["id"], error["status"], error["error"]["code"]) == ("7", 404, "not_found")


def test_an_id_under_way_is_refused(socket):
    ask(socket, "sandbox/echo+delay=800", id="a")
    ask(socket, "sandbox/echo", id="a")

    (error,) = read_until(socket, "error")
    assert error["error"]["param"] == "id"
    assert read_until(socket, "chat.completion.done")[-1]["id"] == "a"


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_nobody_gets_in_without_a_key(gateway, secret):
    protocols: Any = ["gatewayz", f"gatewayz-key.{secret}"] if secret else ["gatewayz"]
    with connect(address(gateway), subprotocols=protocols) as opened:
        (error,) = read_until(opened, "error")
        assert (error["status"], error["id"]) == (401, None)
        assert set(error["error"]) == {"message", "type", "param", "code", "request_id"}
        assert error["error"]["type"] == "authentication_error"
        with pytest.raises(ConnectionClosed) as closed:
            opened.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_broken_stream_ends_in_an_error_and_costs_nothing(socket, customer):
    ask(socket, "sandbox/echo+cut=2+lull=200", stream=True)

    messages = read_until(socket, "error")
    assert messages[-1]["error"]["code"] == "upstream_error"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


def test_credit_is_checked_for_every_request(gateway):
    poor = make_customer(credit_usd="0")
    with connect(address(gateway), additional_headers={"x-api-key": poor.secret}) as opened:
        ask(opened, "sandbox/echo")
        (error,) = read_until(opened, "error")
    assert (error["status"], error["error"]["code"]) == (402, "insufficient_credits")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answer_comes_from_the_cache_when_the_key_says_so(gateway, make_customer, stream):
    customer = make_customer(cache_ttl=60)
    with connect(
        address(gateway),
        subprotocols=["gatewayz", f"gatewayz-key.{customer.secret}"],  # type: ignore[list-item]
    ) as opened:
        answers = []
        for _ in range(2):
            ask(opened, "sandbox/echo", stream=stream)
            answers.append(read_until(opened, "chat.completion.done"))
            customer.settled(requests=len(answers))

    first, second = answers
    assert [one[0]["headers"]["x-gatewayz-cache"] for one in answers] == ["miss", "hit"]
    assert [one["type"] for one in second] == [one["type"] for one in first]
    assert second[1]["data"]["choices"] == first[1]["data"]["choices"]
    assert second[1]["data"]["id"] == second[0]["headers"]["x-request-id"]
