"""``max_cost``: what a request may cost at most, refused before, limited on the way, stopped in the middle."""

import pytest

from apps.catalog.providers.spec import Wire
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
