"""The automatic routers as a pure function: what they never choose, what they always choose, and how long it takes."""

from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from apps.catalog.capabilities import capabilities
from apps.catalog.providers import endpoints
from apps.catalog.providers.spec import Operation
from apps.catalog.routers import NAMES, ROUTERS, Area, Demand, find_router, pools_of, quality_in
from apps.catalog.selectors import load_catalog
from apps.catalog.services import pricing, refresh
from apps.common.errors import (
    AllProvidersFailed,
    ContextTooLong,
    GatewayzError,
    InvalidRequest,
)
from apps.common.preferences import read_preferences
from apps.inference import tokens
from apps.inference.features import auto_router
from apps.inference.operations import CHAT_COMPLETIONS, EMBEDDINGS
from apps.inference.quote_schemas import RouterChoice
from apps.inference.requests.chat import read_chat
from apps.inference.requests.common import RequestFacts
from apps.inference.wishes import prepare
from tests.catalog.made import make_model, make_offering, make_provider, make_snapshot
from tests.timing import fastest

MODES = sorted({named.id for named in NAMES.values()})
WORDS = ("image", "audio", "file", "tools", "structured_outputs", "response_format", "reasoning")
INPUTS = ("image", "audio", "file")


def facts_of(name: str = "auto", **fields: Any) -> RequestFacts:
    usual = {"stream": False, "include_usage": False, "text_bytes": 40, "images": 0, "max_output_tokens": 100, "choices": 1}  # fmt: skip
    return RequestFacts(model=name, **usual | fields)


def choose(
    snapshot: Any, facts: RequestFacts, body: bytes = b"{}", *, is_test_key: bool = False
) -> Any:
    models, choice = choose_all(snapshot, facts, body, is_test_key=is_test_key)
    return models[0], choice


def choose_all(
    snapshot: Any,
    facts: RequestFacts,
    body: bytes = b"{}",
    *,
    is_test_key: bool = False,
    provider: Any = None,
    parameters: Any = (),
    runners_up: int = 2,
) -> Any:
    return auto_router.choose(
        facts, body, snapshot, surface=CHAT_COMPLETIONS, is_test_key=is_test_key,
        wishes=prepare(read_preferences(provider or {})), parameters=frozenset(parameters), runners_up=runners_up,
    )  # fmt: skip


providers = [
    make_provider("plain"),
    make_provider("other"),
    make_provider("deaf", asked_for=endpoints.also(Operation.EMBEDDINGS)),
    make_provider("sandbox", is_sandbox=True),
]


@st.composite
def models(draw: st.DrawFn, number: int) -> Any:
    model_id = f"acme/{draw(st.sampled_from(('chat', 'coder', 'flash', 'thinking')))}-{number}b"
    abilities = draw(st.frozensets(st.sampled_from(WORDS)))
    hosts = [
        make_offering(
            model_id,
            draw(st.sampled_from(providers)),
            usd=draw(st.sampled_from(("0", "0.05", "0.4", "3", "25"))),
            context=draw(st.sampled_from((None, 2_000, 8_000, 128_000, 1_000_000))),
            longest=draw(st.sampled_from((None, 1_000, 64_000))),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    made = make_model(
        model_id,
        *hosts,
        takes=("text", *(word for word in INPUTS if word in abilities)),
        gives=draw(st.sampled_from((("text",), ("text",), ("text",), ("image",)))),
        parameters=tuple(sorted(abilities - set(INPUTS))),
    )
    # Of a model without a priced host that can be asked, a snapshot holds no offerings.
    return made if hosts else replace(made, offerings=(), is_priced=False)


@st.composite
def catalogues(draw: st.DrawFn) -> Any:
    return make_snapshot(*(draw(models(number)) for number in range(1, draw(st.integers(1, 9)))))


requests = st.builds(
    facts_of,
    st.sampled_from(sorted(NAMES)),
    needs=st.frozensets(st.sampled_from([word for word in WORDS if word != "reasoning"]), max_size=2),
    reasoning=st.booleans(),
    text_bytes=st.sampled_from((10, 4_000, 30_000, 400_000)),
    max_output_tokens=st.sampled_from((None, 100, 5_000)),
)  # fmt: skip


# Whole catalogues are drawn, which takes a busy machine longer than hypothesis likes; the number of examples stays.
# How long a choice takes is measured by a test of its own, below.
drawn_slowly = examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@drawn_slowly
@given(catalogues(), requests, st.booleans())
def test_chosen_model_can_do_it_whatever_the_catalogue_and_the_request(
    snapshot, facts, is_test_key
):
    try:
        model, choice = choose(snapshot, facts, is_test_key=is_test_key)
    except (InvalidRequest, AllProvidersFailed):
        return
    known = snapshot.models[model.id]
    can = {*known.input_modalities, *known.supported_parameters}
    assert facts.needs <= can
    assert "reasoning" in can or not facts.reasoning
    assert known.output_modalities == ("text",)
    assert known.is_priced
    assert model.offerings
    least = tokens.estimate_input(facts) + (facts.max_output_tokens or 1)
    for offering in model.offerings:
        assert offering in known.offerings
        assert offering.provider.slug != "deaf"
        assert offering.context_length >= least
        assert (offering.max_output_tokens or least) >= (facts.max_output_tokens or 0)
        assert offering.provider.is_sandbox or not is_test_key
    are_real = bool(pools_of(snapshot).real.models) and not is_test_key
    assert any(offering.provider.is_sandbox for offering in model.offerings) is not are_real
    assert choice.model == model.id
    assert choice.score_source == "inferred"


def test_choice_names_the_benchmark_that_its_score_comes_from():
    snapshot = make_snapshot(make_model("openai/gpt-4.1"))

    _, for_code = choose(snapshot, facts_of("router:code"))
    _, for_all = choose(snapshot, facts_of("router:general"))

    assert (for_code.score_source, for_all.score_source) == ("benchmark", "inferred")
    assert for_code.benchmark["name"] == "Aider polyglot benchmark"
    assert for_code.benchmark["source"].startswith("https://github.com/Aider-AI/aider/")
    assert for_all.benchmark is None
    assert RouterChoice(**msgspec.structs.asdict(for_code)).benchmark is not None


def test_model_is_asked_only_where_it_can_do_it():
    told = [
        capabilities(("max_tokens",), ("text",), is_whole=True),
        capabilities(("max_tokens", "tools"), ("text",), is_whole=True),
    ]
    hosts = tuple(
        make_offering("acme/chat-1b", provider, told=one)
        for provider, one in zip(providers, told, strict=False)
    )
    model = make_model("acme/chat-1b", *hosts, parameters=("max_tokens", "tools"))

    chosen, _ = choose(make_snapshot(model), facts_of("auto", needs=frozenset({"tools"})))

    assert chosen.offerings == (hosts[1],)
    with pytest.raises(InvalidRequest):
        deaf = replace(model, offerings=hosts[:1])
        choose(make_snapshot(deaf), facts_of("auto", needs=frozenset({"tools"})))


@drawn_slowly
@given(catalogues(), requests)
def test_refusal_is_true_when_nothing_is_chosen(snapshot, facts):
    """Nothing that can do it at a host with twice the room was overlooked."""
    try:
        choose(snapshot, facts)
    except AllProvidersFailed:
        assert not pools_of(snapshot).real.models
    except InvalidRequest:
        pool = pools_of(snapshot).real
        needs = facts.needs | ({"reasoning"} if facts.reasoning else set())
        room = 2 * tokens.estimate_input(facts) + (facts.max_output_tokens or 5_000)
        for scored in pool.models or ():
            assert not (
                needs <= scored.can
                and any(
                    not offering.provider.is_sandbox
                    and offering.provider.slug != "deaf"
                    and (offering.context_length or 0) >= room
                    and offering.max_output_tokens is None
                    for offering in scored.model.offerings
                )
            )


def outcome(snapshot: Any, facts: RequestFacts, body: bytes = b"{}") -> Any:
    try:
        model, choice = choose(snapshot, facts, body)
    except GatewayzError as error:
        return error.code, error.message
    return model.id, tuple(offering.provider.slug for offering in model.offerings), choice


@drawn_slowly
@given(catalogues(), requests, st.binary(max_size=300))
def test_choice_is_the_same_when_asked_again_and_whatever_the_order_of_the_catalogue(
    snapshot, facts, body
):
    turned = make_snapshot(*reversed(snapshot.models.values()))

    assert outcome(snapshot, facts, body) == outcome(snapshot, facts, body)
    assert outcome(snapshot, facts, body) == outcome(turned, facts, body)


def points_of(snapshot: Any, name: str, facts: RequestFacts) -> Any:
    model, choice = choose(snapshot, facts_of(name, needs=facts.needs, text_bytes=facts.text_bytes))
    pools = pools_of(snapshot)
    pool = pools.real if pools.real.models else pools.sandbox
    (scored,) = [found for found in pool.models if found.model.id == model.id]
    return scored, quality_in(scored, Area(choice.area))


@drawn_slowly
@given(catalogues(), requests)
@pytest.mark.parametrize("router", ["general", "code"])
def test_modes_keep_their_word_whatever_the_catalogue(router, snapshot, facts):
    """The cheap mode never takes a dearer model than the good one, and no mode a better one than the good one."""
    cheap = {"general": "cost", "code": "price"}[router]
    try:
        best, most = points_of(snapshot, f"router:{router}:quality", facts)
    except (InvalidRequest, AllProvidersFailed):
        return
    cheapest, _ = points_of(snapshot, f"router:{router}:{cheap}", facts)
    assert cheapest.price <= best.price
    for mode in MODES:
        if mode.startswith(f"router:{router}:"):
            assert points_of(snapshot, mode, facts)[1] <= most


def body_of(text: str, **fields: Any) -> bytes:
    return orjson.dumps(
        {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}
    )


@pytest.mark.parametrize(
    ("text", "area", "demand"),
    [
        ("Hello there", Area.GENERAL, Demand.SIMPLE),
        ("What is the capital of Mongolia?", Area.GENERAL, Demand.SIMPLE),
        ("Write a Python function that reverses a list.", Area.CODE, Demand.ORDINARY),
        ("```\ndef f(x):\n    return x\n```", Area.CODE, Demand.ORDINARY),
        ("Why?\nTraceback (most recent call last):\n  File main.py\nTypeError: no", Area.CODE, Demand.ORDINARY),
        ("Prove by induction that $\\frac{1}{2}$ is a lemma.", Area.GENERAL, Demand.HARD),
        ("我们应该如何理解这个问题?请解释一下。" * 3, Area.GENERAL, Demand.ORDINARY),
        ("Sum this up. " + "The cat sat on the mat. " * 100, Area.GENERAL, Demand.ORDINARY),
        ("Sum this up. " + "The cat sat on the mat. " * 4000, Area.GENERAL, Demand.HARD),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_area_and_demand_are_read_from_the_request(text, area, demand):
    body = body_of(text)
    found = auto_router.read(NAMES["auto"], read_chat(body), body)

    assert (found.area, found.demand) == (area, demand)
    assert bool(found.reasons) is (demand is not Demand.SIMPLE)


def test_foreign_script_is_seen_when_the_client_escapes_it():
    text = b'{"content": "\\u6211\\u4eec\\u5e94\\u8be5\\u5982\\u4f55\\u7406\\u89e3"}'

    assert auto_router.read(NAMES["auto"], facts_of(), text).reasons == ("no Latin script",)


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"response_format": {"type": "json_object"}}, {"response_format"}),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, {"structured_outputs"}),
        ({"response_format": {"type": "text"}}, set()),
        ({"modalities": ["text", "audio"]}, {"audio_output"}),
    ],
)  # fmt: skip
def test_needs_are_read_from_the_fields(fields, needs):
    assert read_chat(body_of("hi", **fields)).needs == needs


def test_code_router_takes_everything_for_code():
    body = body_of("Hello there")

    assert auto_router.read(NAMES["router:code"], read_chat(body), body).area is Area.CODE


@pytest.mark.parametrize("name", ["router:", "router:general:fast", "router:code:", "Router:chess"])
def test_mode_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(InvalidRequest) as refused:
        find_router(name)

    assert (refused.value.status, refused.value.param) == (400, "model")
    assert all(mode in refused.value.message for mode in MODES)


@pytest.mark.parametrize("name", ["AUTO", "Router:General:Cost", "openrouter/auto"])
def test_names_are_found_in_any_case(name):
    assert find_router(name) is NAMES[name.lower()]


@pytest.mark.parametrize("name", ["router", "acme/auto", "auto-1", "gpt-4o", ""])
def test_other_names_are_models(name):
    assert find_router(name) is None


def test_default_modes_are_there():
    for router in ROUTERS:
        assert NAMES[router.id].mode.name == router.default
        for mode in router.modes:
            assert list(mode.floors) == sorted(mode.floors)


def test_router_is_refused_where_nobody_converses():
    with pytest.raises(InvalidRequest) as refused:
        auto_router.choose(
            facts_of(), b"", make_snapshot(make_model("acme/a")), surface=EMBEDDINGS, is_test_key=False
        )  # fmt: skip

    assert refused.value.code == "model_not_supported"


def test_too_long_is_said_when_only_room_is_missing():
    snapshot = make_snapshot(make_model("acme/a", context=8_000))

    with pytest.raises(ContextTooLong):
        choose(snapshot, facts_of(text_bytes=100_000))
    with pytest.raises(InvalidRequest) as refused:
        choose(snapshot, facts_of(needs=frozenset({"image"})))
    assert refused.value.code == "model_not_supported"
    assert "image" in refused.value.message


def test_host_without_room_is_left_out_when_another_has_it():
    roomy, tight = make_provider("roomy"), make_provider("tight")
    snapshot = make_snapshot(
        make_model("acme/a", make_offering("acme/a", tight, context=4_000), make_offering("acme/a", roomy))
    )  # fmt: skip

    model, _ = choose(snapshot, facts_of(text_bytes=40_000))

    assert [offering.provider.slug for offering in model.offerings] == ["roomy"]


def made(name: str, provider: str, usd: str, **facts: Any) -> Any:
    return make_model(name, make_offering(name, make_provider(provider), usd=usd), **facts)


SOME = make_snapshot(
    made("acme/best", "one", "4"),
    made("acme/good", "one", "3"),
    made("acme/fair", "two", "2", parameters=("seed",)),
    made("acme/poor", "two", "1"),
    made("acme/free", "two", "0"),
)


@pytest.mark.parametrize(
    ("name", "runners_up", "asked"),
    [
        ("quality", 2, ["best", "good", "fair"]),
        ("quality", 1, ["best", "good"]),
        ("quality", 0, ["best"]),
        ("quality", 9, ["best", "good", "fair", "poor", "free"]),
    ],
)
def test_next_models_of_the_order_stand_by(name, runners_up, asked):
    models, choice = choose_all(SOME, facts_of(f"router:general:{name}"), runners_up=runners_up)

    ids = [f"acme/{model}" for model in asked]
    assert [model.id for model in models] == [choice.model, *choice.runners_up] == ids


@drawn_slowly
@given(catalogues(), requests)
def test_runners_up_cost_at_most_twice_as_much(snapshot, facts):
    try:
        models, _ = choose_all(snapshot, facts)
    except GatewayzError:
        return
    prices = {scored.model.id: scored.price for scored in pools_of(snapshot).real.models}
    prices |= {scored.model.id: scored.price for scored in pools_of(snapshot).sandbox.models}
    assert len({model.id for model in models}) == len(models) <= 3
    assert all(prices[model.id] <= 2 * prices[models[0].id] for model in models)


@pytest.mark.parametrize(
    ("provider", "parameters", "asked"),
    [
        ({"only": ["two"]}, (), ["fair", "poor", "free"]),
        ({"ignore": ["one"]}, (), ["fair", "poor", "free"]),
        ({"max_price": {"prompt": 3.5}}, (), ["good", "fair", "poor"]),
        ({"order": ["two"], "allow_fallbacks": False}, (), ["fair", "poor", "free"]),
        ({}, ("seed",), ["fair"]),
    ],
)
def test_only_models_with_a_host_that_the_request_allows_are_chosen(provider, parameters, asked):
    facts = facts_of("router:general:quality")

    models, choice = choose_all(SOME, facts, provider=provider, parameters=parameters)

    assert [model.id for model in models] == [f"acme/{model}" for model in asked]
    assert choice.model == models[0].id


@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"only": ["nobody"]}, "provider.only"),
        ({"only": ["two"], "max_price": {"completion": 0}, "ignore": ["two"]}, "provider.ignore"),
        ({"zdr": True}, "provider.zdr"),
    ],
)  # fmt: skip
def test_wish_that_no_model_meets_is_named(provider, param):
    with pytest.raises(InvalidRequest) as refused:
        choose_all(SOME, facts_of(), provider=provider)

    assert (refused.value.code, refused.value.param) == ("no_provider_allowed", param)


REQUESTS: dict[str, tuple[str, Any]] = {
    "short": ("Hello there", {}),
    "code": ("```\ndef f(x):\n    return x\n```" * 50, {}),
    "tools": ("Hello", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    "long": ("The cat sat on the mat. " * 20_000, {}),
    "impossible": ("Hello", {"modalities": ["text", "video"]}),
    "noise": ("\n ) { => `\\frac function SELECT " * 10_000, {}),
}


@pytest.mark.alone
@pytest.mark.django_db
def test_choice_takes_less_than_a_millisecond_over_the_whole_seed(settings):
    settings.PROVIDER_SECRET = lambda name: "key"
    refresh.sync_registry()
    pricing.import_prices()
    snapshot = load_catalog()
    assert len(snapshot.listed()) >= 1_600
    assert len(pools_of(snapshot).real.models) > 1_000

    for text, fields in REQUESTS.values():
        body = body_of(text, **fields)
        facts = read_chat(body)
        for mode in MODES:
            asked = facts_of(mode, needs=facts.needs, text_bytes=facts.text_bytes)
            choose = partial(outcome, snapshot, asked, body)
            assert fastest(choose, enough=0.001) < 0.001
