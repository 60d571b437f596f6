"""A stream is waited for as long as it brings something new: comments, pings and empty deltas are nothing new."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.catalog.models import Provider
from apps.catalog.providers.spec import Wire
from apps.catalog.services import offers, providers
from tests.gateway import Gateway
from tests.hosting import publish
from tests.surfaces import Surface, ask

TEXT = "Hello"
IDLE = 0.6
Part = tuple[float, bytes]
"""Seconds to wait, and what is sent then."""


def chunk(delta: Any, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "model": "m", "choices": [choice], **more}).encode() + b"\n\n"  # fmt: skip


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def block(index: int, start: Any) -> bytes:
    return event("content_block_start", index=index, content_block=start)


def grown(index: int, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
MESSAGE = {"id": "x", "model": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}  # fmt: skip
BEGUN = event("message_start", message=MESSAGE) + block(0, {"type": "text", "text": ""})
PING = event("ping")
CHAT_WORD = [(0.0, chunk({"role": "assistant", "content": "You "}))]
MESSAGES_WORD = [(0.0, BEGUN + grown(0, type="text_delta", text="You "))]


def again(record: bytes, *, seconds: float) -> list[Part]:
    return [(0.1, record)] * round(seconds * 10)


SILENT: dict[str, tuple[Wire, list[Part]]] = {
    name: (wire, word + again(record, seconds=5))
    for name, wire, word, record in (
        ("comment", Wire.OPENAI_CHAT, CHAT_WORD, b": alive\n\n"),
        ("empty-text", Wire.OPENAI_CHAT, CHAT_WORD, chunk({"content": ""})),
        ("no-delta", Wire.OPENAI_CHAT, CHAT_WORD, chunk({})),
        ("same-usage", Wire.OPENAI_CHAT, CHAT_WORD, chunk({"content": ""}, usage=USAGE)),
        ("ping", Wire.ANTHROPIC_MESSAGES, MESSAGES_WORD, PING),
        ("empty-delta", Wire.ANTHROPIC_MESSAGES, MESSAGES_WORD, grown(0, type="text_delta", text="")),
    )
}  # fmt: skip
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
ALIVE: dict[str, tuple[Wire, list[Part]]] = {
    "slow": (
        Wire.OPENAI_CHAT,
        [*CHAT_WORD, *[(0.3, chunk({"content": "s"}))] * 4, (0.3, chunk({}, "stop"))],
    ),
    "long-argument": (
        Wire.ANTHROPIC_MESSAGES,
        [
            *MESSAGES_WORD,
            (0.0, event("content_block_stop", index=0) + block(1, TOOL)),
            *again(PING, seconds=1.2),
            (0.0, grown(1, type="input_json_delta", partial_json='{"city":"Paris"}')),
            (0.0, event("content_block_stop", index=1)),
            (0.0, event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9})),
            (0.0, event("message_stop")),
        ],
    ),
}  # fmt: skip
STREAMS = {**SILENT, **ALIVE}


class Slow(BaseHTTPRequestHandler):
    """Answers every POST with the stream that its model names, part by part."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for pause, part in STREAMS[asked["model"]][1]:
            time.sleep(pause)
            try:
                self.wfile.write(part)
            except ConnectionError:
                return  # the gateway waits no longer

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def slow(running_gateway: Gateway, django_db_blocker) -> Iterator[None]:
    """Models ``slow/<name>``, at the slow host first and at the sandbox second."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with django_db_blocker.unblock():
        for name, (wire, _) in STREAMS.items():
            address = f"http://127.0.0.1:{server.server_port}/v1"
            add(f"slow-{wire.value.replace('_', '-')}", name, address, wire, upstream=name)
            address = f"{running_gateway.sandbox.base_url}/v1"
            add("quick", name, address, Wire.OPENAI_CHAT, upstream="echo", priority=2)
        publish()
    yield
    server.shutdown()
    server.server_close()


def add(
    slug: str, name: str, address: str, wire: Wire, *, upstream: str, priority: int = 1
) -> None:
    offering = providers.add_provider(
        slug,
        model=f"slow/{name}",
        amounts=offers.Amounts.of(input=10**9, output=2 * 10**9),
        base_url=address,
        wire=wire.value,
        upstream_model=upstream,
        priority=priority,
    )
    if not offering.provider.api_key_ciphertext:
        providers.set_api_key(offering.provider, "a-key")
    Provider.objects.filter(pk=slug).update(idle_seconds=IDLE)


@pytest.mark.parametrize("surface", Surface, ids=str)
@pytest.mark.parametrize("name", SILENT)
def test_stream_has_stalled_when_it_says_nothing_new(gateway, customer, slow, name, surface):
    started = time.monotonic()
    body = surface.body(f"slow/{name}", TEXT, stream=True)

    answer = ask(gateway.client(customer), surface, body)

    assert (answer.text, answer.is_finished, answer.error) == (f"You said: {TEXT}", True, None)
    assert IDLE < time.monotonic() - started < 3
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["stalled", ""]


@pytest.mark.parametrize("surface", Surface, ids=str)
@pytest.mark.parametrize("name", ALIVE)
def test_stream_is_waited_for_while_it_goes_on(gateway, customer, slow, name, surface):
    body = surface.body(f"slow/{name}", TEXT, stream=True)

    answer = ask(gateway.client(customer), surface, body)

    assert (answer.is_finished, answer.error) == (True, None)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [""]
    assert (record.outcome, record.charged) == ("completed", record.cost)
