"""A client that keeps its connection and does not read is taken for gone, and pays for what was produced."""

import json
import socket
from urllib.parse import urlsplit

from apps.inference.consumers import InferenceConsumer
from tests.surfaces import Json

BODY: Json = {
    "model": "sandbox/long+words=200000",
    "stream": True,
    "messages": [{"role": "user", "content": "Go on."}],
}


def read_nothing(gateway, customer, body: Json, *, head: str = "") -> socket.socket:
    """A client that has sent its request and leaves the answer where it is."""
    address = urlsplit(gateway.url)
    raw = json.dumps(body).encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len(raw)}\r\n"
        f"authorization: Bearer {customer.secret}\r\n{head}\r\n"
    )
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((address.hostname, address.port))
    client.sendall(request.encode() + raw)
    return client


def test_stream_ends_and_is_billed_when_the_client_does_not_read(gateway, customer, monkeypatch):
    monkeypatch.setattr(InferenceConsumer, "slowest_read_seconds", 0.5)

    with read_nothing(gateway, customer, BODY):
        (record,) = customer.settled(requests=1, within=20)

    assert record.outcome == "client_gone"
    assert record.usage_source == "counted"
    assert record.charged == record.cost > 0


def test_answer_is_finished_for_the_retry_when_a_client_with_a_key_does_not_read(
    gateway, customer, upstream, monkeypatch
):
    monkeypatch.setattr(InferenceConsumer, "slowest_read_seconds", 0.5)
    body = BODY | {
        "model": "sandbox/long+words=30000"
    }  # more than a socket takes, less than is kept

    with read_nothing(gateway, customer, body, head="idempotency-key: slow\r\n"):
        (record,) = customer.settled(requests=1, within=20)
    again = gateway.client(customer).post(
        "/v1/chat/completions", json=body, headers={"idempotency-key": "slow"}
    )

    assert record.outcome == "completed"
    assert again.headers["idempotent-replayed"] == "true"
    assert again.text.rstrip().endswith("data: [DONE]")
    assert upstream.stats()["requests"] == 1
