"""Streams that the gateway passes on keep the grammar of their wire, as the client gets them over a socket."""

import pytest

from apps.catalog.providers.spec import Wire
from tests.hosting import Host
from tests.protocols.grammars import check_stream

HELLO = [{"role": "user", "content": "Hello there"}]


@pytest.mark.parametrize("upstream_model", ["echo", "reasoner"])
@pytest.mark.parametrize(
    ("wire", "path", "body"),
    [
        (Wire.OPENAI_CHAT, "/v1/chat/completions", {"messages": HELLO}),
        (Wire.ANTHROPIC_MESSAGES, "/v1/messages", {"messages": HELLO, "max_tokens": 100}),
        (Wire.OPENAI_RESPONSES, "/v1/responses", {"input": "Hello there"}),
        (Wire.GEMINI, "", {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}),
    ],
    ids=["chat", "messages", "responses", "gemini"],
)
def test_stream_that_the_gateway_passes_on_is_one_of_its_wire(
    gateway, customer, make_model, wire, path, body, upstream_model
):
    model = make_model(Host(upstream_model, wire))
    if wire is Wire.GEMINI:
        path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    else:
        body = {"model": model, "stream": True, **body}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 200
    check_stream(wire, response.content)
