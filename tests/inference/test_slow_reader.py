"""A client that keeps its connection and does not read is taken for gone, and pays for what was produced."""

import json
import socket
from urllib.parse import urlsplit

from apps.inference.consumers import InferenceConsumer

BODY = {
    "model": "sandbox/long+words=200000",
    "stream": True,
    "messages": [{"role": "user", "content": "Go on."}],
}


def test_stream_ends_and_is_billed_when_the_client_does_not_read(gateway, customer, monkeypatch):
    monkeypatch.setattr(InferenceConsumer, "slowest_read_seconds", 0.5)
    address = urlsplit(gateway.url)
    raw = json.dumps(BODY).encode()
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: {len(raw)}\r\n"
        f"authorization: Bearer {customer.secret}\r\n\r\n"
    )

    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.hostname, address.port))
        client.sendall(request.encode() + raw)

        (record,) = customer.settled(requests=1, within=20)

    assert record.outcome == "client_gone"
    assert record.usage_source == "counted"
    assert record.charged == record.cost > 0
