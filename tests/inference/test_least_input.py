"""The least that an input can be: what cannot be counted here does not make a request too long for a host."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from apps.catalog.models import Offering
from apps.catalog.providers.spec import Wire
from apps.inference import tokens
from apps.inference.requests.chat import read_chat
from apps.inference.requests.common import RequestFacts
from apps.inference.requests.gemini import read_gemini
from apps.inference.requests.messages import read_count_tokens, read_messages
from apps.inference.requests.others import read_rerank
from apps.inference.requests.responses import read_responses
from tests.hosting import Host, publish
from tests.surfaces import Surface, ask

FILE = "A" * 64_000
TEXT = "word " * 320
"""1,600 bytes: a hundred tokens at the very least."""

Read = Callable[[Any], RequestFacts]


def reader(read: Callable[[bytes], RequestFacts], **fields: Any) -> Read:
    return lambda body: read(orjson.dumps({"model": "m", **fields, **body}))


CHAT = reader(read_chat)
MESSAGES = reader(read_messages, max_tokens=9)
RESPONSES = reader(read_responses)


def gemini(body: Any) -> RequestFacts:
    return read_gemini({"model": "m", **body})


def said(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(parts)}]}


def told(*parts: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


PLAIN = {"type": "text", "text": TEXT}
PDF = {"type": "base64", "media_type": "application/pdf", "data": FILE}
OWN_TOOL = {"type": "web_search_tool_result", "tool_use_id": "s", "content": {"encrypted": FILE}}
WORDS = {"type": "text", "media_type": "text/plain", "data": TEXT}
CASES: dict[str, tuple[Read, Any]] = {
    "chat: file": (CHAT, said(PLAIN, {"type": "file", "file": {"file_data": FILE}})),
    "chat: sound": (CHAT, said(PLAIN, {"type": "input_audio", "input_audio": {"data": FILE, "format": "wav"}})),
    "chat: image": (CHAT, said(PLAIN, {"type": "image_url", "image_url": {"url": FILE}})),
    "messages: document": (MESSAGES, said(PLAIN, {"type": "document", "source": PDF})),
    "messages: document in a result": (MESSAGES, said(PLAIN, {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": PDF}]})),
    "messages: image": (MESSAGES, said(PLAIN, {"type": "image", "source": PDF})),
    "messages: thoughts": (MESSAGES, said(PLAIN, {"type": "thinking", "thinking": FILE}, role="assistant")),
    "messages: encrypted result": (MESSAGES, said(PLAIN, OWN_TOOL)),
    "count_tokens: document": (reader(read_count_tokens), said(PLAIN, {"type": "document", "source": PDF})),
    "responses: file": (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": TEXT}, {"type": "input_file", "file_data": FILE}]}]}),
    "responses: thoughts": (RESPONSES, {"input": [{"role": "user", "content": TEXT}, {"type": "reasoning", "summary": [{"type": "summary_text", "text": FILE}]}]}),
    "responses: screenshot": (RESPONSES, {"input": [{"role": "user", "content": TEXT}, {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": FILE}}]}),
    "gemini: document": (gemini, told({"text": TEXT}, {"inlineData": {"mimeType": "application/pdf", "data": FILE}})),
    "gemini: sound": (gemini, told({"text": TEXT}, {"inlineData": {"mimeType": "audio/wav", "data": FILE}})),
    "gemini: thoughts": (gemini, told({"text": TEXT}, {"text": FILE, "thought": True})),
}  # fmt: skip


@pytest.mark.parametrize(("read", "body"), CASES.values(), ids=CASES)
def test_only_text_makes_an_input_certainly_long(read: Read, body: Any):
    assert tokens.least_input(read(body)) == 100


def test_documents_that_are_text_are_text():
    facts = MESSAGES(said({"type": "document", "source": WORDS}))

    assert tokens.least_input(facts) >= 100


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (MESSAGES, {**said(PLAIN), "context_management": {"edits": []}}),
        (RESPONSES, {"input": TEXT, "truncation": "auto"}),
        (RESPONSES, {"input": TEXT, "context_management": [{"type": "compaction"}]}),
        (reader(read_rerank), {"query": TEXT, "documents": [TEXT]}),
    ],
    ids=["context editing", "truncation", "compaction", "rerank"],
)
def test_nothing_is_certain_of_what_the_host_may_cut(read: Read, body: Any):
    facts = read(body)

    assert tokens.least_input(facts) == 0
    assert tokens.estimate_input(facts) >= 400  # the hold is not smaller for it


def test_document_does_not_make_a_request_too_long(gateway, customer, make_model):
    model = make_model(Host(wire=Wire.ANTHROPIC_MESSAGES, context_length=50_000))
    data = "QUJD" * 1_000_000  # counted as text it would be 62,500 tokens at least
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    body = Surface.MESSAGES.body(model)
    body["messages"][0]["content"] = [
        {"type": "document", "source": source},
        {"type": "text", "text": "Hello"},
    ]

    answer = ask(gateway.client(customer), Surface.MESSAGES, body)

    assert answer.status == 200


def test_many_texts_are_not_one_long_text(gateway, customer, upstream):
    """Each text of a request for embeddings must fit by itself."""
    offerings = Offering.objects.filter(model_id="sandbox/embedding")
    before = offerings.get().context_length
    offerings.update(context_length=100)
    publish()
    try:
        answer = gateway.client(customer).post(
            "/v1/embeddings", json={"model": "sandbox/embedding", "input": ["Hello there"] * 1000}
        )
    finally:
        offerings.update(context_length=before)
        publish()

    assert answer.status_code == 200
