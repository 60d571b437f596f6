"""``max_cost``: what a request may cost at most, refused before, limited on the way, stopped in the middle."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.common.money import usd_to_nano
from tests.hosting import Host
from tests.inference.test_cover import all_lanes
from tests.surfaces import Surface, ask, check_error


def dear(told: str, wire: Wire = Wire.OPENAI_CHAT) -> Host:
    """A thousandth of a dollar for a token of output."""
    return Host(told, wire, input_usd="0", output_usd="1000")


def test_host_is_sent_the_limit_that_it_affords(gateway, make_model, upstream, customer):
    model = make_model(dear("echo"))

    answer = ask(
        gateway.client(customer),
        Surface.CHAT,
        Surface.CHAT.body(model, "many words, said again and again " * 20, max_cost=0.005),
    )

    assert answer.status == 200
    assert answer.output_tokens <= 5
    assert "x-gatewayz-dropped-params" not in answer.headers
    (record,) = customer.settled(requests=1)
    assert 0 < record.charged <= 5 * 10**6


@all_lanes
def test_stream_is_stopped_when_it_has_cost_so_much(gateway, make_model, customer, lane):
    surface, wire = lane
    model = make_model(dear("long+words=400+interval=2", wire))

    answer = ask(
        gateway.client(customer),
        surface,
        surface.body(model, stream=True, max_tokens=10_000, max_cost=0.15),
    )

    (record,) = customer.settled(requests=1)
    assert record.charged == record.cost <= 150 * 10**6
    assert record.charged > 120 * 10**6
    if not answer.is_finished:
        assert check_error(answer, surface)["code"] == "max_cost_reached"
        assert (record.outcome, record.error_code) == ("stopped", "max_cost_reached")
    assert customer.balance.total == 10 * 10**9 - record.charged
    assert customer.balance.held == 0


def test_request_that_costs_more_in_any_case_is_refused_before(
    gateway, make_model, upstream, customer
):
    model = make_model(dear("echo"))

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, max_cost=0.0009))

    assert answer.status == 400
    error = check_error(answer, Surface.CHAT)
    assert (error["code"], error["param"]) == ("max_cost_too_low", "max_cost")
    assert "$0.001" in error["message"]
    assert upstream.stats()["requests"] == 0
    assert customer.records() == []
    assert customer.balance.held == 0


def test_host_that_is_too_dear_is_not_asked(gateway, make_model, customer):
    model = make_model(dear("echo"), Host("echo", input_usd="0", output_usd="1"))

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, max_cost=0.0009))

    assert answer.status == 200
    (record,) = customer.settled(requests=1)
    assert len(record.attempts) == 1
    assert record.charged <= 900_000


@all_lanes
def test_keys_limit_stops_a_stream_that_asks_for_none(gateway, make_model, make_customer, lane):
    surface, wire = lane
    customer = make_customer(max_cost=150 * 10**6)
    model = make_model(dear("long+words=400+interval=2", wire))

    body = surface.body(model, stream=True, max_tokens=10_000)
    answer = ask(gateway.client(customer), surface, body)

    (record,) = customer.settled(requests=1)
    assert 120 * 10**6 < record.charged == record.cost <= 150 * 10**6
    if not answer.is_finished:
        assert check_error(answer, surface)["code"] == "max_cost_reached"


@pytest.mark.parametrize(
    ("of_key", "asked", "most"), [(0.005, 0.5, 5), (0.5, 0.005, 5), (0.005, None, 5)]
)
def test_the_lower_limit_of_key_and_request_holds(
    gateway, make_model, make_customer, of_key, asked, most
):
    customer = make_customer(max_cost=usd_to_nano(repr(of_key)))
    model = make_model(dear("echo"))
    told = {} if asked is None else {"max_cost": asked}

    body = Surface.CHAT.body(model, "many words, said again and again " * 20, **told)
    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.status == 200
    assert answer.output_tokens <= most
    (record,) = customer.settled(requests=1)
    assert 0 < record.charged <= most * 10**6


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/chat/completions", {"json": {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hi"}]}}),
        ("/v1/embeddings", {"json": {"model": "sandbox/embedding", "input": "many words " * 500}}),
        ("/v1/images/generations", {"json": {"model": "sandbox/image", "prompt": "a boat"}}),
        ("/v1/audio/transcriptions", {"data": {"model": "sandbox/transcription"}, "files": {"file": ("a.mp3", b"ID3 sound", "audio/mpeg")}}),
    ],
    ids=["chat", "embeddings", "images", "transcriptions"],
)  # fmt: skip
def test_request_that_costs_more_than_its_key_allows_is_refused(
    gateway, upstream, make_customer, path, sent
):
    customer = make_customer(max_cost=1)

    answer = gateway.client(customer).post(path, **sent)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("max_cost_too_low", "max_cost")
    assert "The key's 'max_cost' of $0.000000001 is too low" in error["message"]
    assert upstream.stats()["requests"] == 0
    assert customer.records() == []


@pytest.mark.parametrize("value", [0, -1, "1", True, 10**7, []], ids=repr)
def test_value_that_is_none_is_refused_by_name(gateway, customer, value):
    body = Surface.CHAT.body("sandbox/echo", max_cost=value)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.status == 400
    assert check_error(answer, Surface.CHAT)["param"] == "max_cost"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "{model}", "input": "a text to be embedded " * 50}),
        ("/v1/responses", {"model": "{model}", "input": "a text to be read " * 50}),
        ("/v1/completions", {"model": "{model}", "prompt": "a text to go on with " * 50}),
    ],
    ids=["embeddings", "responses", "completions"],
)
def test_input_alone_is_too_dear_on_other_surfaces(gateway, make_model, customer, path, body):
    model = make_model(
        Host("embed" if "embed" in path else "echo", input_usd="1000", output_usd="1")
    )

    answer = gateway.client(customer).post(path, json=body | {"model": model, "max_cost": 0.00001})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"max_cost_too_low", "model_not_supported"}
    assert customer.balance.held == 0
