"""POST /v1/quote: what is quoted is what is held, nothing is done, and refusals are those of the request itself."""

import threading
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.models import Hold, JournalEntry
from apps.billing.services import rating
from apps.catalog.models import Model
from apps.catalog.providers.spec import Wire
from apps.common.usage import Rates, Usage
from apps.inference import bounds, tokens
from apps.inference.requests.common import RequestFacts
from apps.keys.models import Environment
from tests.hosting import Host, publish

Json = dict[str, Any]

HELLO = [{"role": "user", "content": "Hello there, how do you do?"}]
REQUESTS: dict[str, tuple[str, Json]] = {
    "chat": ("/v1/chat/completions", {"model": "sandbox/echo", "messages": HELLO, "n": 2}),
    "chat, limited": (
        "/v1/chat/completions",
        {"model": "sandbox/echo", "messages": HELLO, "max_tokens": 77},
    ),
    "messages": (
        "/v1/messages",
        {"model": "sandbox/claude", "messages": HELLO, "max_tokens": 99, "system": "Be brief."},
    ),
    "responses": ("/v1/responses", {"model": "sandbox/echo", "input": "Hello there"}),
    "completions": ("/v1/completions", {"model": "sandbox/echo", "prompt": "Once upon a time"}),
    "gemini": (
        "/v1beta/models/sandbox/echo:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]},
    ),
    "embeddings": ("/v1/embeddings", {"model": "sandbox/embedding", "input": ["Hello", "there"]}),
    "images": ("/v1/images/generations", {"model": "sandbox/image", "prompt": "A hill", "n": 3}),
    "speech": (
        "/v1/audio/speech",
        {"model": "sandbox/speech", "input": "Hello there", "voice": "alloy"},
    ),
    "rerank": (
        "/v1/rerank",
        {"model": "sandbox/reranker", "query": "hill", "documents": ["a hill", "a lake"] * 60},
    ),
    "moderations": ("/v1/moderations", {"model": "sandbox/moderation", "input": "Hello"}),
}


def slowed(path: str, body: Json) -> tuple[str, Json]:
    """The same request to the same model, whose answer waits."""
    if "model" not in body:
        return path.replace("sandbox/echo", "sandbox/echo+delay=800"), body
    return path, {**body, "model": body["model"] + "+delay=800"}


def ask_quote(client: httpx.Client, path: str | None, body: Any) -> httpx.Response:
    return client.post(
        "/v1/quote", json={"request": body} | ({} if path is None else {"path": path})
    )


def quoted(client: httpx.Client, path: str | None, body: Any) -> Json:
    response = ask_quote(client, path, body)
    assert response.status_code == 200, response.text
    found: Json = response.json()["data"]
    return found


def hold_of(organization_id: int, *, within: float = 5.0) -> Hold:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = Hold.objects.filter(organization_id=organization_id).first()
        if found is not None:
            return found
        time.sleep(0.01)
    raise AssertionError("nothing was set aside")


@pytest.mark.parametrize("name", REQUESTS)
def test_hold_is_the_one_that_was_quoted_when_the_request_is_made(gateway, customer, name):
    path, body = slowed(*REQUESTS[name])
    client = gateway.client(customer)
    quote = quoted(client, path, body)
    asking = threading.Thread(target=client.post, args=(path,), kwargs={"json": body})
    asking.start()
    hold = hold_of(customer.organization_id)
    asking.join()

    assert quote["hold"]["nano_usd"] == hold.amount
    (candidate,) = quote["candidates"]
    assert candidate["cost"]["expected"] == quote["hold"]
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"
    assert (
        candidate["cost"]["minimum"]["nano_usd"]
        <= record.charged
        <= candidate["cost"]["maximum"]["nano_usd"]
    )


def test_hold_is_the_dearest_candidates_when_several_may_be_asked(gateway, customer, make_model):
    model = make_model(
        Host(output_usd="2", max_output_tokens=50),
        Host(output_usd="9", max_output_tokens=1000, context_length=100, wire=Wire.ANTHROPIC_MESSAGES),
    )  # fmt: skip
    quote = quoted(gateway.client(customer), None, {"model": model, "messages": HELLO, "seed": 7})

    first, second = quote["candidates"]
    assert [first["provider"], second["provider"]] == ["first-openai-host", "second-anthropic-host"]
    assert [first["wire"], second["wire"]] == ["openai_chat", "anthropic_messages"]
    assert (quote["input_tokens"], quote["output_tokens"]) == (7, 1000)
    assert first["cost"]["expected"]["nano_usd"] == 7 * 1000 + 1000 * 2000
    assert second["cost"]["expected"]["nano_usd"] == 7 * 1000 + 1000 * 9000
    assert quote["hold"] == {"nano_usd": 9_007_000, "usd": "0.009007"} == second["cost"]["expected"]
    assert (first["dropped_parameters"], second["dropped_parameters"]) == ([], ["seed"])
    assert first["context"] == {"length": None, "fits": None}
    assert second["context"] == {"length": 100, "fits": False}
    assert second["rates"]["completion"] == "0.000009"


def test_hold_is_for_one_answer_when_only_one_can_come_back(gateway, customer):
    path, body = REQUESTS["gemini"]
    config = {"maxOutputTokens": 100, "candidateCount": 3}
    quote = quoted(gateway.client(customer), path, body | {"generationConfig": config})

    (candidate,) = quote["candidates"]
    assert candidate["wire"] == "openai_chat"
    assert candidate["dropped_parameters"] == ["candidateCount"]
    assert quote["output_tokens"] == 100


def test_cost_is_bounded_by_the_cache_and_the_dearest_bucket_when_priced(
    gateway, customer, make_model
):
    model = make_model(Host(input_usd="4", cache_read_usd="1", output_usd="8", context_length=1000))
    body = {"model": model, "messages": [{"role": "user", "content": "x" * 160}], "max_tokens": 10}

    (candidate,) = quoted(gateway.client(customer), None, body)["candidates"]

    assert candidate["cost"]["minimum"]["nano_usd"] == 10 * 1000
    assert candidate["cost"]["expected"]["nano_usd"] == 40 * 4000 + 10 * 8000
    assert candidate["cost"]["maximum"]["nano_usd"] > 160 * 4000 + 10 * 8000
    assert candidate["context"] == {"length": 1000, "fits": True}


def test_maximum_is_null_when_nothing_limits_the_output(gateway, customer, make_model):
    quote = quoted(gateway.client(customer), None, {"model": make_model("echo"), "messages": HELLO})

    assert quote["candidates"][0]["cost"]["maximum"] is None


def test_nothing_is_charged_held_recorded_or_sent_when_quoted(gateway, customer, upstream):
    entries = JournalEntry.objects.count()
    client = gateway.client(customer)
    for path, body in REQUESTS.values():
        quoted(client, path, body)

    assert customer.records() == []
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()
    assert customer.balance.held == 0
    assert JournalEntry.objects.count() == entries
    assert upstream.stats()["requests"] == 0


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "gemini"])
def test_path_is_told_by_the_body_when_left_out(gateway, customer, name):
    path, body = REQUESTS[name]
    quote = quoted(gateway.client(customer), None, body)

    assert quote["hold"] == quoted(gateway.client(customer), path, body)["hold"]
    assert quote["path"] == path


def test_counting_tokens_is_free_when_quoted(gateway, customer):
    quote = quoted(
        gateway.client(customer),
        "/v1/messages/count_tokens",
        {"model": "sandbox/claude", "messages": HELLO},
    )

    assert quote["hold"]["nano_usd"] == 0
    assert all(found["cost"]["maximum"]["nano_usd"] == 0 for found in quote["candidates"])


def test_quote_is_not_affordable_when_the_credit_does_not_cover_the_hold(gateway, make_customer):
    poor, exact = make_customer(credit_usd="0"), make_customer(credit_usd="0.001")
    path, body = REQUESTS["chat"]

    quote = quoted(gateway.client(poor), path, body)
    assert (quote["affordable"], quote["available"]) == (False, {"nano_usd": 0, "usd": "0"})
    assert quoted(gateway.client(exact), path, {**body, "max_tokens": 1})["affordable"] is True


def test_quote_of_a_test_key_is_nothing_when_it_asks_the_sandbox(gateway, make_customer):
    tester = make_customer(credit_usd="0", environment=Environment.TEST)
    quote = quoted(gateway.client(tester), *REQUESTS["chat"])

    assert quote["hold"]["nano_usd"] == 0
    assert quote["affordable"] is True


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "nobody/nothing", "messages": HELLO}),
        ("/v1/chat/completions", {"model": "sandbox/echo"}),
        ("/v1/chat/completions", {"model": "sandbox/echo", "messages": HELLO, "n": "two"}),
        ("/v1/chat/completions", {"model": "sandbox/image", "messages": HELLO}),
        ("/v1/chat/completions", ["no object"]),
        ("/v1/chat/completions", {"model": "sandbox/claude", "messages": HELLO, "tools": [{"type": "function"}]}),
        ("/v1/messages", {"model": "sandbox/claude", "messages": HELLO}),
        ("/v1/embeddings", {"model": "sandbox/embedding", "input": ""}),
        ("/v1/responses", {"model": "sandbox/echo", "input": "x", "previous_response_id": "resp_none"}),
        ("/v1/chat/completions", {"model": "sandbox/echo", "messages": [{"role": "user", "content": "x" * 3_000_000}]}),
    ],
    ids=["model", "missing", "type", "unsupported", "shape", "tool", "max_tokens", "empty", "previous", "too long"],
)  # fmt: skip
def test_refusal_is_that_of_the_request_itself_when_it_would_be_refused(
    gateway, customer, path, body
):
    client = gateway.client(customer)
    told, real = ask_quote(client, path, body), client.post(path, json=body)

    error, expected = told.json()["error"], real.json()["error"]
    assert (told.status_code, error["code"]) == (real.status_code, expected["code"])
    assert error["param"] == (f"request.{expected['param']}" if expected["param"] else "request")


def test_unpriced_model_is_refused_when_quoted(gateway, customer):
    Model.objects.get_or_create(id="acme/unpriced", defaults={"name": "Unpriced"})
    publish()
    response = ask_quote(
        gateway.client(customer), None, {"model": "acme/unpriced", "messages": HELLO}
    )

    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_priced", "request.model")


@pytest.mark.parametrize(
    "options",
    [{"tokens_per_minute": 50}, {"credit_usd": "0"}, {"tokens_per_minute": 50, "credit_usd": "0"}],
    ids=["tokens", "credit", "both"],
)
def test_refusal_is_foreseen_for_every_host_when_no_host_would_be_asked(
    gateway, make_customer, make_model, options
):
    client = gateway.client(make_customer(**options))
    body = {"model": make_model(Host(), Host(output_usd="9")), "messages": HELLO, "max_tokens": 99}
    quote = quoted(client, None, body)
    real = client.post("/v1/chat/completions", json=body)

    foreseen, error = quote["refusal"], real.json()["error"]
    assert foreseen["status"] == real.status_code
    assert {name: foreseen[name] for name in ("code", "message", "param")} == {
        name: error[name] for name in ("code", "message", "param")
    }
    assert [found["refusal"] for found in quote["candidates"]] == [foreseen, foreseen]


def test_no_refusal_is_foreseen_when_the_request_would_be_served(gateway, customer):
    quote = quoted(gateway.client(customer), *REQUESTS["chat"])

    assert (quote["refusal"], quote["candidates"][0]["refusal"]) == (None, None)


def test_host_without_room_is_named_when_another_one_has_it(gateway, customer, make_model):
    model = make_model(Host(context_length=9, output_usd="9"), Host(context_length=10_000))
    body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "x" * 1000}]}
    client = gateway.client(customer)
    quote = quoted(client, None, body)
    real = client.post("/v1/chat/completions", json=body)

    large, small = quote["candidates"]  # those that would be asked come first
    assert (small["refusal"]["status"], small["refusal"]["code"]) == (
        400,
        "context_length_exceeded",
    )
    assert (large["refusal"], quote["refusal"]) == (None, None)
    assert large["provider"] == real.headers["x-gatewayz-provider"]
    assert quote["hold"] == large["cost"]["expected"]


@pytest.mark.parametrize(
    ("raw", "param", "code"),
    [
        ({"path": "/v1/audio/transcriptions", "request": {}}, "path", "invalid_value"),
        ({"path": "/v1/images/edits", "request": {}}, "path", "invalid_value"),
        ({"path": "/v1/credits", "request": {}}, "path", "invalid_value"),
        ({"request": {}, "model": "m"}, "model", "invalid_value"),
        ({"path": 7, "request": {}}, "path", "invalid_type"),
        ({"path": "/v1/chat/completions"}, "request", "missing_field"),
        ([], None, "invalid_type"),
    ],
)
def test_quote_itself_is_refused_when_it_is_malformed(gateway, customer, raw, param, code):
    response = gateway.client(customer).post("/v1/quote", json=raw)

    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == (param, code)


def test_quote_answers_401_when_there_is_no_key(gateway):
    response = httpx.post(gateway.url + "/v1/quote", json={}, verify=False)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "missing_api_key"


PRICE = st.integers(0, 10**12)
RATES = st.builds(
    Rates, input=PRICE, output=PRICE, cache_read=PRICE, cache_write_5m=PRICE, cache_write_1h=PRICE,
    reasoning=PRICE, images=PRICE, characters=PRICE, searches=PRICE, request=PRICE,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), rates=RATES, text=st.integers(0, 10**6), images=st.integers(0, 4))
def test_charge_lies_between_minimum_and_maximum_whatever_was_used(data, rates, text, images):
    """For every usage that the bounds allow: input between the certain and the possible, none of it dearer than its price."""
    made = data.draw(st.integers(0, 3))
    facts = RequestFacts(
        model="m", stream=False, include_usage=False, text_bytes=text, images=images,
        max_output_tokens=data.draw(st.integers(1, 10**5)), choices=data.draw(st.integers(1, 4)),
        units=Usage(images=made, characters=data.draw(st.integers(0, 4096))),
    )  # fmt: skip
    output = bounds.most_output(facts, model_maximum=None)
    most = bounds.most_input(facts, body_bytes=text, context_length=None)
    assert output is not None
    total = data.draw(st.integers(tokens.least_input(facts), most))
    read = data.draw(st.integers(0, total))
    thought = data.draw(st.integers(0, output))
    usage = Usage(
        input=total - read, cache_read=read, output=data.draw(st.integers(0, output - thought)), reasoning=thought,
        images=data.draw(st.integers(min(made, 1), made)), characters=facts.units.characters,
    )  # fmt: skip

    charge = rating.cost(usage, rates).total

    assert bounds.least_cost(facts, rates) <= charge
    assert charge <= bounds.most_cost(facts, rates, input_tokens=most, output_tokens=output)
