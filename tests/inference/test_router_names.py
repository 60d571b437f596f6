"""A router's name in place of a model's, over real sockets: every conversation surface, quotes, records and refusals.

Keys are test keys where the chosen model matters: they reach the sandbox alone, whatever other tests have put into the catalogue.
"""

import json
from typing import Any

import orjson
import pytest
from websockets.sync.client import connect

from apps.catalog.routers import NAMES
from apps.catalog.selectors import catalog
from apps.inference.features import auto_router
from apps.inference.operations import CHAT_COMPLETIONS
from apps.inference.requests.chat import read_chat
from apps.inference.requests.gemini import read_gemini
from apps.inference.requests.messages import read_messages
from apps.inference.requests.responses import read_responses
from apps.keys.models import Environment
from tests.hosting import Host, slug_of

Json = dict[str, Any]
HELLO = [{"role": "user", "content": "Hello there"}]
GOOGLE = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SURFACES: dict[str, tuple[str, Json]] = {
    "chat": ("/v1/chat/completions", {"model": "{}", "messages": HELLO}),
    "messages": ("/v1/messages", {"model": "{}", "messages": HELLO, "max_tokens": 50}),
    "responses": ("/v1/responses", {"model": "{}", "input": "Hello there"}),
    "gemini": ("/v1beta/models/{}:generateContent", GOOGLE),
}
on_every_surface = pytest.mark.parametrize("surface", SURFACES)


@pytest.fixture
def tester(make_customer):
    return make_customer(credit_usd="0", environment=Environment.TEST)


def asked(surface: str, name: str, **fields: Any) -> tuple[str, Json]:
    path, body = SURFACES[surface]
    named = {"model": name} if "model" in body else {}
    return path.format(name), {**body, **named, **fields}


@on_every_surface
@pytest.mark.parametrize("name", ["auto", "router:general:cost", "router:code:price"])
def test_answer_and_record_name_the_chosen_model_and_the_name_that_was_asked_for(
    gateway, tester, surface, name
):
    path, body = asked(surface, name)

    answer = gateway.client(tester).post(path, json=body)

    assert answer.status_code == 200, answer.text
    model = answer.headers["x-gatewayz-model"]
    assert catalog.get().models[model].is_sandbox
    assert answer.headers["x-gatewayz-requested-model"] == name
    told = answer.json()
    assert told.get("model", told.get("modelVersion")) == model
    (record,) = tester.settled(requests=1)
    assert (record.model, record.requested_model) == (model, name)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_served(gateway, tester, name):
    answer = gateway.client(tester).post(
        "/v1/chat/completions", json={"model": name, "messages": HELLO}
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gatewayz-requested-model"] == name


def test_stream_names_the_chosen_model(gateway, tester):
    body = {"model": "auto", "messages": HELLO, "stream": True}

    answer = gateway.client(tester).post("/v1/chat/completions", json=body)

    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if "{" in line]
    assert {json.loads(line)["model"] for line in lines} == {answer.headers["x-gatewayz-model"]}


def test_websocket_is_routed(gateway, tester):
    address = gateway.url.replace("http", "ws", 1) + "/ws/v1/chat"
    keys: Any = ["gatewayz", f"gatewayz-key.{tester.secret}"]
    with connect(address, subprotocols=keys) as socket:
        body = {"model": "router:general:latency", "messages": HELLO}
        socket.send(json.dumps({"type": "chat.completion.create", "id": "1", "body": body}))
        started, answer = (json.loads(socket.recv(timeout=10)) for _ in range(2))

    assert started["headers"]["x-gatewayz-requested-model"] == "router:general:latency"
    assert answer["data"]["model"] == started["headers"]["x-gatewayz-model"]


def test_live_key_gets_the_model_that_the_catalogue_of_the_moment_yields(
    gateway, customer, make_model
):
    """Which that is depends on what other tests have put there; whether its host answers, too."""
    make_model(Host("echo", context_length=100_000))
    body = orjson.dumps({"model": "auto", "messages": HELLO})
    chosen = auto_router.choose(
        read_chat(body), body, catalog.get(), surface=CHAT_COMPLETIONS, is_test_key=False, runners_up=2
    )  # fmt: skip
    assert chosen is not None

    gateway.client(customer).post("/v1/chat/completions", content=body)

    (record,) = customer.settled(requests=1)
    assert record.requested_model == "auto"
    assert record.model in {model.id for model in chosen[0]}
    if not record.attempts[0]["fault"]:
        assert record.model == chosen[0][0].id


SEVEN, EIGHT = slug_of(6), slug_of(7)


def two_models(make_model) -> tuple[str, str]:
    """At a seventh and an eighth host, which no other test has: the newer and dearer one is thought better, and fails."""
    dear: Json = {"input_usd": "6", "output_usd": "20"}
    cheap: Json = {"input_usd": "4", "output_usd": "12"}
    good = make_model(
        *[Host("echo", context_length=9, **cheap)] * 6,
        Host("echo", context_length=99_000, **cheap),
    )
    best = make_model(
        *[Host("echo", context_length=9, **dear)] * 7,
        Host("echo+status=503", context_length=99_000, **dear),
    )
    return best, good


def test_runner_up_answers_at_its_price_when_no_host_of_the_chosen_model_can(
    gateway, customer, make_model
):
    best, good = two_models(make_model)
    body = {"model": "router:general:quality", "messages": HELLO, "provider": {"only": [SEVEN, EIGHT]}}  # fmt: skip
    client = gateway.client(customer)

    planned = client.post("/v1/route", json={"request": body}).json()["data"]
    answer = client.post("/v1/chat/completions", json=body)

    assert (planned["model"], planned["router"]["runners_up"]) == (best, [good])
    assert [host["reason"] for host in planned["candidates"]] == ["rank", "fallback"]
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == answer.headers["x-gatewayz-model"] == good
    (record,) = customer.settled(requests=1)
    assert (record.model, record.requested_model) == (good, "router:general:quality")
    assert record.charged == record.input_tokens * 4_000 + record.output_tokens * 12_000
    told = client.get("/v1/generation", params={"id": record.id}).json()["data"]["route"]
    assert (told["router"]["model"], told["router"]["runners_up"]) == (best, [good])


@pytest.mark.parametrize(
    ("fields", "provider"),
    [({"models": ["sandbox/echo"]}, {}), ({}, {"allow_fallbacks": False})],
    ids=["models of its own", "no fallbacks"],
)
def test_router_has_no_runners_up_where_the_request_says_who_follows(
    gateway, customer, make_model, fields, provider
):
    best, _ = two_models(make_model)
    wishes = {"only": [SEVEN, EIGHT], **provider}
    body = {"model": "router:general:quality", "messages": HELLO, "provider": wishes, **fields}

    planned = gateway.client(customer).post("/v1/route", json={"request": body}).json()["data"]

    assert (planned["model"], planned["router"]["runners_up"]) == (best, [])


def test_router_chooses_among_models_with_a_host_that_the_request_allows(
    gateway, customer, make_model
):
    _, good = two_models(make_model)
    body = {"model": "router:general:quality", "messages": HELLO, "provider": {"only": [SEVEN]}}
    client = gateway.client(customer)

    answer = client.post("/v1/chat/completions", json=body)
    refused = client.post("/v1/chat/completions", json={**body, "provider": {"only": ["nobody"]}})

    assert answer.json()["model"] == good
    error = refused.json()["error"]
    assert (error["code"], error["param"]) == ("no_provider_allowed", "provider.only")


def test_tokens_are_counted_for_a_router(gateway, tester):
    path = "/v1/messages/count_tokens"

    answer = gateway.client(tester).post(path, json={"model": "auto", "messages": HELLO})

    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0


@on_every_surface
@pytest.mark.parametrize(
    "name", ["router:general:fast", "router:chess", "auto:price", "gatewayz/auto:floor"]
)
def test_mode_that_is_not_there_is_a_400_that_names_model_and_the_valid_ones(
    gateway, tester, surface, name
):
    path, body = asked(surface, name)

    answer = gateway.client(tester).post(path, json=body)

    assert answer.status_code == 400, answer.text
    for valid in ("router:general:balanced", "router:code:agentic"):
        assert valid in answer.json()["error"]["message"]
    if surface in {"chat", "responses"}:
        assert answer.json()["error"]["param"] == "model"
        assert answer.json()["error"]["code"] == "invalid_value"


def test_what_no_model_can_do_is_a_400_that_says_so(gateway, tester):
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    body = {"model": "auto", "messages": [{"role": "user", "content": [sound]}]}

    answer = gateway.client(tester).post("/v1/chat/completions", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "model_not_supported"
    assert "audio" in answer.json()["error"]["message"]


def test_model_that_thinks_is_chosen_when_reasoning_is_asked_for(gateway, tester):
    body = {"model": "auto", "messages": HELLO, "reasoning_effort": "high"}

    answer = gateway.client(tester).post("/v1/chat/completions", json=body)

    assert answer.headers["x-gatewayz-model"] == "sandbox/reasoner"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "auto", "input": "Hello"}),
        ("/v1/completions", {"model": "router:code", "prompt": "Once"}),
        ("/v1/images/generations", {"model": "openrouter/auto", "prompt": "A hill"}),
    ],
)
def test_router_is_refused_where_nobody_converses(gateway, tester, path, body):
    answer = gateway.client(tester).post(path, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "model_not_supported"


@on_every_surface
def test_quote_is_of_the_model_that_is_chosen_then(gateway, tester, surface):
    client = gateway.client(tester)
    path, body = asked(surface, "router:general")

    quote = client.post("/v1/quote", json={"request": body, "path": path}).json()["data"]
    answer = client.post(path, json=body)

    assert quote["model"] == quote["router"]["model"] == answer.headers["x-gatewayz-model"]
    assert quote["router"]["router"] == "router:general:balanced"
    assert (quote["router"]["area"], quote["router"]["demand"]) == ("general", "simple")
    assert quote["router"]["score_source"] == "inferred"


def test_quote_finds_the_surface_of_a_conversation_without_a_path(gateway, tester):
    client = gateway.client(tester)
    body = {"model": "auto", "input": "Write a Python function.", "tools": [{"type": "function", "name": "f"}]}  # fmt: skip

    quote = client.post("/v1/quote", json={"request": body}).json()["data"]

    assert quote["path"] == "/v1/responses"
    assert (quote["router"]["area"], quote["router"]["needs"]) == ("code", ["tools"])


def test_quote_of_a_model_has_no_router(gateway, tester):
    request = {"model": "sandbox/echo", "messages": HELLO}

    quote = gateway.client(tester).post("/v1/quote", json={"request": request}).json()["data"]

    assert quote["router"] is None


def test_routers_are_listed_apart_from_models(gateway, tester):
    client = gateway.client(tester)

    assert [router["id"] for router in client.get("/v1/routers").json()["auto_routers"]] == [
        "router:general",
        "router:code",
    ]
    assert not {card["id"] for card in client.get("/v1/models").json()["data"]} & NAMES.keys()


TOOLS: dict[str, tuple[Any, Json]] = {
    "messages": (read_messages, {"model": "m", "max_tokens": 9, "messages": HELLO, "tools": [{"name": "f", "input_schema": {}}]}),
    "responses": (read_responses, {"model": "m", "input": "Hi", "tools": [{"type": "function", "name": "f"}]}),
}  # fmt: skip


@pytest.mark.parametrize("surface", TOOLS)
def test_tools_are_needed_when_they_are_sent(surface):
    read, body = TOOLS[surface]

    assert read(orjson.dumps(body)).needs == {"tools"}


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, {"structured_outputs"}),
        ({"output_config": {"effort": "low"}}, set()),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}]}, {"image"}),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "x"}}]}]}, {"file"}),
        ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]}, set()),
    ],
)  # fmt: skip
def test_needs_of_messages(fields, needs):
    body = {"model": "m", "max_tokens": 9, "messages": HELLO, **fields}

    assert read_messages(orjson.dumps(body)).needs == needs


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}, {"structured_outputs"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format"}),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, {"image"}),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "x"}]}]}, {"file"}),
    ],
)  # fmt: skip
def test_needs_of_responses(fields, needs):
    assert read_responses(orjson.dumps({"model": "m", "input": "Hi", **fields})).needs == needs


@pytest.mark.parametrize(
    ("part", "fields", "needs"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "aGk="}}, {}, {"image"}),
        ({"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}, {}, {"audio"}),
        ({"inlineData": {"mimeType": "video/mp4", "data": "aGk="}}, {}, {"video"}),
        ({"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}, {}, {"file"}),
        ({"text": "Hi"}, {"tools": [{"functionDeclarations": [{"name": "f"}]}]}, {"tools"}),
        ({"text": "Hi"}, {"generationConfig": {"responseMimeType": "application/json"}}, {"response_format"}),
    ],
)  # fmt: skip
def test_needs_of_gemini(part, fields, needs):
    body = {"model": "m", "stream": False, "contents": [{"role": "user", "parts": [part]}], **fields}  # fmt: skip

    assert read_gemini(body).needs == needs
