"""A host may write one event over several ``data`` lines; every client gets it on one, on every lane."""

import json
from typing import Any

import pytest
from anthropic import Anthropic
from google import genai
from openai import OpenAI
from websockets.sync.client import connect

from apps.catalog.providers.spec import Wire
from tests.gateway import Customer, Gateway
from tests.hosting import Host

HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
SAID = "You said: Hello there"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/messages": {"messages": HELLO, "max_tokens": 100},
    "/v1/responses": {"input": "Hello there"},
    "/v1/completions": {"prompt": "Hello there", "max_tokens": 100},
}
WIRES = (Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.OPENAI_RESPONSES, Wire.GEMINI)
every_wire = pytest.mark.parametrize("wire", WIRES, ids=str)
every_manner = pytest.mark.parametrize("manner", ["lines", "lines+crlf+split=7"])


def check_lines(body: bytes) -> None:
    """Every line is of the grammar, and every record has its JSON on one."""
    for record in body.removesuffix(b"\n\n").split(b"\n\n"):
        *names, data = record.split(b"\n")
        assert all(name.startswith(b"event: ") for name in names)
        assert len(names) <= 1
        assert data.startswith(b"data: ")
        if data != b"data: [DONE]":
            json.loads(data.removeprefix(b"data: "))


@pytest.mark.parametrize("path", [*list(BODIES)[:3]])
@every_wire
@every_manner
def test_records_are_of_one_line(gateway: Gateway, customer, make_model, path, wire, manner):
    body = {"model": make_model(Host(f"echo+{manner}", wire)), "stream": True, **BODIES[path]}

    answer = gateway.client(customer).post(path, json=body)

    assert answer.status_code == 200
    check_lines(answer.content)
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"


@every_manner
def test_text_completions_are_of_one_line(gateway: Gateway, customer, manner):
    body = {"model": f"sandbox/echo+{manner}", "stream": True, **BODIES["/v1/completions"]}

    answer = gateway.client(customer).post("/v1/completions", json=body)

    assert answer.status_code == 200, answer.text
    check_lines(answer.content)


def test_openais_sdk_reads_them(openai_client: OpenAI, make_model):
    model = make_model(Host("echo+lines"))

    with openai_client.chat.completions.stream(model=model, messages=HELLO) as chat:
        assert chat.get_final_completion().choices[0].message.content == SAID

    model = make_model(Host("echo+lines", Wire.OPENAI_RESPONSES))
    with openai_client.responses.stream(model=model, input="Hello there") as response:
        assert response.get_final_response().output_text == SAID


def test_anthropics_sdk_reads_them(anthropic_client: Anthropic, make_model):
    model = make_model(Host("echo+lines", Wire.ANTHROPIC_MESSAGES))

    with anthropic_client.messages.stream(model=model, messages=HELLO, max_tokens=99) as stream:
        assert stream.get_final_text() == SAID


def test_googles_sdk_reads_them(google_client: genai.Client, make_model):
    model = make_model(Host("echo+lines", Wire.GEMINI))

    chunks = google_client.models.generate_content_stream(model=model, contents="Hello there")

    assert "".join(chunk.text or "" for chunk in chunks) == SAID


def test_socket_reads_them(gateway: Gateway, customer: Customer, make_model):
    protocols: Any = ["gatewayz", f"gatewayz-key.{customer.secret}"]
    body = {"model": make_model(Host("echo+lines")), "messages": HELLO, "stream": True}
    address = gateway.url.replace("http", "ws", 1) + "/ws/v1/chat"
    said = ""

    with connect(address, subprotocols=protocols) as socket:
        socket.send(json.dumps({"type": "chat.completion.create", "id": "1", "body": body}))
        while (message := json.loads(socket.recv(timeout=10)))["type"] != "chat.completion.done":
            for choice in message.get("data", {}).get("choices", ()):
                said += choice["delta"].get("content") or ""

    assert said == SAID
