"""Extras: what a request buys beside tokens is billed where it has a price and can be counted, and refused elsewhere."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.common.usage import Rates
from apps.inference.extras import Extra, extras_of
from apps.keys.models import Environment
from tests.hosting import Host, slug_of
from tests.surfaces import Surface, ask

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"service_tier": "priority"}, ["service_tier"]),
        ({"service_tier": "flex"}, ["service_tier"]),
        ({"service_tier": "auto"}, []),
        ({"service_tier": None, "speed": "standard"}, []),
        ({"speed": "fast"}, ["speed"]),
        ({"inference_geo": "us"}, ["inference_geo"]),
        ({"web_search_options": {"search_context_size": "high"}}, ["web_search_options"]),
        ({"plugins": [{"id": "web"}]}, ["plugins"]),
        ({"plugins": []}, []),
        ({"tools": [{"type": "function", "function": {"name": "web_search"}}, SEARCH]}, ["tools[1]"]),
        ({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, ["tools[0]"]),
        ({"tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}, ["tools[0]", "tools[1]"]),
        ({"tools": [{"google_search": {}}, {"codeExecution": {}}]}, ["tools[0]"]),
        ({"tools": [{"type": "mcp"}, {"type": "web_fetch_20250910"}, {"type": "computer_20250124"}]}, []),
    ],
)  # fmt: skip
def test_extras_are_named_by_their_field(body, found):
    assert [extra.param for extra in extras_of(body)] == found


@pytest.mark.parametrize(
    ("extra", "wire", "searches", "is_priced"),
    [
        (Extra("tools[0]", is_search=True), Wire.ANTHROPIC_MESSAGES, 10, True),
        (Extra("tools[0]", is_search=True), Wire.OPENAI_RESPONSES, 10, True),
        (Extra("tools[0]", is_search=True), Wire.ANTHROPIC_MESSAGES, 0, False),
        (Extra("tools[0]", is_search=True), Wire.OPENAI_CHAT, 10, False),
        (Extra("speed"), Wire.ANTHROPIC_MESSAGES, 10, False),
    ],
)
def test_only_what_has_a_price_and_is_counted_is_priced(extra, wire, searches, is_priced):
    rates = Rates(
        input=1, output=1, cache_read=1, cache_write_5m=1, cache_write_1h=1, reasoning=1, searches=searches
    )  # fmt: skip

    assert extra.is_priced(rates, wire) is is_priced


CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello there"}]}
MESSAGES = {**CHAT, "model": "sandbox/claude", "max_tokens": 100}
RESPONSES = {"model": "sandbox/responses", "input": "Hello there"}
LOOK_UP = [{"role": "user", "content": "Call web_search for the weather."}]
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("surface", "body"),
    [
        ("messages", {**MESSAGES, "messages": LOOK_UP, "tools": [SEARCH]}),
        ("responses", {**RESPONSES, "input": LOOK_UP, "tools": [{"type": "web_search"}]}),
    ],
    ids=["messages", "responses"],
)
def test_searches_are_billed_by_the_piece(gateway, customer, surface, body, streamed):
    client = gateway.client(customer)

    answer = client.post(PATHS[surface], json={**body, "stream": streamed})

    assert answer.status_code == 200, answer.text
    (record,) = customer.settled(requests=1)
    assert record.searches == 1
    tokens = record.input_tokens * 150 + record.output_tokens * 600
    assert record.charged == tokens + 10_000_000
    asked = {"request": body, "path": PATHS[surface]}
    (candidate,) = client.post("/v1/quote", json=asked).json()["data"]["candidates"]
    assert candidate["cost"]["maximum"] is None
    assert candidate["cost"]["expected"]["nano_usd"] > 10_000_000


@pytest.mark.parametrize(
    ("surface", "body", "param"),
    [
        ("chat", {**CHAT, "service_tier": "priority"}, "service_tier"),
        ("chat", {**CHAT, "web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ("chat", {**CHAT, "plugins": [{"id": "web"}]}, "plugins"),
        ("messages", {**MESSAGES, "speed": "fast"}, "speed"),
        ("messages", {**MESSAGES, "tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, "tools[0]"),
        ("responses", {**RESPONSES, "service_tier": "flex"}, "service_tier"),
        ("responses", {**RESPONSES, "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "tools[0]"),
    ],
)  # fmt: skip
def test_what_has_no_price_is_refused_by_its_field_and_nothing_is_charged(
    gateway, customer, upstream, surface, body, param
):
    answer = gateway.client(customer).post(PATHS[surface], json=body)

    assert answer.status_code == 400, answer.text
    assert param in answer.json()["error"]["message"]
    assert upstream.stats()["requests"] == 0
    assert customer.records() == []


def test_search_is_refused_where_it_has_no_price(gateway, customer, make_model, upstream):
    model = make_model(Host("echo", Wire.ANTHROPIC_MESSAGES))

    answer = gateway.client(customer).post(
        PATHS["messages"], json={**MESSAGES, "model": model, "tools": [SEARCH]}
    )

    assert answer.status_code == 400
    assert "tools[0]" in answer.json()["error"]["message"]
    assert upstream.stats()["requests"] == 0


def test_own_key_may_buy_what_its_provider_bills(gateway, customer, make_model):
    model = make_model("echo")
    customer.bring_key(slug_of(0))
    body = Surface.CHAT.body(model, service_tier="priority")

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.status == 200
    (record,) = customer.settled(requests=1)
    assert record.is_byok


def test_test_key_pays_nothing_and_may_try_everything(gateway, make_customer):
    customer = make_customer(credit_usd="0", environment=Environment.TEST)
    body = Surface.CHAT.body("sandbox/echo", service_tier="priority")

    assert ask(gateway.client(customer), Surface.CHAT, body).status == 200
