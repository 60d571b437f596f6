"""Hosts that count cached tokens beside the input: what they report is billed, and told, as their format means it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.catalog.models import Provider
from apps.catalog.providers.registry import PROVIDERS, TEMPLATES
from apps.catalog.providers.spec import UsageConvention, Wire
from apps.catalog.services import offers, providers
from apps.common.usage import Usage
from apps.inference.cached_input import with_cache_inside
from apps.inference.protocols import CODECS
from tests.gateway import Gateway
from tests.hosting import publish

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
SURFACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO, "stream_options": {"include_usage": True}},
    "/v1/messages": {"messages": HELLO, "max_tokens": 9},
    "/v1/responses": {"input": "Hello"},
    "/v1/completions": {"prompt": "Hello", "stream_options": {"include_usage": True}},
}
CHAT = {
    "prompt_tokens": 1000, "completion_tokens": 7, "total_tokens": 1007,
    "prompt_tokens_details": {"cached_tokens": 400},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 1000, "output_tokens": 7, "total_tokens": 1007,
    "input_tokens_details": {"cached_tokens": 400},
}  # fmt: skip
MOSTLY_CACHED = {**CHAT, "prompt_tokens": 10, "total_tokens": 17}
COST = 1_000 * 1_000 + 400 * 100 + 7 * 2_000
"""Nano-USD at 1, 0.1 and 2 dollars for a million."""


def chat_answer(path: str, usage: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"index": 0, "finish_reason": "stop"}
    said |= {"text": "Hi"} if path == "/v1/completions" else {"message": {"role": "assistant", "content": "Hi"}}  # fmt: skip
    return {"id": "x", "object": "x", "created": 1, "model": "m", "choices": [said], "usage": usage}


def chat_stream(path: str, usage: Any) -> list[dict[str, Any]]:
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    word: dict[str, Any] = {"text": "Hi"} if path == "/v1/completions" else {"delta": {"role": "assistant", "content": "Hi"}}  # fmt: skip
    none: dict[str, Any] = {"text": ""} if path == "/v1/completions" else {"delta": {}}
    return [
        {**head, "choices": [{"index": 0, "finish_reason": None, **word}]},
        {**head, "choices": [{"index": 0, "finish_reason": "stop", **none}]},
        {**head, "choices": [], "usage": usage},
    ]


MESSAGE = {
    "id": "m", "type": "message", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
}  # fmt: skip
RESPONSE = {
    "id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [MESSAGE], "usage": RESPONSES,
}  # fmt: skip
RESPONSE_STREAM = [
    {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": {**MESSAGE, "status": "in_progress", "content": []}},
    {"type": "response.content_part.added", "sequence_number": 2, "item_id": "m", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}},
    {"type": "response.output_text.delta", "sequence_number": 3, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "Hi"},
    {"type": "response.output_item.done", "sequence_number": 4, "output_index": 0, "item": MESSAGE},
    {"type": "response.completed", "sequence_number": 5, "response": RESPONSE},
]  # fmt: skip


class Canned(BaseHTTPRequestHandler):
    """Says "Hi" in OpenAI's formats, and counts as its model's name says."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        usage = MOSTLY_CACHED if asked["model"] == "mostly" else CHAT
        if self.path == "/v1/responses":
            whole, events = RESPONSE, RESPONSE_STREAM
        else:
            whole, events = chat_answer(self.path, usage), chat_stream(self.path, usage)
        body = json.dumps(whole).encode()
        if asked.get("stream"):
            body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
            body += b"" if self.path == "/v1/responses" else b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header(
            "content-type", "text/event-stream" if asked.get("stream") else "application/json"
        )
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def canned(running_gateway: Gateway, django_db_blocker) -> Iterator[None]:
    """``cached/<name>`` at hosts of both formats: ``beside-chat``, ``inside-chat``, ``beside-responses``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hosts = (
        ("beside-chat", "openai_chat", "cache_beside_input"),
        ("inside-chat", "openai_chat", "cache_inside_input"),
        ("beside-responses", "openai_responses", "cache_beside_input"),
        ("beside-json", "openai_json", "cache_beside_input"),
    )
    with django_db_blocker.unblock():
        for slug, wire, convention in hosts:
            for name in ("mostly", "partly"):
                offering = providers.add_provider(
                    slug,
                    model=f"{slug}/{name}",
                    amounts=offers.Amounts.of(input=10**9, output=2 * 10**9, cache_read=10**8),
                    base_url=f"http://127.0.0.1:{server.server_port}/v1",
                    wire=wire,
                    upstream_model=name,
                )
            providers.set_api_key(offering.provider, "a-key")
            Provider.objects.filter(slug=slug).update(usage=convention)
        publish()
    yield
    server.shutdown()
    server.server_close()


LANES = [
    (path, host)
    for path in SURFACES
    for host in ("beside-chat", "beside-responses", "beside-json")
    if (path == "/v1/completions") == (host == "beside-json")
]


def told(text: str, *, streamed: bool) -> dict[str, Any]:
    """The usage that the client was told last."""
    if not streamed:
        found: dict[str, Any] = json.loads(text)["usage"]
        return found
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    usages = [event.get("usage") or event.get("response", {}).get("usage") for event in events]
    return next(usage for usage in reversed(usages) if usage)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("path", "host"), LANES)
def test_cached_tokens_beside_the_input_are_billed_beside_it(
    gateway, customer, canned, path, host, streamed
):
    body = {"model": f"{host}/partly", "stream": streamed, **SURFACES[path]}
    body = body if streamed else {k: v for k, v in body.items() if k != "stream_options"}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 200, response.text
    (record,) = customer.settled(requests=1)
    assert (record.usage_source, record.input_tokens, record.cache_read_tokens) == ("provider", 1000, 400)  # fmt: skip
    assert record.charged == COST
    usage = told(response.text, streamed=streamed)
    assert round(usage["cost"] * 1e9) == COST
    if path == "/v1/messages":
        assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (1000, 400)
    else:
        assert usage.get("prompt_tokens", usage.get("input_tokens")) == 1400
        assert usage["total_tokens"] == 1407


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_more_cached_than_not_is_no_absurdity_beside_the_input(gateway, customer, canned, streamed):
    body = {"model": "beside-chat/mostly", "stream": streamed, "messages": HELLO}

    gateway.client(customer).post("/v1/chat/completions", json=body)

    (record,) = customer.settled(requests=1)
    assert (record.usage_source, record.input_tokens, record.cache_read_tokens) == ("provider", 10, 400)  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_cached_tokens_are_part_of_the_input_where_the_row_says_nothing(
    gateway, customer, canned, streamed
):
    body = {"model": "inside-chat/partly", "stream": streamed, "messages": HELLO}

    gateway.client(customer).post("/v1/chat/completions", json=body)

    (record,) = customer.settled(requests=1)
    assert (record.input_tokens, record.cache_read_tokens) == (600, 400)


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (CHAT, Usage(input=1000, cache_read=400, output=7)),
        ({**CHAT, "total_tokens": 1407}, Usage(input=1000, cache_read=400, output=7)),
        (
            {**CHAT, "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 20}},
            Usage(input=1000, cache_read=400, cache_write_5m=20, output=7),
        ),
        (
            # Reasoning beside the completion, which the total gives away.
            {**CHAT, "total_tokens": 1057, "completion_tokens_details": {"reasoning_tokens": 50}},
            Usage(input=1000, cache_read=400, output=7, reasoning=50),
        ),
        ({**CHAT, "prompt_tokens_details": None}, Usage(input=1000, output=7)),
        ({**CHAT, "prompt_tokens_details": {"cached_tokens": -3}}, None),
        ({**CHAT, "prompt_tokens": "many"}, None),
    ],
)
def test_report_is_put_into_openais_words(usage, found):
    answer = json.loads(with_cache_inside(json.dumps({"usage": usage}).encode()))
    assert CODECS[Wire.OPENAI_CHAT].decode_usage(answer["usage"]) == found


@pytest.mark.parametrize("data", [b'{"usage"', b'["usage"]', b'{"usage": null}', b"[DONE]", b"{}"])
def test_what_tells_no_usage_stays_as_it_is(data):
    assert with_cache_inside(data).replace(b":null", b": null") == data


def test_only_rows_whose_format_does_not_say_it_tell_where_they_count():
    """Elsewhere the remark would change nothing."""
    odd = [
        spec.slug
        for spec in (*PROVIDERS.values(), *TEMPLATES.values())
        if spec.usage is not UsageConvention.CACHE_INSIDE_INPUT
        and not any(
            endpoint.wire in {Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.OPENAI_JSON}
            for endpoints in spec.endpoints.values()
            for endpoint in endpoints
        )
    ]
    assert odd == []
