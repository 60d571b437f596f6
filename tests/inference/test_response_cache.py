"""The response cache: what was asked before is answered at once, free of charge, to those who asked for that."""

import json
import time
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from apps.catalog.models import Model, Provider
from apps.inference import runtime
from apps.inference.answer_store import RedisAnswerStore
from apps.inference.breaker import LocalBreaker, rules
from apps.inference.operations import JSON, Surface
from apps.keys import services as keys
from tests.gateway import Customer
from tests.hosting import Host, publish, slug_of
from tests.inference.test_idempotency import BILLED, FILES, served
from tests.surfaces import Json, check_error, read_answer, read_events
from tests.surfaces import Surface as Chat

__all__ = ["served"]

ON = {"x-gatewayz-cache": "on"}
FIRST, SECOND = slug_of(0), slug_of(1)


def post(client: httpx.Client, surface: Surface, *, stream: bool) -> httpx.Response:
    """The surface's example, at the sandbox's own models; nothing is stored."""
    path = surface.paths[1 if stream and "{model}" in surface.paths[0] else 0]
    body = dict(surface.example)
    if "{model}" in path:
        return client.post(path.format(model="sandbox/gemini"), json=body, headers=ON)
    if stream:
        body["stream"] = True
    if surface.is_kept:
        body["store"] = False
    if surface.name == "openai_chat" and stream:
        body["stream_options"] = {"include_usage": True}
    if surface.read_form is not None:
        fields = {name: str(value).lower() for name, value in body.items()}
        fields["model"] = body["model"]
        return client.post(path, data=fields, files=FILES[surface.name], headers=ON)
    return client.post(path, json=body, headers=ON)


def ask(client: httpx.Client, body: Json, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(Chat.CHAT.path, json=body, headers=named or ON)


def values_of(content: bytes, name: str) -> list[Any]:
    """Every number under this name, in a whole answer or in the records of a stream."""
    found: list[Any] = []

    def take(pairs):
        found.extend(value for key, value in pairs if key == name)
        return dict(pairs)

    for line in content.split(b"\n"):
        text = line.removeprefix(b"data: ")
        if text.startswith(b"{"):
            json.loads(text, object_pairs_hook=take)
    return found


def read_generation(client: httpx.Client, response: httpx.Response) -> Json:
    answer = client.get("/v1/generation", params={"id": response.headers["x-request-id"]})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["data"]
    return found


def settled_records(customer: Customer, number: int):
    return sorted(customer.settled(requests=number), key=lambda record: record.created_at)


@pytest.mark.parametrize(
    ("surface", "stream"),
    [
        (surface, stream)
        for surface in BILLED
        for stream in (False, True)
        if not stream or set(surface.answers) - {JSON}
    ],
    ids=lambda value: value.name if isinstance(value, Surface) else "stream" if value else "whole",
)
def test_answer_comes_from_the_cache_at_no_cost_when_it_is_asked_for_again(
    gateway, customer, upstream, surface, stream
):
    client = gateway.client(customer)
    first = post(client, surface, stream=stream)
    customer.settled(requests=1)
    left = customer.balance.total

    second = post(client, surface, stream=stream)

    told = read_generation(client, second)
    assert (first.status_code, second.status_code) == (200, 200), (first.text, second.text)
    assert [one.headers["x-gatewayz-cache"] for one in (first, second)] == ["miss", "hit"]
    assert "age" not in first.headers
    assert 0 <= int(second.headers["age"]) < 60
    assert upstream.stats()["requests"] == 1
    old, new = first.headers["x-request-id"], second.headers["x-request-id"]
    assert old != new
    assert old.encode() not in second.content
    assert first.content.count(old.encode()) == second.content.count(new.encode())
    assert second.headers["content-type"] == first.headers["content-type"]
    assert len(values_of(first.content, "cost")) == len(values_of(second.content, "cost"))
    assert not any(values_of(second.content, "cost"))
    for name in ("input", "output", "request"):
        assert not any(
            value for value in values_of(second.content, name) if isinstance(value, float)
        )
    records = settled_records(customer, 2)
    assert [record.cached for record in records] == [False, True]
    assert (records[1].outcome, records[1].status) == ("completed", 200)
    assert (records[1].cost, records[1].charged, records[1].attempts) == (0, 0, [])
    assert records[1].model == records[0].model
    assert records[1].total_input == records[0].total_input
    assert records[1].total_output == records[0].total_output
    assert customer.balance.total == left
    assert (told["cached"], told["total_cost"], told["charged_nano_usd"]) == (True, 0, 0)
    assert read_generation(client, first)["cached"] is False


@pytest.mark.parametrize("surface", list(Chat), ids=str)
def test_stream_is_given_again_as_a_stream_with_its_text_and_its_tokens(
    gateway, customer, make_model, surface
):
    client = gateway.client(customer)
    body = surface.body(
        make_model("echo+chunks=10+text=10"), stream=True, stream_options={"include_usage": True}
    )
    if surface is Chat.MESSAGES:
        del body["stream_options"]

    answers = []
    for _ in range(2):
        with client.stream("POST", surface.path, json=body, headers=ON) as response:
            answers.append(read_answer(response, response.read()))

    first, second = answers
    assert second.headers["x-gatewayz-cache"] == "hit"
    assert "content-length" not in second.headers
    assert second.text == first.text
    assert len(second.events) == len(first.events)
    assert second.is_finished
    assert (second.input_tokens, second.output_tokens) == (first.input_tokens, first.output_tokens)
    assert first.usage["cost"] > 0
    assert second.usage["cost"] == 0
    assert set(second.usage["cost_details"].values()) == {0.0}


def test_cost_in_the_models_own_words_stays_as_it_is(gateway, customer):
    client = gateway.client(customer)
    text = 'they said "cost":1,"cost_details":{"input":5} and "cost":0.0'
    body = Chat.CHAT.body("sandbox/echo", text=text)

    answers = [ask(client, body).json() for _ in range(2)]

    first, second = (answer["choices"][0]["message"]["content"] for answer in answers)
    assert text in first
    assert second == first


def test_nothing_is_cached_when_nobody_asks_for_it(gateway, customer, upstream):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo")

    answers = [ask(client, body, x_title="none") for _ in range(2)]

    assert upstream.stats()["requests"] == 2
    assert not any("x-gatewayz-cache" in answer.headers for answer in answers)


def test_answers_are_cached_when_the_key_says_so_unless_the_request_says_not(
    gateway, make_customer, upstream
):
    client = gateway.client(make_customer(cache_ttl=60))
    body = Chat.CHAT.body("sandbox/echo")

    answers = [ask(client, body, x_title="none") for _ in range(2)]
    without = ask(client, body, x_gatewayz_cache="off")

    assert [answer.headers["x-gatewayz-cache"] for answer in answers] == ["miss", "hit"]
    assert "x-gatewayz-cache" not in without.headers
    assert upstream.stats()["requests"] == 2


def test_answer_is_asked_for_anew_when_it_is_older_than_the_client_wants(
    gateway, customer, upstream
):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo")
    ask(client, body)
    time.sleep(1.1)

    hit = ask(client, body, x_gatewayz_cache="on", x_gatewayz_cache_ttl="86400")
    miss = ask(client, body, x_gatewayz_cache="on", x_gatewayz_cache_ttl="1")

    assert (hit.headers["x-gatewayz-cache"], hit.headers["age"]) == ("hit", "1")
    assert miss.headers["x-gatewayz-cache"] == "miss"
    time.sleep(1.1)
    assert ask(client, body).headers["x-gatewayz-cache"] == "miss"  # kept for a second only
    assert upstream.stats()["requests"] == 3


def test_answers_belong_to_the_organisation(gateway, make_customer):
    mine, other = make_customer(), make_customer()
    issued = keys.issue(mine.organization_id, name="a second key")
    second = Customer(mine.organization_id, issued.key, issued.secret)
    body = Chat.CHAT.body("sandbox/echo")

    told = [
        ask(gateway.client(who), body).headers["x-gatewayz-cache"] for who in (mine, other, second)
    ]

    assert told == ["miss", "miss", "hit"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "hit"),
        ({"provider": {"sort": "price"}, "session_id": "s"}, "hit"),
        ({"temperature": 0.7}, "miss"),
        ({"max_tokens": 101}, "miss"),
        ({"stream": True}, "miss"),
        ({"model": "sandbox/claude"}, "miss"),
        ({"messages": [{"role": "user", "content": "Hello  there"}]}, "miss"),
    ],
    ids=["order", "gateway's own", "temperature", "max_tokens", "stream", "model", "text"],
)
def test_same_request_is_what_a_provider_would_be_sent(gateway, customer, changes, told):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo")
    ask(client, body)

    again = ask(client, dict(reversed((body | changes).items())))

    assert again.headers["x-gatewayz-cache"] == told


@pytest.mark.parametrize("fields", [{"n": 2}, {"temperature": 1.5}], ids=str)
def test_answers_that_chance_decides_are_cached_when_asked_for(gateway, customer, fields):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo", **fields)

    told = [ask(client, body).headers["x-gatewayz-cache"] for _ in range(2)]

    assert told == ["miss", "hit"]


@pytest.mark.parametrize("told", ["status=503", "cut=2", "empty"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_nothing_is_cached_when_the_answer_is_not_whole(
    gateway, customer, make_model, told, stream
):
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model(f"echo+chunks=5+text=10+{told}"), stream=stream)

    for _ in range(2):
        response = ask(client, body)
        assert response.headers.get("x-gatewayz-cache") != "hit"
        assert read_answer(response, response.content).error


def test_stored_responses_are_not_cached(gateway, customer, upstream):
    client = gateway.client(customer)
    body = {"model": "sandbox/responses", "input": "Hello"}

    answers = [client.post("/v1/responses", json=body, headers=ON) for _ in range(2)]

    assert upstream.stats()["requests"] == 2
    assert not any("x-gatewayz-cache" in answer.headers for answer in answers)
    assert len({answer.json()["id"] for answer in answers}) == 2


def test_hits_count_as_requests_and_not_as_tokens(gateway, make_customer):
    customer = make_customer(requests_per_minute=100, tokens_per_minute=10_000)
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo")
    ask(client, body)
    customer.settled(requests=1)
    used = 10_000 - int(client.get("/v1/key").headers["x-ratelimit-remaining-tokens"])

    hit = ask(client, body)
    customer.settled(requests=2)

    after = client.get("/v1/key").headers
    assert hit.headers["x-gatewayz-cache"] == "hit"
    assert hit.headers["x-ratelimit-remaining-requests"] == "98"
    # The last minute fades when one begins between the two.
    assert 10_000 - int(after["x-ratelimit-remaining-tokens"]) <= used


def test_hits_need_no_credit(gateway, make_customer, make_model):
    customer = make_customer(credit_usd="0.0003")
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model("echo+chunks=25+text=16"))
    ask(client, body)
    customer.settled(requests=1)

    answers = [ask(client, body), ask(client, body | {"max_tokens": 4000})]

    assert [answer.status_code for answer in answers] == [200, 402]
    assert answers[0].headers["x-gatewayz-cache"] == "hit"


def test_hits_need_no_provider(gateway, customer, make_model, upstream):
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model("echo+status=503+every=2"))
    (served,) = runtime._runtimes.values()
    former = served.breaker
    served.breaker = LocalBreaker(replace(rules(), failures=1))
    try:
        first = ask(client, body)
        ask(client, body, x_title="none")  # it fails, and its host is left alone
        asked = upstream.stats()["requests"]
        answers = [
            ask(client, body),
            ask(client, body | {"max_tokens": 99}),
            ask(client, body, x_title="none"),
        ]
    finally:
        served.breaker = former

    assert [answer.status_code for answer in answers] == [200, 503, 503]
    assert answers[0].headers["x-gatewayz-cache"] == "hit"
    assert answers[0].json()["choices"] == first.json()["choices"]
    error = check_error(read_answer(answers[1], answers[1].content), Chat.CHAT)
    assert error["code"] == "all_providers_failed"
    assert int(answers[1].headers["retry-after"]) > 0
    assert upstream.stats()["requests"] == asked


def test_lifetime_is_checked_though_nothing_is_to_be_kept(gateway, customer, upstream):
    response = ask(
        gateway.client(customer), Chat.CHAT.body("sandbox/echo"), x_gatewayz_cache_ttl="0"
    )

    assert response.status_code == 400
    error = check_error(read_answer(response, response.content), Chat.CHAT)
    assert (error["code"], error["param"]) == ("invalid_value", "x-gatewayz-cache-ttl")
    assert upstream.stats()["requests"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-gatewayz-cache", "maybe"),
        ("x-gatewayz-cache", ""),
        ("x-gatewayz-cache-ttl", "0"),
        ("x-gatewayz-cache-ttl", "86401"),
        ("x-gatewayz-cache-ttl", "1h"),
        ("x-gatewayz-cache-ttl", "9" * 5000),
        ("x-gatewayz-cache-ttl", "0000000059999"),
        ("x-gatewayz-coalesce", "true"),
    ],
)
def test_header_is_named_when_it_is_wrong(gateway, customer, upstream, name, value):
    response = gateway.client(customer).post(
        Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=ON | {name: value}
    )

    assert response.status_code == 400
    error = check_error(read_answer(response, response.content), Chat.CHAT)
    assert (error["code"], error["param"]) == ("invalid_value", name)
    assert upstream.stats()["requests"] == 0


def test_answer_is_not_kept_when_it_is_too_long(gateway, customer, settings):
    settings.LARGEST_KEPT_ANSWER = 10
    client = gateway.client(customer)

    told = [
        ask(client, Chat.CHAT.body("sandbox/echo")).headers["x-gatewayz-cache"] for _ in range(2)
    ]

    assert told == ["miss", "miss"]


def test_requests_are_served_when_the_cache_is_away(
    gateway, customer, upstream, served, monkeypatch
):
    away = RedisAnswerStore("redis://127.0.0.1:1/0", prefix="test:")
    monkeypatch.setattr(served, "response_cache", away)
    client = gateway.client(customer)

    answers = [ask(client, Chat.CHAT.body("sandbox/echo")) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert upstream.stats()["requests"] == 2


def test_request_runs_when_what_is_kept_cannot_be_read(
    gateway, customer, served, monkeypatch, settings
):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo")
    ask(client, body)
    settings.KEYRING = ["3QrTgUmsqlk3j0zX4cDx9d2Cn7D3l8yq6T9rIYlZb5s="]

    response = ask(client, body)

    assert response.status_code == 200
    assert response.headers["x-gatewayz-cache"] == "miss"


def test_hit_is_kept_under_an_idempotency_key_like_any_answer(gateway, customer, upstream):
    client = gateway.client(customer)
    body = Chat.CHAT.body("sandbox/echo", stream=True)
    ask(client, body)
    hit = ask(client, body, x_gatewayz_cache="on", idempotency_key="one")

    again = ask(client, body, x_gatewayz_cache="on", idempotency_key="one")

    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == hit.content
    assert read_events(hit.content)[1]
    assert len(customer.settled(requests=2)) == 2
    assert upstream.stats()["requests"] == 1


LIMITS: list[Json] = [
    {"provider": {"only": [SECOND]}},
    {"provider": {"ignore": [FIRST]}},
    {"provider": {"quantizations": ["unknown"]}},
    {"provider": {"regions": ["eu"]}},
    {"provider": {"max_price": {"prompt": 2}}},
    {"provider": {"data_collection": "deny"}},
    {"provider": {"zdr": True}},
    {"provider": {"order": [SECOND], "allow_fallbacks": False}},
    {"provider": {"sort": "price", "allow_fallbacks": False}},
    {"provider": {"require_parameters": True}},
    {"models": ["sandbox/claude"]},
    {"max_cost": 1},
]


@pytest.fixture
def careful(make_model):
    """A model at two hosts of which the second meets every wish, and the first none of most."""
    model = make_model(Host("echo+words=21", input_usd="3"), Host("echo+words=22", input_usd="1"))
    Provider.objects.filter(pk=SECOND).update(region="eu", collects_data=False, keeps_nothing=True)
    Model.objects.filter(pk=model).update(supported_parameters=["max_tokens", "stream"])
    publish()
    yield model
    Provider.objects.filter(pk=SECOND).update(region="", collects_data=None, keeps_nothing=None)
    publish()


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: str(limit)[:50])
def test_answer_of_a_host_that_may_not_be_asked_is_not_given(gateway, customer, careful, limit):
    client = gateway.client(customer)
    body = Chat.CHAT.body(careful, max_tokens=9)
    first = ask(client, body)
    assert first.headers["x-gatewayz-provider"] == FIRST

    other, again = ask(client, body | limit), ask(client, body | limit)

    assert (other.status_code, other.headers["x-gatewayz-cache"]) == (200, "miss"), other.text
    assert again.headers["x-gatewayz-cache"] == "hit"
    assert ask(client, body).headers["x-gatewayz-cache"] == "hit"


@pytest.mark.parametrize(
    "wish",
    [{"provider": {"order": [SECOND]}}, {"provider": {"sort": "price"}}, {"provider": {}}, {"provider": {"allow_fallbacks": True, "zdr": False}}],
    ids=str,
)  # fmt: skip
def test_wish_that_excludes_nobody_takes_any_hosts_answer(gateway, customer, careful, wish):
    client = gateway.client(customer)
    body = Chat.CHAT.body(careful, max_tokens=9)
    ask(client, body)

    assert ask(client, body | wish).headers["x-gatewayz-cache"] == "hit"


def test_same_limits_in_other_words_are_the_same(gateway, customer, careful):
    client = gateway.client(customer)
    body = Chat.CHAT.body(careful, max_tokens=9)
    ask(client, body | {"provider": {"only": [FIRST, SECOND]}})

    again = ask(client, body | {"provider": {"only": [SECOND.upper(), FIRST], "sort": "price"}})

    assert again.headers["x-gatewayz-cache"] == "hit"


def test_policy_of_a_key_limits_whose_answer_it_is_given(gateway, customer, careful):
    body = Chat.CHAT.body(careful, max_tokens=9)
    ask(gateway.client(customer), body)
    policy = {"only": [SECOND]}
    issued = keys.issue(
        customer.organization_id, name="narrow", concurrency=10, provider_policy=policy
    )

    narrow = Customer(customer.organization_id, issued.key, issued.secret)
    answer = ask(gateway.client(narrow), body)

    assert answer.headers["x-gatewayz-cache"] == "miss"
    assert answer.headers["x-gatewayz-provider"] == SECOND
