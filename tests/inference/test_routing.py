"""Routing over a socket: the request's own wishes, fallback models, and hosts that are left alone while they are down."""

import time
from typing import Any

import pytest

from apps.catalog.models import Model, Offering
from apps.catalog.services import abilities
from apps.inference import runtime
from apps.inference.breaker import LocalBreaker, Rules
from apps.inference.health import HealthBook
from tests.hosting import Host, publish, slug_of

COOL_DOWN = 0.5
FIRST, SECOND = slug_of(0), slug_of(1)


def body(model, **more):
    return {"model": model, "messages": [{"role": "user", "content": "Hello there"}], **more}


@pytest.fixture
def ask(gateway, customer):
    client = gateway.client(customer)

    def post(*args, **more):
        return client.post("/v1/chat/completions", json=body(*args, **more))

    return post


@pytest.fixture
def quick_breaker(gateway):
    """The gateway's breaker with short times: opens at three failures, asks again after half a second.

    Nothing is known of the hosts, which other tests may have asked just before.
    """
    rules = Rules(failures=3, share=0.5, least=10**6, window=60, cool_down=COOL_DOWN, successes=2)
    (served,) = runtime._runtimes.values()
    served.breaker, former = LocalBreaker(rules), served.breaker
    served.health = HealthBook()
    yield served.breaker
    served.breaker = former


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({"order": [SECOND]}, SECOND),
        ({"only": [SECOND]}, SECOND),
        ({"ignore": [FIRST]}, SECOND),
        ({"sort": "price"}, SECOND),
        ({"order": [FIRST, SECOND], "allow_fallbacks": False}, FIRST),
        ({"max_price": {"prompt": 0.6}}, SECOND),
        ({}, FIRST),
    ],
)
def test_host_is_the_one_that_the_request_wants(ask, make_model, provider, expected):
    model = make_model(Host("echo", input_usd="1"), Host("echo", input_usd="0.5"))

    answer = ask(model, provider=provider)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gatewayz-provider"] == expected
    assert "x-gatewayz-dropped-params" not in answer.headers


def test_floor_asks_the_cheapest_host_when_it_ends_the_name(ask, make_model):
    model = make_model(Host("echo", input_usd="1"), Host("echo", input_usd="0.5"))

    answer = ask(f"{model}:floor")

    assert answer.headers["x-gatewayz-provider"] == SECOND
    assert answer.headers["x-gatewayz-requested-model"] == f"{model}:floor"
    assert answer.json()["model"] == model


@pytest.mark.parametrize(("ending", "asked"), [("", FIRST), (":floor", SECOND)])
def test_end_of_a_fallback_models_name_sorts_the_hosts_of_that_one(
    gateway, customer, make_model, ending, asked
):
    first = make_model(Host("echo", input_usd="1"), Host("echo", input_usd="0.5"))
    other = make_model(Host("echo", input_usd="2"), Host("echo", input_usd="0.25"))
    request = body(first, models=[f"{other}{ending}"])

    answer = gateway.client(customer).post("/v1/route", json={"request": request})

    assert answer.status_code == 200, answer.text
    told = [(one["model"], one["provider"]) for one in answer.json()["data"]["candidates"]]
    assert (told[0], told[2]) == ((first, FIRST), (other, asked))


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"only": ["nobody"]}, "provider.only"),
        ({"data_collection": "deny"}, "provider.data_collection"),
        ({"zdr": True}, "provider.zdr"),
        ({"max_price": {"completion": 0.1}}, "provider.max_price"),
        ({"quantizations": ["fp4"]}, "provider.quantizations"),
        ({"order": ["nobody"], "allow_fallbacks": False}, "provider.order"),
    ],
)
def test_wish_that_nobody_meets_is_named_and_costs_nothing(
    ask, customer, make_model, upstream, provider, param
):
    answer = ask(make_model("echo"), provider=provider)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["code"] == "no_provider_allowed"
    assert upstream.stats()["requests"] == 0
    assert customer.balance.held == 0


def test_fallback_model_answers_at_its_price_when_the_first_one_fails(ask, customer, make_model):
    broken, other = make_model("echo+status=503"), make_model(Host("echo", output_usd="7"))

    answer = ask(broken, models=[other])

    assert answer.json()["model"] == answer.headers["x-gatewayz-model"] == other
    assert answer.headers["x-gatewayz-requested-model"] == broken
    (record,) = customer.settled(requests=1)
    assert (record.requested_model, record.model) == (broken, other)
    assert record.charged == 3 * 1_000 + 6 * 7_000


def test_fallback_model_with_more_room_answers_when_the_input_is_too_long(ask, make_model):
    small, large = (
        make_model(Host("echo", context_length=9)),
        make_model(Host("echo", context_length=10_000)),
    )
    long = [{"role": "user", "content": "x" * 1000}]

    assert ask(small, messages=long).json()["error"]["code"] == "context_length_exceeded"
    assert ask(small, messages=long, models=[large]).json()["model"] == large


def test_unknown_fallback_model_is_named(ask, make_model):
    answer = ask(make_model("echo"), models=["acme/nothing"])

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "models[0]")


def test_failing_host_is_left_alone_and_asked_again_when_it_has_cooled_down(
    ask, make_model, upstream, quick_breaker
):
    model = make_model("echo+status=503", Host("echo"))

    attempts = [ask(model).headers["x-gatewayz-attempts"] for _ in range(6)]
    assert attempts == ["2", "2", "2", "1", "1", "1"]
    assert upstream.stats()["by_model"]["echo+status=503"] == 3

    time.sleep(COOL_DOWN)
    attempts = [ask(model).headers["x-gatewayz-attempts"] for _ in range(3)]
    assert attempts == ["2", "1", "1"]  # one probe, which failed


def test_lone_host_is_refused_at_once_while_its_breaker_is_open(
    ask, customer, make_model, upstream, quick_breaker
):
    model = make_model("echo+status=503")
    for _ in range(3):
        assert ask(model).status_code == 503

    answer = ask(model)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "all_providers_failed"
    assert int(answer.headers["retry-after-ms"]) > 0
    assert upstream.stats()["by_model"]["echo+status=503"] == 3
    assert {record.charged for record in customer.settled(requests=3)} == {0}


def test_mistakes_of_the_client_open_nothing(ask, make_model, quick_breaker):
    model = make_model("echo+status=400")

    assert {ask(model).status_code for _ in range(5)} == {400}


def equals(*dollars: str, first: str = "echo", **facts: Any) -> list[Host]:
    """Hosts that the operator puts before none of the others, with these prices of input."""
    names = (first, "echo", "echo")
    return [
        Host(name, input_usd=usd, priority=0, **facts)
        for name, usd in zip(names, dollars, strict=False)
    ]


def served_by(answer):
    return answer.headers["x-gatewayz-provider"]


@pytest.mark.parametrize(("dollars", "then"), [("1.2", SECOND), ("7", FIRST)], ids=["near", "dear"])
def test_key_stays_with_the_host_that_served_it_while_that_costs_little_more(
    ask, make_model, quick_breaker, dollars, then
):
    model = make_model(*equals("1", dollars))

    assert served_by(ask(model)) == FIRST
    assert served_by(ask(model, provider={"order": [SECOND]})) == SECOND
    assert served_by(ask(model)) == then


def test_key_does_not_stay_with_a_host_that_served_because_a_better_one_had_failed(
    ask, make_model, quick_breaker
):
    model = make_model(*equals("1", "1.2", "1.3", first="echo+status=503+first=3"))

    served = [served_by(ask(model)) for _ in range(4)]
    time.sleep(COOL_DOWN)
    served += [served_by(ask(model)) for _ in range(3)]

    assert served == [SECOND] * 4 + [FIRST] * 3


@pytest.mark.parametrize(("share", "first"), [(1.0, SECOND), (0.0, FIRST)])
def test_share_of_the_requests_goes_to_the_second_best_and_keeps_nobody_there(
    ask, make_model, quick_breaker, settings, share, first
):
    model = make_model(*equals("1", "1.1"))
    settings.EXPLORATION_SHARE = share

    explored = [served_by(ask(model)) for _ in range(2)]
    settings.EXPLORATION_SHARE = 0.0

    assert explored == [first, first]
    assert served_by(ask(model)) == FIRST


def test_hosts_with_weights_share_the_requests(ask, make_model, quick_breaker):
    model = make_model(*equals("1", "3", weight=1))

    served = [served_by(ask(model)) for _ in range(40)]

    assert set(served) == {FIRST, SECOND}, "one in 10**12 runs is this unlucky"


def test_policy_of_the_key_holds_for_every_request_of_it(gateway, make_customer, make_model):
    client = gateway.client(make_customer(provider_policy={"only": [SECOND]}))
    model = make_model(Host("echo", input_usd="1"), Host("echo", input_usd="0.5"))

    answer = client.post("/v1/chat/completions", json=body(model))
    refused = client.post("/v1/chat/completions", json=body(model, provider={"only": [FIRST]}))
    planned = client.post("/v1/route", json={"request": body(model)}).json()["data"]

    assert answer.headers["x-gatewayz-provider"] == SECOND
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (
        400,
        "no_provider_allowed",
        "provider.only",
    )
    assert "the policy of this key" in error["message"]
    assert planned["key_policy"] is True


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}  # fmt: skip


@pytest.mark.parametrize(
    ("param", "asked"),
    [
        ("response_format", {"response_format": SCHEMA}),
        ("file", {"messages": [{"role": "user", "content": [FILE]}]}),
    ],
    ids=["schema", "file"],
)
def test_model_that_is_not_known_to_do_it_is_left_out_when_that_is_required(
    ask, make_model, param, asked
):
    model = make_model(f"echo+words={len(param)}")  # nobody else's, for what is known of it changes
    known = Model.objects.get(pk=model)
    known.supported_parameters = ["max_tokens", "response_format"]
    known.save()
    publish()

    answer = ask(model, provider={"require_parameters": True}, **asked)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    known.supported_parameters = ["max_tokens", "response_format", "structured_outputs"]
    known.input_modalities = ["text", "file"]
    known.save()
    publish()
    assert ask(model, provider={"require_parameters": True}, **asked).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "served"),
    [
        (["max_tokens"], ["structured_outputs"], 1),
        (["max_tokens"], ["response_format"], 1),
        (["max_tokens"], [], 1),
        (["max_tokens"], ["max_tokens"], 0),
        ([], ["structured_outputs"], 0),
        (["response_format"], ["structured_outputs"], 0),
    ],
    ids=["schemas", "some format", "nothing is known", "neither", "unknown first", "some format first"],
)  # fmt: skip
def test_model_that_may_take_no_schema_is_passed_over_for_one_that_does(
    ask, make_model, first, second, served
):
    """Half of the lists that ship say nothing of schemas: alone it is asked."""
    models = [make_model("echo+words=18"), make_model("echo+words=18+text=1")]
    for name, known in zip(models, (first, second), strict=True):
        learned = {"supported_parameters": abilities.Known.HOSTS}
        Model.objects.filter(pk=name).update(supported_parameters=known, learned=learned)
    publish()

    answer = ask(models[0], models=[models[1]], response_format=SCHEMA)

    assert answer.status_code == 200
    assert answer.headers["x-gatewayz-model"] == models[served]


def test_model_whose_operator_names_no_schemas_is_refused_by_the_field(ask, make_model):
    model = make_model("echo+words=19")
    Model.objects.filter(pk=model).update(supported_parameters=["max_tokens"], learned={})
    publish()

    answer = ask(model, response_format=SCHEMA)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "model_not_supported")
    assert error["param"] == "response_format"


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("provider", [{}, {"require_parameters": True}], ids=["needed", "required"])
def test_host_whose_list_names_no_tools_is_left_out(gateway, customer, make_model, provider):
    model = make_model("echo+words=20", "long+words=20")
    Model.objects.filter(pk=model).update(supported_parameters=["max_tokens", "tools"])
    lists = {FIRST: ["max_tokens"], SECOND: ["max_tokens", "tools"]}
    for slug, words in lists.items():
        Offering.objects.filter(model=model, provider=slug).update(
            supported_parameters=words, told_by={"supported_parameters": "provider"}
        )
    publish()
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Look"}],
        "tools": [TOOL],
        "max_tokens": 9,
        "provider": provider,
    }

    client = gateway.client(customer)
    found = client.post("/v1/route", json={"request": body}).json()["data"]
    refused = client.post(
        "/v1/chat/completions", json=body | {"provider": provider | {"only": [FIRST]}}
    )

    assert [one["provider"] for one in found["candidates"]] == [SECOND]
    told = [(one["provider"], one["why"], one["detail"]) for one in found["rejected"]]
    assert told == [(FIRST, "lacks", "tools")]
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools")
