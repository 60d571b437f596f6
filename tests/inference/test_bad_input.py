"""Every request that must be refused: its status, its error in the surface's own envelope, and nothing spent."""

import datetime
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.conf import settings

from apps.billing.models import Hold
from apps.catalog.models import Model, Offering, Provider
from apps.catalog.providers.spec import Wire
from apps.common import clock
from apps.keys import services as keys
from tests.gateway import Customer, Gateway
from tests.hosting import Host, offer_model, publish, slug_of
from tests.surfaces import SURFACES, Answer, Json, Surface, ask, check_error, read_answer

on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])


@pytest.fixture
def model(make_model) -> str:
    found: str = make_model("echo")
    return found


@contextmanager
def nothing_spent(customer: Customer, *, records: int = 0) -> Iterator[None]:
    """The balance is what it was, nothing stays on hold, and what was recorded was not charged."""
    before = customer.balance.total
    yield
    found = customer.settled(requests=records) if records else customer.records()
    assert len(found) == records
    assert [record.charged for record in found] == [0] * records
    assert customer.balance.total == before
    assert customer.balance.held == 0
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()


def refuse(client: httpx.Client, surface: Surface, body: Json, status: int, code: str) -> Json:
    """The error, after the checks that hold for every refusal."""
    answer = ask(client, surface, body)
    return check_refusal(answer, surface, status, code)


def check_refusal(answer: Answer, surface: Surface, status: int, code: str) -> Json:
    error = check_error(answer, surface)
    assert (answer.status, error["code"]) == (status, code)
    assert answer.headers["x-request-id"].startswith("gen_")
    assert answer.headers["content-type"] == "application/json"
    retryable = status in {429, 503}
    assert answer.headers["x-should-retry"] == ("true" if retryable else "false")
    return error


# Who is asking.

KEYS: dict[str, tuple[Callable[[Customer], dict[str, str]], str]] = {
    "no key": (lambda customer: {}, "missing_api_key"),
    "empty bearer": (lambda customer: {"authorization": "Bearer"}, "missing_api_key"),
    "other scheme": (
        lambda customer: {"authorization": f"Basic {customer.secret}"}, "missing_api_key",
    ),
    "not one of ours": (lambda customer: {"authorization": "Bearer sk-1234"}, "invalid_api_key"),
    "wrong checksum": (
        lambda customer: {"authorization": f"Bearer {customer.secret[:-1]}!"}, "invalid_api_key",
    ),
    "well-formed, not issued": (
        lambda customer: {"authorization": f"Bearer {forge(customer.secret)}"}, "invalid_api_key",
    ),
    "not one of ours as x-api-key": (lambda customer: {"x-api-key": "sk-1234"}, "invalid_api_key"),
    "not ASCII": (lambda customer: {"x-api-key": "gw_live_ü"}, "invalid_api_key"),
}  # fmt: skip


def forge(secret: str) -> str:
    body = secret[:-8] + ("ab" if secret[-8:-6] != "ab" else "cd")
    return body + keys.checksum(body)


@on_both_surfaces
@pytest.mark.parametrize(("headers", "code"), KEYS.values(), ids=KEYS.keys())
def test_refuses_when_the_key_is_missing_or_wrong(gateway, customer, model, surface, headers, code):
    client = gateway.client(customer, headers=[
        (name, value.encode()) for name, value in headers(customer).items()
    ])  # fmt: skip

    with nothing_spent(customer):
        refuse(client, surface, surface.body(model), 401, code)


@pytest.mark.alone
@on_both_surfaces
def test_refuses_within_a_second_when_the_key_was_revoked(gateway, customer, model, surface):
    client = gateway.client(customer)
    assert ask(client, surface, surface.body(model)).status == 200
    customer.settled(requests=1)
    keys.revoke(customer.key)
    revoked = time.monotonic()

    while (answer := ask(client, surface, surface.body(model))).status == 200:
        assert time.monotonic() - revoked < 1
        time.sleep(0.05)

    check_refusal(answer, surface, 401, "api_key_revoked")


@on_both_surfaces
def test_refuses_when_the_key_has_expired(gateway, make_customer, model, surface):
    customer = make_customer(expires_at=clock.now() - datetime.timedelta(seconds=1))

    with nothing_spent(customer):
        refuse(gateway.client(customer), surface, surface.body(model), 401, "api_key_expired")


# What is asked for.


@on_both_surfaces
def test_refuses_when_there_is_no_such_model(gateway, customer, surface):
    with nothing_spent(customer):
        error = refuse(
            gateway.client(customer), surface, surface.body("acme/none"), 404, "model_not_found"
        )

    assert error["param"] == "model"
    assert "acme/none" in error["message"]


@on_both_surfaces
def test_refuses_when_the_model_has_no_price(gateway, customer, upstream, model, surface):
    free = f"acme/unpriced-{surface}"
    Offering.objects.create(
        model=Model.objects.create(id=free, name=free),
        provider=Provider.objects.get(pk=slug_of(0)),
        upstream_model="echo",
    )
    publish()

    with nothing_spent(customer):
        error = refuse(
            gateway.client(customer), surface, surface.body(free), 400, "model_not_priced"
        )

    assert error["param"] == "model"
    assert upstream.stats()["requests"] == 0


@on_both_surfaces
def test_refuses_when_the_input_is_longer_than_any_hosts_context(
    gateway, customer, make_model, upstream, surface
):
    short = make_model(Host(context_length=100), Host(context_length=120))
    body = surface.body(short, "x" * 16 * 121)

    with nothing_spent(customer):
        error = refuse(gateway.client(customer), surface, body, 400, "context_length_exceeded")

    assert error["param"] == "messages"
    assert upstream.stats()["requests"] == 0


# The body.

BODIES = {
    "empty": (b"", "invalid_json"),
    "not JSON": (b"{'model': 1}", "invalid_json"),
    "cut off": (b'{"model": "acme/x", "messa', "invalid_json"),
    "not UTF-8": (b'{"model": "\xff\xfe"}', "invalid_json"),
    "nested too deeply": (b'{"unknown":' + b"[" * 100_000, "invalid_json"),
    "nested too deeply, whole": (
        b'{"unknown":' + b"[" * 5_000 + b"]" * 5_000
        + b',"model":"sandbox/echo","max_tokens":9,"messages":[{"role":"user","content":"x"}]}',
        "invalid_json",
    ),
    "half a surrogate pair": (
        b'{"model":"sandbox/echo","max_tokens":9,"messages":[{"role":"user","content":"\\ud800"}]}',
        "invalid_json",
    ),
    "half a surrogate pair in an unknown field": (
        b'{"unknown":"\\ud800","model":"sandbox/echo","max_tokens":9,"messages":[{"role":"user","content":"x"}]}',
        "invalid_json",
    ),
    "not a number": (
        b'{"unknown":NaN,"model":"sandbox/echo","max_tokens":9,"messages":[{"role":"user","content":"x"}]}',
        "invalid_json",
    ),
    "a list": (b"[]", "invalid_type"),
    "a text": (b'"hello"', "invalid_type"),
    "null": (b"null", "invalid_type"),
}  # fmt: skip


@on_both_surfaces
@pytest.mark.parametrize(("content", "code"), BODIES.values(), ids=BODIES.keys())
def test_refuses_when_the_body_is_not_a_json_object(gateway, customer, surface, content, code):
    with nothing_spent(customer):
        response = gateway.client(customer).post(surface.path, content=content)

    check_refusal(read_answer(response, response.content), surface, 400, code)


@on_both_surfaces
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "identity, gzip", "X-Other"])
def test_refuses_when_the_body_is_compressed(gateway, customer, upstream, model, surface, encoding):
    content = gzip.compress(json.dumps(surface.body(model)).encode())
    client = gateway.client(customer, headers=customer.headers | {"content-encoding": encoding})

    with nothing_spent(customer):
        response = client.post(surface.path, content=content)

    error = check_refusal(
        read_answer(response, response.content), surface, 415, "unsupported_encoding"
    )
    assert error["param"] == "content-encoding"
    assert response.headers["accept-encoding"] == "identity"
    assert upstream.stats()["requests"] == 0


@on_both_surfaces
def test_body_that_says_it_is_as_it_is_is_read(gateway, customer, model, surface):
    client = gateway.client(customer, headers=customer.headers | {"content-encoding": "Identity"})

    assert ask(client, surface, surface.body(model)).status == 200


@on_both_surfaces
def test_refuses_when_the_body_is_larger_than_the_limit(gateway, customer, surface):
    content = b'{"model":"' + b"x" * settings.MAX_BODY_BYTES + b'"}'

    with nothing_spent(customer):
        response = gateway.client(customer).post(surface.path, content=content)

    check_refusal(read_answer(response, response.content), surface, 413, "request_too_large")


USER: Json = {"role": "user", "content": "Hello"}
MISSING: Any = object()

FIELDS = {
    "no model": ({"model": MISSING}, "model", "missing_field"),
    "model empty": ({"model": ""}, "model", "invalid_value"),
    "model a number": ({"model": 4}, "model", "invalid_type"),
    "no messages": ({"messages": MISSING}, "messages", "missing_field"),
    "messages empty": ({"messages": []}, "messages", "invalid_value"),
    "messages a text": ({"messages": "Hello"}, "messages", "invalid_type"),
    "message a text": ({"messages": ["Hello"]}, "messages[0]", "invalid_type"),
    "no role": ({"messages": [{"content": "Hello"}]}, "messages[0].role", "missing_field"),
    "unknown role": (
        {"messages": [{"role": "wizard", "content": "Hello"}]}, "messages[0].role", "invalid_value",
    ),
    "content a number": (
        {"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "invalid_type",
    ),
    "second message wrong": (
        {"messages": [USER, {"role": "user", "content": {"text": 1}}]},
        "messages[1].content",
        "invalid_type",
    ),
    "part without type": (
        {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
        "messages[0].content[0].type",
        "missing_field",
    ),
    "temperature a text": ({"temperature": "hot"}, "temperature", "invalid_type"),
    "temperature too high": ({"temperature": 2.5}, "temperature", "invalid_value"),
    "temperature negative": ({"temperature": -1}, "temperature", "invalid_value"),
    "top_p above one": ({"top_p": 1.5}, "top_p", "invalid_value"),
    "max_tokens zero": ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    "max_tokens negative": ({"max_tokens": -1}, "max_tokens", "invalid_value"),
    "max_tokens a fraction": ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
    "max_tokens a text": ({"max_tokens": "100"}, "max_tokens", "invalid_type"),
    "stream a text": ({"stream": "yes"}, "stream", "invalid_type"),
    "tools an object": ({"tools": {}}, "tools", "invalid_type"),
    "tool a text": ({"tools": ["weather"]}, "tools[0]", "invalid_type"),
}  # fmt: skip


def content(*parts: Json, role: str = "user") -> Json:
    return {"messages": [USER, {"role": role, "content": list(parts)}]}


PART = "messages[1].content[0]"
CALL: Json = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def calls(*found: Json) -> Json:
    return {"messages": [USER, {"role": "assistant", "tool_calls": list(found)}]}


def function(**fields: Any) -> Json:
    return {"tools": [{"type": "function", "function": fields}]}


def schema(**fields: Any) -> Json:
    return {"response_format": {"type": "json_schema", "json_schema": fields}}


def image(**source: Any) -> Json:
    return content({"type": "image", "source": source})


def thinking(budget: int, **fields: Any) -> Json:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": 4096, **fields}


CHAT_FIELDS: dict[str, tuple[Json, str, str]] = {
    "n zero": ({"n": 0}, "n", "invalid_value"),
    "n too large": ({"n": 129}, "n", "invalid_value"),
    "stop a number": ({"stop": 1}, "stop", "invalid_type"),
    "seed a text": ({"seed": "x"}, "seed", "invalid_type"),
    "stream_options a list": ({"stream_options": []}, "stream_options", "invalid_type"),
    "response_format unknown": (
        {"response_format": {"type": "xml"}}, "response_format.type", "invalid_value",
    ),
    "image without url": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].image_url.url",
        "missing_field",
    ),
    "seed too long": ({"seed": 2**63}, "seed", "invalid_value"),
    "max_tokens too long": ({"max_tokens": 2**64}, "max_tokens", "invalid_value"),
    "tool empty": ({"tools": [{}]}, "tools[0].type", "missing_field"),
    "tool without function": (
        {"tools": [{"type": "function"}]}, "tools[0].function", "missing_field",
    ),
    "function null": (
        {"tools": [{"type": "function", "function": None}]}, "tools[0].function", "missing_field",
    ),
    "function without name": (function(), "tools[0].function.name", "missing_field"),
    "function with an empty name": (function(name=""), "tools[0].function.name", "invalid_value"),
    "second function without name": (
        {"tools": [*function(name="f")["tools"], *function(name=None)["tools"]]},
        "tools[1].function.name",
        "invalid_type",
    ),
    "parameters a text": (
        function(name="f", parameters="{}"), "tools[0].function.parameters", "invalid_type",
    ),
    "custom tool without name": (
        {"tools": [{"type": "custom", "custom": {}}]}, "tools[0].custom.name", "missing_field",
    ),
    "chosen tool without function": (
        {"tool_choice": {"type": "function"}}, "tool_choice.function", "missing_field",
    ),
    "chosen tool without name": (
        {"tool_choice": {"type": "function", "function": {}}},
        "tool_choice.function.name",
        "missing_field",
    ),
    "format without schema": (
        {"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_field",
    ),
    "user without content": ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_field"),
    "system null": (
        {"messages": [{"role": "system", "content": None}, USER]},
        "messages[0].content",
        "missing_field",
    ),
    "tool without its call": (
        {"messages": [USER, {"role": "tool", "content": "7"}]},
        "messages[1].tool_call_id",
        "missing_field",
    ),
    "tool without content": (
        {"messages": [USER, {"role": "tool", "tool_call_id": "a"}]},
        "messages[1].content",
        "missing_field",
    ),
    "text part without text": (content({"type": "text"}), f"{PART}.text", "missing_field"),
    "text part null": (content({"type": "text", "text": None}), f"{PART}.text", "missing_field"),
    "image part without image": (content({"type": "image_url"}), f"{PART}.image_url", "missing_field"),
    "audio part without data": (
        content({"type": "input_audio", "input_audio": {"format": "wav"}}),
        f"{PART}.input_audio.data",
        "missing_field",
    ),
    "file part without file": (content({"type": "file"}), f"{PART}.file", "missing_field"),
    "refusal without text": (
        content({"type": "refusal"}, role="assistant"), f"{PART}.refusal", "missing_field",
    ),
    "call without function": (
        calls(CALL, {"id": "b", "type": "function"}),
        "messages[1].tool_calls[1].function",
        "missing_field",
    ),
    "call without name": (
        calls({**CALL, "function": {"arguments": "{}"}}),
        "messages[1].tool_calls[0].function.name",
        "missing_field",
    ),
    "call without arguments": (
        calls({**CALL, "function": {"name": "f"}}),
        "messages[1].tool_calls[0].function.arguments",
        "missing_field",
    ),
    "audio a number": (
        content({"type": "input_audio", "input_audio": {"data": 5, "format": "wav"}}),
        f"{PART}.input_audio.data",
        "invalid_type",
    ),
    "file empty": (content({"type": "file", "file": {}}), f"{PART}.file.file_data", "missing_field"),
    "file of a name alone": (
        content({"type": "file", "file": {"filename": "x"}}), f"{PART}.file.file_data", "missing_field",
    ),
    "file by a number": (
        content({"type": "file", "file": {"file_id": 1}}), f"{PART}.file.file_id", "invalid_type",
    ),
    "strict a text": (
        function(name="f", strict="yes"), "tools[0].function.strict", "invalid_type",
    ),
    "schema a text": (
        schema(name="f", schema="x"), "response_format.json_schema.schema", "invalid_type",
    ),
    "schema without name": (
        schema(schema={}), "response_format.json_schema.name", "missing_field",
    ),
    "bias a text": ({"logit_bias": {"7": 1, "123": "x"}}, "logit_bias.123", "invalid_type"),
    "modalities a text": ({"modalities": "text"}, "modalities", "invalid_type"),
    "audio a text": ({"audio": "alloy"}, "audio", "invalid_type"),
    "audio without format": ({"audio": {"voice": "alloy"}}, "audio.format", "missing_field"),
    "prediction a text": ({"prediction": "x"}, "prediction", "invalid_type"),
    "prediction of a number": (
        {"prediction": {"type": "content", "content": 1}}, "prediction.content", "invalid_type",
    ),
    "metadata a text": ({"metadata": "x"}, "metadata", "invalid_type"),
    "metadata a number": ({"metadata": {"a": "b", "c": 1}}, "metadata.c", "invalid_type"),
    "store a text": ({"store": "yes"}, "store", "invalid_type"),
    "service_tier a number": ({"service_tier": 1}, "service_tier", "invalid_type"),
    "verbosity a number": ({"verbosity": 1}, "verbosity", "invalid_type"),
    "search options a text": ({"web_search_options": "x"}, "web_search_options", "invalid_type"),
    "functions an object": ({"functions": {}}, "functions", "invalid_type"),
    "first function without name": ({"functions": [{}]}, "functions[0].name", "missing_field"),
    "function_call a number": ({"function_call": 1}, "function_call", "invalid_type"),
    "function_call without name": ({"function_call": {}}, "function_call.name", "missing_field"),
}  # fmt: skip
MESSAGES_FIELDS: dict[str, tuple[Json, str, str]] = {
    "tool empty": ({"tools": [{}]}, "tools[0].name", "missing_field"),
    "tool without schema": ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "missing_field"),
    "custom tool without name": (
        {"tools": [{"type": "custom", "input_schema": {}}]},
        "tools[0].name",
        "missing_field",
    ),
    "schema a text": (
        {"tools": [{"name": "f", "input_schema": "{}"}]},
        "tools[0].input_schema",
        "invalid_type",
    ),
    "choice empty": ({"tool_choice": {}}, "tool_choice.type", "missing_field"),
    "chosen tool without name": (
        {"tool_choice": {"type": "tool"}},
        "tool_choice.name",
        "missing_field",
    ),
    "thinking empty": ({"thinking": {}}, "thinking.type", "missing_field"),
    "thinking without budget": (
        {"thinking": {"type": "enabled"}},
        "thinking.budget_tokens",
        "missing_field",
    ),
    "system without text": ({"system": [{"type": "text"}]}, "system[0].text", "missing_field"),
    "text block without text": (content({"type": "text"}), f"{PART}.text", "missing_field"),
    "image without source": (content({"type": "image"}), f"{PART}.source", "missing_field"),
    "image with an empty source": (
        content({"type": "image", "source": {}}),
        f"{PART}.source.type",
        "missing_field",
    ),
    "image without data": (
        content({"type": "image", "source": {"type": "base64", "media_type": "image/png"}}),
        f"{PART}.source.data",
        "missing_field",
    ),
    "image with null for a url": (
        content({"type": "image", "source": {"type": "url", "url": None}}),
        f"{PART}.source.url",
        "missing_field",
    ),
    "document without source": (content({"type": "document"}), f"{PART}.source", "missing_field"),
    "call without input": (
        content({"type": "tool_use", "id": "a", "name": "f"}, role="assistant"),
        f"{PART}.input",
        "missing_field",
    ),
    "result without its call": (
        content({"type": "tool_result", "content": "7"}),
        f"{PART}.tool_use_id",
        "missing_field",
    ),
    "result with an image without source": (
        content({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image"}]}),
        f"{PART}.content[0].source",
        "missing_field",
    ),
    "thinking without text": (
        content({"type": "thinking", "signature": "x"}, role="assistant"),
        f"{PART}.thinking",
        "missing_field",
    ),
    "no max_tokens": ({"max_tokens": MISSING}, "max_tokens", "missing_field"),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_field"),
    "system a number": ({"system": 1}, "system", "invalid_type"),
    "stop_sequences a text": ({"stop_sequences": "x"}, "stop_sequences", "invalid_type"),
    "thinking a text": ({"thinking": "yes"}, "thinking", "invalid_type"),
    "media type a number": (
        image(type="base64", media_type=1, data="x"),
        f"{PART}.source.media_type",
        "invalid_type",
    ),
    "data a number": (
        image(type="base64", media_type="image/png", data=1),
        f"{PART}.source.data",
        "invalid_type",
    ),
    "url a number": (image(type="url", url=1), f"{PART}.source.url", "invalid_type"),
    "source of a numbered type": (image(type=1), f"{PART}.source.type", "invalid_type"),
    "image in a word": (
        content({"type": "image", "source": "x"}),
        f"{PART}.source",
        "invalid_type",
    ),
    "search result with an object for a source": (
        content({"type": "search_result", "source": {}, "title": "x", "content": []}),
        f"{PART}.source",
        "invalid_type",
    ),
    "block with a text for a cache": (
        content({"type": "text", "text": "x", "cache_control": "x"}),
        f"{PART}.cache_control",
        "invalid_type",
    ),
    "tool with a text for a cache": (
        {"tools": [{"name": "f", "input_schema": {}, "cache_control": "x"}]},
        "tools[0].cache_control",
        "invalid_type",
    ),
    "cache in a word": ({"cache_control": "x"}, "cache_control", "invalid_type"),
    "result of an object": (
        content({"type": "tool_result", "tool_use_id": "a", "content": {}}),
        f"{PART}.content",
        "invalid_type",
    ),
    "choice unknown": ({"tool_choice": {"type": "zz"}}, "tool_choice.type", "invalid_value"),
    "choice of OpenAI's": ({"tool_choice": "auto"}, "tool_choice", "invalid_type"),
    "thinking unknown": ({"thinking": {"type": "zz"}}, "thinking.type", "invalid_value"),
    "thinking too little": (thinking(1023), "thinking.budget_tokens", "invalid_value"),
    "thinking as long as the answer": (thinking(4096), "thinking.budget_tokens", "invalid_value"),
    "metadata a text": ({"metadata": "x"}, "metadata", "invalid_type"),
    "user a number": ({"metadata": {"user_id": 1}}, "metadata.user_id", "invalid_type"),
    "service_tier unknown": ({"service_tier": "zz"}, "service_tier", "invalid_value"),
    "container a number": ({"container": 1}, "container", "invalid_type"),
    "mcp_servers a text": ({"mcp_servers": "x"}, "mcp_servers", "invalid_type"),
}
ROWS = [
    pytest.param(surface, *row, id=f"{surface}-{name}")
    for surface, table in (
        (Surface.CHAT, FIELDS | CHAT_FIELDS),
        (Surface.MESSAGES, FIELDS | MESSAGES_FIELDS),
    )
    for name, row in table.items()
]


@pytest.mark.parametrize(("surface", "fields", "param", "code"), ROWS)
def test_refuses_naming_the_field_when_it_is_wrong(gateway, customer, surface, fields, param, code):
    body = {
        name: value
        for name, value in (surface.body("sandbox/echo") | fields).items()
        if value is not MISSING
    }

    with nothing_spent(customer):
        error = refuse(gateway.client(customer), surface, body, 400, code)

    assert error["param"] == param
    assert param in error["message"]


# What is wrong only where the request is translated, and is known before anything is sent.


@pytest.mark.parametrize(
    ("surface", "wire_model", "fields", "param"),
    [
        (
            Surface.CHAT,
            "sandbox/claude",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        (
            Surface.MESSAGES,
            "sandbox/echo",
            {"output_config": {"format": {}}},
            "output_config.format.type",
        ),
    ],
    ids=["chat", "messages"],
)
@both_ways
def test_refuses_naming_the_field_when_only_the_translation_finds_it(
    gateway, customer, upstream, surface, wire_model, fields, param, streamed
):
    body = surface.body(wire_model, stream=streamed, **fields)

    with nothing_spent(customer, records=1):
        error = refuse(gateway.client(customer), surface, body, 400, "missing_field")

    assert error["param"] == param
    assert upstream.stats()["requests"] == 0


FILE_AT_OPENAI: Json = {"type": "input_file", "file_id": "file_1"}
SCREEN: Json = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
RESPONSES_FIELDS: dict[str, tuple[Json, str]] = {
    "item of no type": ({"input": [{"type": "weird"}]}, "input[0].type"),
    "item of no type behind others": ({"input": [USER, {"type": "weird"}]}, "input[1].type"),
    "part of no type": ({"input": [{"role": "user", "content": [{"type": "weird"}]}]}, "input[0].content[0].type"),
    "nothing that can be read": ({"input": [SCREEN]}, "input"),
    "effort": ({"reasoning": {"effort": "x"}}, "reasoning.effort"),
    "format": ({"text": {"format": {"type": "x"}}}, "text.format.type"),
    "include": ({"include": ["reasoning.encrypted_content", "zz"]}, "include[1]"),
}  # fmt: skip
UPLOADS: dict[str, tuple[Json, str]] = {
    "file": ({"input": [USER, {"role": "user", "content": [FILE_AT_OPENAI]}]}, "input[1].content[0].file_id"),
    "picture": ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}]}, "input[0].content[0].file_id"),
}  # fmt: skip
RESPONSES_ROWS = [
    pytest.param(wire, *row, id=f"{wire.value}-{name}")
    for wire, table in (
        (Wire.OPENAI_CHAT, RESPONSES_FIELDS),
        (Wire.ANTHROPIC_MESSAGES, RESPONSES_FIELDS | UPLOADS),
        (Wire.GEMINI, RESPONSES_FIELDS | UPLOADS),
    )
    for name, row in table.items()
]


@pytest.mark.parametrize(("wire", "fields", "param"), RESPONSES_ROWS)
def test_refuses_a_response_naming_the_field_when_only_the_translation_finds_it(
    gateway, customer, make_model, upstream, wire, fields, param
):
    body = {"model": make_model(Host("echo", wire)), "input": "Hello", **fields}

    with nothing_spent(customer, records=1):
        answer = gateway.client(customer).post("/v1/responses", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert param in error["message"]
    assert upstream.stats()["requests"] == 0


RESULT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
TOOL_CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}


@pytest.mark.parametrize("wire", [Wire.OPENAI_RESPONSES, Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES])
@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([RESULT], "input[0].call_id"),
        ([USER, TOOL_CALL, RESULT | {"call_id": "call_2"}], "input[2].call_id"),
        ([USER, RESULT, TOOL_CALL], "input[1].call_id"),
        ([USER, RESULT | {"type": "custom_tool_call_output"}], "input[1].call_id"),
    ],
    ids=["alone", "of another call", "before its call", "of a custom tool"],
)
def test_refuses_a_tools_result_that_answers_no_call(
    gateway, customer, make_model, upstream, wire, items, param
):
    body = {"model": make_model(Host("echo", wire)), "input": items}

    with nothing_spent(customer):
        answer = gateway.client(customer).post("/v1/responses", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert upstream.stats()["requests"] == 0


def test_tools_result_may_answer_a_call_of_an_earlier_response(gateway, customer):
    """Its place is told as the client knows it: in its own input."""
    client = gateway.client(customer)
    tool = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    asked = {"model": "sandbox/echo", "tools": [tool]}
    first = client.post(
        "/v1/responses", json={**asked, "input": "Use add, please.", "tool_choice": "required"}
    ).json()
    (call,) = [item for item in first["output"] if item["type"] == "function_call"]
    follow = {**asked, "previous_response_id": first["id"]}
    result = RESULT | {"call_id": call["call_id"]}

    served = client.post("/v1/responses", json={**follow, "input": [result]})
    refused = client.post("/v1/responses", json={**follow, "input": [result, RESULT]})

    assert served.status_code == 200, served.text
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[1].call_id")


# Money and limits.


@on_both_surfaces
def test_refuses_with_what_is_needed_when_there_is_no_credit(
    gateway, make_customer, make_model, upstream, surface
):
    model = make_model(Host(input_usd="1", output_usd="2"))
    customer = make_customer(credit_usd="0.0001")

    with nothing_spent(customer):
        error = refuse(
            gateway.client(customer), surface, surface.body(model), 402, "insufficient_credits"
        )

    assert error["needed_usd"] == pytest.approx((3 * 1 + 100 * 2) / 1e6)
    assert error["available_usd"] == pytest.approx(0.0001)
    assert upstream.stats()["requests"] == 0


@on_both_surfaces
def test_refuses_when_the_organisation_never_had_credit(gateway, make_customer, model, surface):
    customer = make_customer(credit_usd="0")

    error = refuse(
        gateway.client(customer), surface, surface.body(model), 402, "insufficient_credits"
    )

    assert error["available_usd"] == 0
    assert customer.records() == []


def check_limited(answer: Answer, surface: Surface, code: str) -> None:
    check_refusal(answer, surface, 429, code)
    assert int(answer.headers["retry-after-ms"]) > 0
    assert int(answer.headers["retry-after"]) == -(-int(answer.headers["retry-after-ms"]) // 1000)


@on_both_surfaces
def test_refuses_when_the_key_made_its_requests_of_this_minute(
    gateway, make_customer, model, surface
):
    customer = make_customer(requests_per_minute=1)
    client = gateway.client(customer)

    # Three, because one of them may fall into the next minute.
    answers = [ask(client, surface, surface.body(model)) for _ in range(3)]

    check_limited(answers[-1], surface, "rate_limit_exceeded")
    customer.settled(requests=sum(answer.status == 200 for answer in answers))
    assert len(customer.records()) < 3


@on_both_surfaces
def test_refuses_when_the_key_used_its_tokens_of_this_minute(
    gateway, make_customer, model, surface
):
    customer = make_customer(tokens_per_minute=103)  # what one request is estimated at
    client = gateway.client(customer)

    first = ask(client, surface, surface.body(model))
    customer.settled(requests=1)
    with_less = ask(client, surface, surface.body(model))

    assert first.status == 200
    check_limited(with_less, surface, "token_limit_exceeded")


@on_both_surfaces
def test_refuses_for_good_when_one_request_is_over_the_token_limit(
    gateway, make_customer, model, surface
):
    customer = make_customer(tokens_per_minute=102)

    with nothing_spent(customer):
        error = refuse(
            gateway.client(customer), surface, surface.body(model), 400, "token_limit_exceeded"
        )

    assert error["param"] == "max_tokens"


@on_both_surfaces
def test_refuses_when_the_key_has_enough_requests_in_flight(
    gateway, make_customer, make_model, surface
):
    slow = make_model("echo+delay=1000")
    customer = make_customer(concurrency=1)
    first = threading.Thread(
        target=ask, args=(gateway.client(customer), surface, surface.body(slow))
    )
    first.start()
    time.sleep(0.3)

    answer = ask(gateway.client(customer), surface, surface.body(slow))

    check_limited(answer, surface, "concurrency_limit_exceeded")
    first.join()
    assert [record.outcome for record in customer.settled(requests=1)] == ["completed"]


@on_both_surfaces
@both_ways
def test_answers_503_and_charges_nothing_when_every_host_is_down(
    gateway, customer, make_model, surface, streamed
):
    model = make_model("echo+status=503", "echo+status=529")
    body = surface.body(model, stream=streamed)

    with nothing_spent(customer, records=1):
        refuse(gateway.client(customer), surface, body, 503, "all_providers_failed")

    (record,) = customer.records()
    assert (record.outcome, record.status, record.usage_source) == ("failed", 503, "none")
    assert [attempt["status"] for attempt in record.attempts] == [503, 529]


@on_both_surfaces
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_refuses_when_the_method_is_not_post(gateway, customer, surface, method):
    response = gateway.client(customer).request(method, surface.path)

    check_refusal(read_answer(response, response.content), surface, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_tells_nothing_of_a_foreign_key_when_it_is_revoked_elsewhere(gateway: Gateway, customer):
    """The last characters of the secret, the organisation and the key's name stay ours."""
    keys.revoke(customer.key)

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body("sandbox/echo"))

    assert answer.status == 401
    assert customer.key.last4 not in str(answer.events)
    assert str(customer.organization_id) not in str(answer.events)


def test_same_request_is_served_when_nothing_is_wrong_with_it(gateway, customer, upstream):
    """The bodies above differ from this one in one thing only."""
    for surface in SURFACES:
        model = offer_model(upstream, "echo")
        assert ask(gateway.client(customer), surface, surface.body(model)).status == 200
    assert len(customer.settled(requests=2)) == 2
