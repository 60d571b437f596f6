"""Response headers: limits, identity, who answered, and what was left out."""

import json

import httpx
import pytest
from django.conf import settings

from apps.catalog.providers.spec import Wire
from apps.keys import services as keys
from apps.keys.selectors import known_keys
from tests.hosting import Host, slug_of
from tests.surfaces import HOST_WIRES, SURFACES, Answer, Json, Surface, ask

on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])

LIMITS = {"requests_per_minute": 100, "tokens_per_minute": 10_000, "concurrency": 5}


def check_limits(headers: httpx.Headers, *, requests_left: int, tokens_left: int) -> None:
    assert headers["x-ratelimit-limit-requests"] == "100"
    assert headers["x-ratelimit-limit-tokens"] == "10000"
    assert headers["x-ratelimit-remaining-requests"] == str(requests_left)
    assert headers["x-ratelimit-remaining-tokens"] == str(tokens_left)
    for name in ("requests", "tokens"):
        reset = headers[f"x-ratelimit-reset-{name}"]
        assert reset.endswith("ms")
        assert 0 <= int(reset.removesuffix("ms")) <= 60_000


@on_both_surfaces
@both_ways
def test_limits_are_told_when_the_request_is_served(
    gateway, make_customer, make_model, surface, streamed
):
    customer = make_customer(**LIMITS)

    answer = ask(
        gateway.client(customer), surface, surface.body(make_model("echo"), stream=streamed)
    )

    # 3 tokens in and at most 100 out.
    check_limits(answer.headers, requests_left=99, tokens_left=10_000 - 103)


@on_both_surfaces
def test_limits_are_told_when_every_host_failed(gateway, make_customer, make_model, surface):
    customer = make_customer(**LIMITS)

    answer = ask(gateway.client(customer), surface, surface.body(make_model("echo+status=503")))

    assert answer.status == 503
    check_limits(answer.headers, requests_left=99, tokens_left=10_000 - 103)


@on_both_surfaces
def test_limits_are_told_when_there_is_no_credit(gateway, make_customer, make_model, surface):
    customer = make_customer(credit_usd="0.000001", **LIMITS)

    answer = ask(gateway.client(customer), surface, surface.body(make_model("echo")))

    assert answer.status == 402
    check_limits(answer.headers, requests_left=99, tokens_left=10_000 - 103)


@on_both_surfaces
def test_limits_and_the_time_to_wait_are_told_when_they_are_reached(
    gateway, make_customer, make_model, surface
):
    customer = make_customer(requests_per_minute=1)
    client = gateway.client(customer)
    body = surface.body(make_model("echo"))

    answers = [ask(client, surface, body) for _ in range(3)]  # one may fall into the next minute

    headers = answers[-1].headers
    assert answers[-1].status == 429
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(headers["retry-after-ms"]) <= 120_000


NOT_COUNTED: dict[str, tuple[str, str, bytes | Json, int]] = {
    "models": ("GET", "/v1/models", b"", 200),
    "one model": ("GET", "/v1/models/sandbox/echo", b"", 200),
    "no such model": ("GET", "/v1/models/acme/none", b"", 404),
    "credits": ("GET", "/v1/credits", b"", 200),
    "key": ("GET", "/v1/key", b"", 200),
    "no such generation": ("GET", "/v1/generation?id=gen_none", b"", 404),
    "generation without id": ("GET", "/v1/generation", b"", 400),
    "description": ("GET", "/v1/openapi.json", b"", 200),
    "no such path": ("GET", "/v1/nothing", b"", 404),
    "slash at the end": ("POST", "/chat/completions/", b"{}", 404),
    "another method of a read route": ("POST", "/v1/models", b"", 405),
    **{
        f"{name} on {surface}": (method, surface.path, body, status)
        for surface in SURFACES
        for name, method, body, status in (
            ("another method", "GET", b"", 405),
            ("too large a body", "POST", b" " * (settings.MAX_BODY_BYTES + 1), 413),
            ("no JSON", "POST", b"{", 400),
            ("a field wrong", "POST", surface.body("sandbox/echo", temperature="hot"), 400),
            ("no such model", "POST", surface.body("acme/none"), 404),
        )
    },
}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"), NOT_COUNTED.values(), ids=NOT_COUNTED.keys()
)
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_limits_are_told_and_nothing_is_counted_when_nothing_was_asked_of_a_host(
    gateway, make_customer, method, path, body, status, header
):
    customer = make_customer(**LIMITS)
    key = {"authorization": f"Bearer {customer.secret}", "x-api-key": customer.secret}
    client = gateway.client(customer, headers={header: key[header]})
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    answers = [client.request(method, path, content=content) for _ in range(2)]

    for answer in answers:
        assert answer.status_code == status
        check_limits(answer.headers, requests_left=100, tokens_left=10_000)


def test_limits_of_a_reading_answer_know_what_was_asked_before(gateway, make_customer, make_model):
    customer = make_customer(**LIMITS)
    client = gateway.client(customer)
    answer = ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    customer.settled(requests=1)

    headers = client.get("/v1/models").headers

    assert headers["x-ratelimit-remaining-requests"] == "99"
    # The last minute fades when one begins between the two.
    used = answer.usage["total_tokens"]
    assert 10_000 - used <= int(headers["x-ratelimit-remaining-tokens"]) <= 10_000


def test_limits_are_told_when_the_list_of_models_has_not_changed(gateway, make_customer):
    client = gateway.client(make_customer(**LIMITS))
    etag = client.get("/v1/models").headers["etag"]

    answer = client.get("/v1/models", headers={"if-none-match": etag})

    assert answer.status_code == 304
    check_limits(answer.headers, requests_left=100, tokens_left=10_000)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/key", "/v1/nothing", "/v1/chat/completions"])
@pytest.mark.parametrize("sent", ["nothing", "nonsense", "a revoked key"])
def test_no_limits_are_told_when_no_valid_key_is_sent(gateway, customer, path, sent):
    keys.revoke(customer.key)
    known_keys.check()
    headers = {
        "nothing": {},
        "nonsense": {"x-api-key": "sk-1234"},
        "a revoked key": customer.headers,
    }[sent]

    answer = gateway.client(customer, headers=headers).get(path)

    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_tokens_that_were_not_used_are_given_back_when_the_answer_was_short(
    gateway, make_customer, make_model
):
    customer = make_customer(**LIMITS)
    client = gateway.client(customer)
    body = Surface.CHAT.body(make_model("echo"))
    first = ask(client, Surface.CHAT, body)
    customer.settled(requests=1)

    second = ask(client, Surface.CHAT, body)

    used = first.usage["total_tokens"]
    left = int(second.headers["x-ratelimit-remaining-tokens"])
    # The last minute fades when one begins between the two.
    assert 10_000 - 103 - used <= left <= 10_000 - 103


@on_both_surfaces
@both_ways
def test_request_id_is_the_answers_id_when_served(gateway, customer, make_model, surface, streamed):
    answer = ask(
        gateway.client(customer), surface, surface.body(make_model("echo"), stream=streamed)
    )

    request_id = answer.headers["x-request-id"]
    assert request_id.startswith("gen_")
    assert request_id in json.dumps(answer.events[0])
    assert [record.id for record in customer.settled(requests=1)] == [request_id]


@pytest.mark.parametrize(
    ("surface", "expected"), [(Surface.CHAT, False), (Surface.MESSAGES, True)], ids=str
)
@pytest.mark.parametrize("model", ["sandbox/echo", "acme/none"], ids=["served", "refused"])
def test_request_id_has_anthropics_name_too_when_anthropics_client_asks(
    gateway, customer, surface, expected, model
):
    answer = ask(gateway.client(customer), surface, surface.body(model))

    assert answer.headers.get("request-id") == (
        answer.headers["x-request-id"] if expected else None
    )


@on_both_surfaces
@both_ways
@pytest.mark.parametrize("wire", HOST_WIRES, ids=lambda wire: wire.value)
def test_host_model_and_attempts_are_told_when_served(
    gateway, customer, make_model, surface, streamed, wire
):
    model = make_model(Host("echo", wire))

    answer = ask(gateway.client(customer), surface, surface.body(model, stream=streamed))

    assert answer.headers["x-gatewayz-provider"] == slug_of(0, wire)
    assert answer.headers["x-gatewayz-model"] == model
    assert answer.headers["x-gatewayz-attempts"] == "1"
    assert "x-gatewayz-requested-model" not in answer.headers
    assert "x-gatewayz-dropped-params" not in answer.headers


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("SANDBOX/Echo", "SANDBOX/Echo"),
        ("sandbox/echo-20260101", "sandbox/echo-20260101"),
        ("sandbox/echo+words=1", "sandbox/echo+words=1"),
    ],
)
@on_both_surfaces
def test_both_models_are_told_when_another_name_was_asked_for(
    gateway, customer, surface, name, told
):
    answer = ask(gateway.client(customer), surface, surface.body(name))

    assert answer.headers["x-gatewayz-requested-model"] == told
    assert answer.headers["x-gatewayz-model"] == "sandbox/echo"
    assert answer.events[0]["model"] == "sandbox/echo"


DROPPED: Json = {"seed": 1, "logit_bias": {"50256": -100}, "frequency_penalty": 0.5}


def dropped(answer: Answer) -> set[str]:
    return set(answer.headers["x-gatewayz-dropped-params"].split(", "))


@both_ways
def test_parameters_are_named_when_the_hosts_wire_has_no_word_for_them(
    gateway, customer, make_model, upstream, streamed
):
    model = make_model(Host("echo", Wire.ANTHROPIC_MESSAGES))

    answer = ask(
        gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, stream=streamed, **DROPPED)
    )

    assert answer.status == 200
    assert dropped(answer) == set(DROPPED)
    assert not set(DROPPED) & set(upstream.stats()["last_request"]["body"])


def test_parameters_are_named_by_the_clients_words_when_it_speaks_anthropic(
    gateway, customer, make_model
):
    body = Surface.MESSAGES.body(make_model("echo"), top_k=5, thinking={"type": "disabled"})

    answer = ask(gateway.client(customer), Surface.MESSAGES, body)

    assert answer.status == 200
    assert dropped(answer) == {"top_k", "thinking"}


@both_ways
@on_both_surfaces
def test_unknown_parameters_are_named_when_their_names_cannot_stand_in_a_header(
    gateway, customer, make_model, surface, streamed
):
    wire = Wire.OPENAI_CHAT if surface is Surface.MESSAGES else Wire.ANTHROPIC_MESSAGES
    fields: Json = {"\x1f": None, "two\r\nlines": 1, "köder, %": 2, "x" * 5000: 3}

    body = surface.body(make_model(Host("echo", wire)), stream=streamed, **fields)
    answer = ask(gateway.client(customer), surface, body)

    assert answer.status == 200
    assert dropped(answer) == {"%1F", "two%0D%0Alines", "k%C3%B6der%2C%20%25", "x" * 64}


def test_a_header_stays_short_when_very_many_parameters_are_unknown(gateway, customer, make_model):
    fields: Json = {f"unknown_{number}": number for number in range(5000)}

    answer = ask(
        gateway.client(customer),
        Surface.MESSAGES,
        Surface.MESSAGES.body(make_model("echo"), **fields),
    )

    assert answer.status == 200
    assert len(dropped(answer)) == 32


def test_parameters_reach_the_host_when_it_speaks_the_clients_wire(
    gateway, customer, make_model, upstream
):
    fields: Json = DROPPED | {"something_new": {"a": [1]}}

    answer = ask(
        gateway.client(customer), Surface.CHAT, Surface.CHAT.body(make_model("echo"), **fields)
    )

    assert "x-gatewayz-dropped-params" not in answer.headers
    sent = upstream.stats()["last_request"]["body"]
    assert {name: sent[name] for name in fields} == fields


@on_both_surfaces
def test_streams_are_neither_cached_nor_buffered_on_their_way(
    gateway, customer, make_model, surface
):
    answer = ask(gateway.client(customer), surface, surface.body(make_model("echo"), stream=True))

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"


@on_both_surfaces
@both_ways
def test_clients_key_and_headers_stay_here_when_a_host_is_asked(
    gateway, customer, make_model, upstream, surface, streamed
):
    model = make_model("echo")
    extra = {"cookie": "session=1", "x-forwarded-for": "192.0.2.1", "x-title": "An app"}

    ask(gateway.client(customer), surface, surface.body(model, stream=streamed), headers=extra)

    seen = upstream.stats()["last_request"]["headers"]
    assert customer.secret not in str(seen)
    assert seen["authorization"] == "Bearer a-key-that-the-host-takes"
    assert not set(extra) & set(seen)


@on_both_surfaces
def test_app_is_recorded_when_the_client_names_it(gateway, customer, make_model, surface):
    app = {"http-referer": "https://app.example", "x-openrouter-title": "An app"}

    ask(gateway.client(customer), surface, surface.body(make_model("echo")), headers=app)

    (record,) = customer.settled(requests=1)
    assert (record.app_title, record.app_url) == ("An app", "https://app.example")


def test_headers_of_a_client_never_break_the_answer_when_they_are_odd(
    gateway, customer, make_model
):
    """Latin-1 bytes, line-like text and very long values are cut or cleaned before they are kept."""
    model = make_model("echo")
    client = gateway.client(customer, headers=[
        ("authorization", f"Bearer {customer.secret}".encode()),
        ("x-title", "Grüße".encode("latin-1") * 100),
        ("http-referer", b"https://app.example/" + b"x" * 3000),
    ])  # fmt: skip

    answer = ask(client, Surface.CHAT, Surface.CHAT.body(model))

    assert answer.status == 200
    (record,) = customer.settled(requests=1)
    assert (len(record.app_title), len(record.app_url)) == (120, 200)


def test_every_beta_reaches_the_host_when_each_has_a_header_of_its_own(
    gateway, customer, make_model, upstream
):
    model = make_model(Host("echo", Wire.ANTHROPIC_MESSAGES))
    client = gateway.client(customer, headers=[
        ("authorization", f"Bearer {customer.secret}"),
        ("anthropic-beta", "one-2025-01-01,two-2025-01-01"),
        ("anthropic-beta", "three-2025-01-01"),
    ])  # fmt: skip

    answer = ask(client, Surface.MESSAGES, Surface.MESSAGES.body(model))

    assert answer.status == 200
    seen = upstream.stats()["last_request"]["headers"]
    assert seen["anthropic-beta"] == "one-2025-01-01,two-2025-01-01,three-2025-01-01"
