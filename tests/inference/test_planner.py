"""The planner, without a database: who is asked, in which order, and why not the others."""

import itertools
from collections import Counter
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.capabilities import capabilities
from apps.catalog.provider_cards import DEFAULT_POLICY
from apps.catalog.providers.spec import (
    Bearer,
    Endpoint,
    Operation,
    Timeouts,
    UsageConvention,
    Wire,
)
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot, ProviderSnapshot
from apps.common.errors import InvalidRequest
from apps.common.money import NANO_PER_USD
from apps.common.preferences import MaxPrice, Preferences, read_preferences
from apps.common.usage import Rates
from apps.inference.breaker import LocalBreaker, Standing, rules
from apps.inference.extras import Extra
from apps.inference.health import AILING_SECONDS, UNKNOWN, Health, HealthBook
from apps.inference.planner import Plan, Reason, Wants, Why, candidates, consider, plan
from apps.inference.preferences import Routing, narrow, read_routing, split_variant
from apps.inference.resting import Resting
from apps.inference.runtime import Runtime
from tests.timing import fastest

CHAT = {Operation.CHAT: (Endpoint(path="/chat/completions", wire=Wire.OPENAI_CHAT),)}
MESSAGES = {Operation.CHAT: (Endpoint(path="/messages", wire=Wire.ANTHROPIC_MESSAGES),)}


class Known:
    """What is known of hosts: by slug."""

    def __init__(self, standings=None, health=None, ailing=()):
        self.standings, self.health, self.ailing = standings or {}, health or {}, ailing

    def standing(self, key):
        return self.standings.get(key.partition(":")[2], Standing.CLOSED)

    def of(self, key):
        return self.health.get(key.partition(":")[2], UNKNOWN)

    def is_ailing(self, key):
        return key.partition(":")[2] in self.ailing


class Live:
    """What a web process knows once it has asked each host: the real books, filled."""

    standing, of, is_ailing = Runtime.standing, Runtime.of, Runtime.is_ailing

    def __init__(self, asked):
        self.resting, self.health, self.breaker = Resting(), HealthBook(), LocalBreaker(rules())
        for target in candidates(asked, Operation.CHAT, Wire.OPENAI_CHAT):
            self.health.answered(target.key, first_content=0.08, whole=0.5, output_tokens=60)
            self.breaker.record(target.key, by="request", succeeded=True)


def host(
    slug,
    *,
    price=1.0,
    priority=50,
    quantization="",
    room=None,
    sandbox=False,
    weight=None,
    searches=0,
    endpoints=CHAT,
    takes=None,
    **policy,
):
    """``price`` is dollars for a million tokens of input; output is free. ``searches`` is nano-dollars for one.

    ``takes``: what is told of this host; the model's when it is None.
    """
    provider = ProviderSnapshot(
        slug=slug, name=slug, base_url="https://example.com", endpoints=MappingProxyType(endpoints), auth=Bearer(""),
        secret="", headers={}, quirks=(), usage=UsageConvention.CACHE_INSIDE_INPUT, timeouts=Timeouts(),
        priority=priority, is_sandbox=sandbox, **policy,
    )  # fmt: skip
    rates = Rates(
        input=round(price * NANO_PER_USD), output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, reasoning=0,
        searches=searches,
    )  # fmt: skip
    return OfferingSnapshot(
        id=hash(slug) % 10**9, model_id="acme/large", provider=provider, upstream_model=slug, rates=rates,
        context_length=room, max_output_tokens=None, priority=0, quantization=quantization, weight=weight,
        capabilities=takes,
    )  # fmt: skip


def taking(*parameters, inputs=("text",), is_whole=True):
    """What a host's own list says; ``is_whole``: it is not only what the release knows of it."""
    return capabilities(parameters, inputs, knows_inputs=True, is_whole=is_whole)


def model(*offerings, parameters=("tools",), hears=("text",), name="acme/large", names_all=False):
    return ModelSnapshot(
        id=name, name=name, description="", released_on=None, context_length=None,
        max_output_tokens=None, input_modalities=hears, output_modalities=("text",),
        supported_parameters=parameters, offerings=offerings, is_priced=True,
        names_all=names_all,
    )  # fmt: skip


def wants(**asked) -> Wants:
    return Wants(operation=Operation.CHAT, wire=Wire.OPENAI_CHAT, **asked)


def prefers(**provider) -> Wants:
    return wants(routing=read_routing({"provider": provider}))


def slugs(found: Plan) -> list[str]:
    return [target.offering.provider.slug for target in found.targets]


def reasons(found: Plan) -> dict[str, str]:
    return {r.target.offering.provider.slug: r.why.value for r in found.rejected}


THREE = model(
    host("cheap", price=1, quantization="fp8"),
    host("middle", price=1.2, collects_data=False),
    host("dear", price=5, keeps_nothing=True, collects_data=False),
)


@pytest.mark.parametrize(
    ("provider", "asked", "left_out"),
    [
        ({}, ["cheap", "middle", "dear"], {}),
        ({"order": ["dear"]}, ["dear", "cheap", "middle"], {}),
        ({"order": ["dear", "middle"]}, ["dear", "middle", "cheap"], {}),
        ({"order": ["CHEAP/FP8", "dear"]}, ["cheap", "dear", "middle"], {}),
        ({"order": ["dear"], "allow_fallbacks": False}, ["dear"], {"cheap": "no_fallback", "middle": "no_fallback"}),
        ({"allow_fallbacks": False}, ["cheap"], {"middle": "no_fallback", "dear": "no_fallback"}),
        ({"only": ["middle", "dear"]}, ["middle", "dear"], {"cheap": "not_allowed"}),
        ({"ignore": ["cheap"]}, ["middle", "dear"], {"cheap": "ignored"}),
        ({"quantizations": ["fp8"]}, ["cheap"], {"middle": "quantization", "dear": "quantization"}),
        ({"quantizations": ["unknown"]}, ["middle", "dear"], {"cheap": "quantization"}),
        ({"max_price": {"prompt": 1.2}}, ["cheap", "middle"], {"dear": "too_dear"}),
        ({"data_collection": "deny"}, ["middle", "dear"], {"cheap": "collects_data"}),
        ({"zdr": True}, ["dear"], {"cheap": "keeps_data", "middle": "keeps_data"}),
        ({"sort": "price"}, ["cheap", "middle", "dear"], {}),
        ({"sort": "latency"}, ["dear", "middle", "cheap"], {}),
        ({"sort": "throughput"}, ["middle", "dear", "cheap"], {}),
        ({"only": ["nobody"]}, [], {"cheap": "not_allowed", "middle": "not_allowed", "dear": "not_allowed"}),
    ],
)  # fmt: skip
def test_hosts_stand_as_the_request_wishes(provider, asked, left_out):
    known = Known(
        health={
            "dear": Health(first_content_ms=100, tokens_per_second=50),
            "middle": Health(first_content_ms=200, tokens_per_second=90),
        }
    )

    found = plan([THREE], prefers(**provider), known)

    assert slugs(found) == asked
    assert reasons(found) == left_out


def test_host_is_passed_by_when_its_breaker_is_open_and_asked_when_half_open():
    known = Known({"cheap": Standing.OPEN, "middle": Standing.HALF_OPEN})

    found = plan([THREE], wants(), known)

    assert slugs(found) == ["middle", "dear"]
    assert reasons(found) == {"cheap": "breaker_open"}


@pytest.mark.parametrize(
    ("sticky", "margin", "first"),
    [("middle", 0.25, "middle"), ("middle", 0.1, "cheap"), ("dear", 0.25, "cheap"), ("gone", 9, "cheap")],
)  # fmt: skip
def test_key_stays_with_its_host_while_that_is_not_much_dearer(sticky, margin, first):
    stuck = host(sticky).id

    found = plan([THREE], wants(sticky=stuck, sticky_margin=margin), Known())

    assert slugs(found)[0] == first
    assert sorted(slugs(found)) == ["cheap", "dear", "middle"]


def test_operators_priority_goes_before_sticking_and_exploring():
    two = model(host("first", price=2, priority=1), host("second", price=2, priority=2))

    assert (
        slugs(plan([two], wants(sticky=host("second").id, sticky_margin=1), Known()))[0] == "first"
    )
    assert slugs(plan([two], wants(explores=True), Known()))[0] == "first"
    assert slugs(plan([THREE], wants(explores=True), Known())) == ["middle", "cheap", "dear"]


@pytest.mark.parametrize(
    ("sticky", "order"),
    [("cheap", ["middle", "cheap", "dear"]), ("middle", ["cheap", "middle", "dear"])],
)
def test_key_that_stays_with_a_host_tries_another_one_now_and_then(sticky, order):
    asked = wants(sticky=host(sticky).id, sticky_margin=0.25, explores=True)

    found = plan([THREE], asked, Known())

    assert (slugs(found), found.moved) == (order, Reason.EXPLORED)


def test_models_are_asked_in_the_clients_order_when_there_are_several():
    other = model(host("other", price=0.1), name="acme/other")

    assert slugs(plan([THREE, other], wants(), Known()))[-1] == "other"


@pytest.mark.parametrize(
    ("needs", "parameters", "hears", "lacks"),
    [
        ({"tools"}, ("tools",), ("text",), ""),
        ({"tools"}, ("temperature",), ("text",), "tools"),
        ({"tools"}, (), ("text",), ""),  # nothing is known of it
        ({"image"}, ("tools",), ("text", "image"), ""),
        ({"image", "tools"}, ("tools",), ("text",), "image"),
        ({"structured_outputs"}, ("structured_outputs",), ("text",), ""),
        (
            {"structured_outputs"},
            ("response_format",),
            ("text",),
            "",
        ),  # of which formats is not told
        ({"structured_outputs", "tools"}, ("temperature",), ("text",), "tools"),
        ({"structured_outputs"}, ("tools",), ("text",), ""),  # no other model does it
        ({"structured_outputs"}, (), ("text",), ""),
    ],
)
def test_model_that_lacks_what_is_needed_is_not_asked(needs, parameters, hears, lacks):
    one = model(host("one"), parameters=parameters, hears=hears)

    found = plan([one], wants(needs=frozenset(needs)), Known())

    assert [r.detail for r in found.rejected] == ([lacks] if lacks else [])
    assert bool(found.targets) is not bool(lacks)


NEEDED = frozenset({"structured_outputs"})


@pytest.mark.parametrize(
    ("needs", "takes", "asked"),
    [
        ({"tools"}, [taking("temperature"), taking("temperature", "tools"), None], [1, 2]),
        ({"tools"}, [taking("temperature", is_whole=False), taking("tool_choice")], [1]),
        ({"tools"}, [taking("temperature", is_whole=False), taking("temperature")], [0]),
        ({"image"}, [taking("tools", is_whole=False), taking("tools")], []),
        ({"image"}, [taking("tools"), taking("tools", inputs=("text", "image"))], [1]),
        ({"image"}, [capabilities((), ("text",), knows_inputs=True), capabilities((), ("text",))], [1]),
        (NEEDED, [taking("tools"), taking("structured_outputs"), None], [1]),
        (NEEDED, [taking("tools"), taking("response_format"), taking("seed", is_whole=False)], [1]),
        (NEEDED, [taking("tools"), None, taking("seed", is_whole=False)], [1, 2]),
        (NEEDED, [taking("tools"), taking("seed")], []),
        (NEEDED | {"tools"}, [None, taking("seed", is_whole=False)], [0, 1]),
        (NEEDED | {"logprobs"}, [taking("logprobs"), None, taking("seed", is_whole=False)], []),
    ],
)  # fmt: skip
def test_host_that_lacks_what_is_needed_is_not_asked_though_the_model_takes_it(needs, takes, asked):
    hosts = [host(f"h{at}", takes=told) for at, told in enumerate(takes)]

    found = plan([model(*hosts)], wants(needs=frozenset(needs)), Known())

    assert slugs(found) == [f"h{at}" for at in asked]
    assert {r.why for r in found.rejected} <= {Why.LACKS}


def test_schemas_must_be_named_where_an_operator_named_all_that_the_model_takes():
    lone = model(host("one"), parameters=("tools",), names_all=True)

    found = plan([lone], wants(needs=NEEDED), Known())

    assert [(r.why, r.detail) for r in found.rejected] == [(Why.LACKS, "structured_outputs")]


def test_host_that_may_take_schemas_is_asked_while_the_one_that_does_is_down():
    both = model(host("sure", takes=taking("structured_outputs")), host("unsure"))

    found = plan([both], wants(needs=NEEDED), Known({"sure": Standing.OPEN}))

    assert slugs(found) == ["unsure"]


def test_required_parameters_are_those_of_the_host():
    hosts = [host("h0", takes=taking("temperature")), host("h1", takes=taking("tools", "seed"))]
    asked = {"provider": {"require_parameters": True}}

    found = plan(
        [model(*hosts, parameters=("temperature", "tools", "seed"))],
        wants(routing=read_routing(asked), parameters=frozenset({"tools", "seed"})),
        Known(),
    )

    assert slugs(found) == ["h1"]
    assert [(r.why, r.detail) for r in found.rejected] == [(Why.LACKS, "seed")]


def test_parameters_must_be_known_when_they_are_required():
    routing = read_routing({"provider": {"require_parameters": True}})

    kept = plan([THREE], wants(routing=routing, parameters=frozenset({"tools"})), Known())
    lost = plan([THREE], wants(routing=routing, parameters=frozenset({"seed"})), Known())

    assert len(kept.targets) == 3
    assert {(r.why, r.detail) for r in lost.rejected} == {(Why.LACKS, "seed")}


ABILITIES = ("tools", "image", "file", "audio", "reasoning", "structured_outputs")
PARAMETERS = st.sampled_from(
    [(), ("tools",), ("tools", "seed"), ("seed",), ("tools", "reasoning"), ("response_format",), ("structured_outputs",)]
)  # fmt: skip
INPUTS = st.sampled_from([("text",), ("text", "image"), ("text", "file", "audio")])
TOLD = st.none() | st.builds(
    capabilities, PARAMETERS, INPUTS, knows_inputs=st.booleans(), is_whole=st.booleans()
)
EXTRAS = st.builds(Extra, st.sampled_from(["speed", "tools[0]"]), is_search=st.booleans())
OFFERINGS = st.builds(
    host, st.sampled_from("abcdefgh"), price=st.floats(0, 50), priority=st.integers(0, 3),
    quantization=st.sampled_from(["", "fp8", "bf16"]), room=st.none() | st.integers(1, 1000),
    sandbox=st.booleans(), collects_data=st.sampled_from([None, True, False]), keeps_nothing=st.booleans(),
    region=st.sampled_from(["", "eu", "us"]), own_key=st.sampled_from(["", "7.1"]),
    searches=st.sampled_from([0, 10]), endpoints=st.sampled_from([CHAT, MESSAGES]), takes=TOLD,
)  # fmt: skip
MODELS = st.builds(
    lambda hosts, **facts: model(*hosts, **facts),
    st.lists(
        OFFERINGS,
        max_size=6,
        unique_by=lambda offering: (offering.provider.slug, offering.provider.own_key),
    ),
    parameters=PARAMETERS,
    hears=INPUTS,
    names_all=st.booleans(),
)
NAMES = st.none() | st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4).map(tuple)
WANTS = st.builds(
    wants,
    is_test_key=st.booleans(),
    needs=st.frozensets(st.sampled_from(ABILITIES)),
    parameters=st.frozensets(st.sampled_from(["tools", "seed", "file"])),
    extras=st.lists(EXTRAS, max_size=2).map(tuple),
    own_only=st.frozensets(st.sampled_from("abcdefgh")),
    least_input=st.integers(0, 1000),
    sticky=st.none() | st.sampled_from("abcdefgh").map(lambda slug: host(slug).id),
    sticky_margin=st.floats(0, 2),
    explores=st.booleans(),
    routing=st.builds(
        Routing,
        provider=st.builds(
            Preferences, order=NAMES, only=NAMES, ignore=NAMES, allow_fallbacks=st.sampled_from([None, True, False]),
            data_collection=st.sampled_from([None, "allow", "deny"]), zdr=st.booleans(),
            require_parameters=st.booleans(), regions=st.none() | st.just(("eu",)) | st.just(("eu", "us")),
            quantizations=st.none() | st.just(("fp8",)) | st.just(("FP8", "unknown")),
            max_price=st.none() | st.builds(MaxPrice, prompt=st.none() | st.floats(0, 50)),
            sort=st.sampled_from([None, "price", "latency", "throughput"]),
        ),
    ),
)  # fmt: skip
STANDINGS = st.dictionaries(
    st.sampled_from([*"abcdefgh", *(f"{slug}@7.1" for slug in "abcdefgh")]),
    st.sampled_from(list(Standing)),
)


def _is_billable(target, asked):
    """What is bought there beside tokens has a price and is counted, or is not the house's to bill."""
    counts = target.offering.rates.searches > 0 and target.endpoint.wire is Wire.ANTHROPIC_MESSAGES
    is_ours = not target.is_byok and not asked.is_test_key
    return not is_ours or all(extra.is_search and counts for extra in asked.extras)


@given(
    st.lists(MODELS, min_size=1, max_size=3),
    st.builds(
        wants, extras=st.lists(EXTRAS, min_size=1, max_size=2).map(tuple), is_test_key=st.booleans()
    ),
)
def test_plan_holds_no_host_without_a_price_for_what_is_bought_beside_tokens(models, asked):
    found = plan(models, asked, Known())

    assert all(_is_billable(target, asked) for target in found.targets)
    assert all(
        rejection.why is Why.UNPRICED and not _is_billable(rejection.target, asked)
        for rejection in found.rejected
    )


SCHEMAS = "structured_outputs"


def _takes(told, need, beside):
    """Whether a host takes it: True, False, or None where that is not known. ``beside``: what is told of the model."""
    if need in told.parameters or need in told.inputs:
        return True
    if need in {"image", "file", "audio"}:
        return False if told.knows_inputs else None
    if not told.parameters or (need == SCHEMAS and "response_format" in told.parameters):
        return None
    return None if _is_guessed(told, need, beside) else False


def _is_guessed(told, need, beside):
    """Whether a list that leaves out much leaves it out: a host's own list and an operator's name all."""
    if need in {"image", "file", "audio"} or not told.parameters or need in told.parameters:
        return False
    if told.is_whole or (need == SCHEMAS and "response_format" in told.parameters):
        return False
    return need == SCHEMAS or need in beside.parameters


@given(st.lists(MODELS, min_size=1, max_size=3), WANTS, STANDINGS)
def test_plan_holds_only_hosts_that_may_and_can_be_asked(models, asked, standings):
    found = plan(models, asked, Known(standings))

    provider = asked.routing.provider
    owners = {id(offering): one for one in models for offering in one.offerings}
    for target in found.targets:
        offering, slug = target.offering, target.offering.provider.slug
        one = owners[id(offering)]
        told, beside = one.capabilities_at(offering), one.capabilities
        assert not any(_takes(told, need, beside) is False for need in asked.needs)
        if provider.require_parameters:
            assert all(_takes(told, name, beside) for name in asked.parameters)
        assert _is_billable(target, asked)
        assert offering.context_length is None or offering.context_length >= asked.least_input
        name = f"{slug}@7.1" if target.is_byok else slug
        assert standings.get(name) is not Standing.OPEN
        assert provider.only is None or slug in provider.only
        assert not provider.ignore or slug not in provider.ignore
        assert provider.data_collection != "deny" or offering.provider.collects_data is False
        assert not provider.zdr or offering.provider.keeps_nothing
        assert provider.regions is None or offering.provider.region in provider.regions
        assert provider.quantizations is None or (offering.quantization or "unknown") in {
            name.lower() for name in provider.quantizations
        }
        if provider.max_price is not None and provider.max_price.prompt is not None:
            assert target.rates.input <= provider.max_price.prompt * NANO_PER_USD
        assert target.is_byok is bool(offering.provider.own_key)
        assert target.is_byok or slug not in asked.own_only
        assert not asked.is_test_key or offering.provider.is_sandbox
        assert target.rates == offering.rates or asked.is_test_key
    guessed = [
        any(_is_guessed(one.capabilities_at(host), need, one.capabilities) for need in asked.needs)
        for one, host in ((owners[id(t.offering)], t.offering) for t in found.targets)
    ]
    assert len(set(guessed)) <= 1, "who may take it is asked only when nobody is left who does"
    places = [
        id(target.offering) for target in (*found.targets, *(r.target for r in found.rejected))
    ]
    able = [
        o for one in models for o in one.offerings if o.provider.is_sandbox or not asked.is_test_key
    ]
    assert sorted(places) == sorted(map(id, able))  # each is asked or left out with a reason, once
    assert found == plan(models, asked, Known(standings))


def own(slug, **facts):
    """The same host, asked with a key of the customer's."""
    return host(slug, own_key="7.1", **facts)


def names(found: Plan) -> list[str]:
    return [
        f"{'own ' if target.is_byok else ''}{target.offering.provider.slug}"
        for target in found.targets
    ]


BOTH = model(
    own("dear", price=5),
    host("cheap", price=1),
    host("middle", price=1.2, weight=9),
    host("dear", price=5, weight=1),
)


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        (wants(), ["own dear", "cheap", "middle", "dear"]),
        (wants(draw=0.5), ["own dear", "middle", "cheap", "dear"]),
        (wants(explores=True), ["own dear", "middle", "cheap", "dear"]),
        (wants(sticky=host("middle").id, sticky_margin=0.3), ["own dear", "middle", "cheap", "dear"]),
        (prefers(sort="price"), ["cheap", "middle", "own dear", "dear"]),
        (prefers(order=["middle", "dear"]), ["middle", "own dear", "dear", "cheap"]),
        (prefers(only=["cheap", "dear"]), ["own dear", "cheap", "dear"]),
        (prefers(ignore=["dear"]), ["cheap", "middle"]),
        (prefers(max_price={"prompt": 2}), ["cheap", "middle"]),
        (prefers(allow_fallbacks=False), ["own dear"]),
        (prefers(order=["dear"], allow_fallbacks=False), ["own dear", "dear"]),
        (wants(own_only=frozenset({"dear"})), ["own dear", "cheap", "middle"]),
    ],
    ids=["default", "draw", "explores", "sticky", "price", "order", "only", "ignore", "max_price", "no fallback", "order without fallback", "own only"],
)  # fmt: skip
def test_own_keys_go_first_unless_the_request_says_otherwise(asked, order):
    offerings = BOTH.offerings
    if not asked.draw:  # no split where none is looked at
        offerings = tuple(replace(offering, weight=None) for offering in offerings)

    assert names(plan([replace(BOTH, offerings=offerings)], asked, Known())) == order


BETTER_AND_WORSE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "own_key": ({"own_key": "7.1"}, {}),
    "account_has_credit": ({}, {"is_spent": True}),
    "not_failing": ({}, {"ails": True}),
    "offering_priority": ({"offered": 1}, {"offered": 2}),
    "provider_priority": ({"priority": 1}, {"priority": 2}),
    "price": ({"price": 1.0}, {"price": 2.0}),
    "latency": ({"waits": 100}, {"waits": 200}),
    "provider_name": ({"slug": "a"}, {"slug": "b"}),
}
"""Two hosts of which the first is the better, by what ``GET /v1/routers`` says decides."""


@pytest.mark.parametrize(
    ("name", "less"), [*itertools.pairwise(DEFAULT_POLICY["order"])], ids=lambda name: name
)
def test_hosts_stand_in_the_order_that_is_told(name, less):
    (better, worse), (good, bad) = BETTER_AND_WORSE[name], BETTER_AND_WORSE[less]
    # What decides less is the other way round.
    facts = [{"slug": "m", **bad, **better}, {"slug": "n", **good, **worse}]
    slow = {one["slug"]: one.pop("waits", None) for one in facts}
    ails = [one["slug"] for one in facts if one.pop("ails", False)]
    hosts = [replace(host(**one), priority=one_offered) for one, one_offered in offered(facts)]
    # As a snapshot has them: a customer's own first, the others by name.
    hosts.sort(key=lambda one: (not one.provider.own_key, one.provider.slug))
    health = {slug: Health(first_content_ms=wait) for slug, wait in slow.items() if wait}

    found = plan([model(*hosts)], wants(), Known(health=health, ailing=ails))

    assert slugs(found)[0] == facts[0]["slug"]


def offered(facts: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    return [(one, one.pop("offered", 0)) for one in facts]


def test_own_key_goes_first_though_it_fails_often_until_its_breaker_opens():
    def known(**told):
        return Known(**{name: {"dear@7.1": value} for name, value in told.items()})

    assert names(plan([BOTH], wants(), known(ailing=True)))[0] == "own dear"
    found = plan([BOTH], wants(), known(standings=Standing.OPEN))
    assert sorted(names(found)) == ["cheap", "dear", "middle"]
    (left_out,) = found.rejected
    assert (left_out.why, left_out.target.is_byok) == (Why.BREAKER_OPEN, True)


def test_house_host_is_left_out_with_its_reason_when_the_own_key_may_not_fall_back():
    found = plan([BOTH], wants(own_only=frozenset({"dear", "elsewhere"})), Known())

    assert [(r.target.is_byok, r.why) for r in found.rejected] == [(False, Why.OWN_KEY_ONLY)]


def test_own_keys_are_told_as_the_reason():
    found = plan([BOTH, model(own("other"), name="acme/other")], wants(), Known())

    told = [one.reason for one in consider(found, wants(), Known())]
    assert told[:2] == [Reason.OWN_KEY, Reason.RANK]


def test_hosts_of_customers_and_of_the_house_have_breakers_of_their_own():
    keys = {target.key for target in candidates(BOTH, Operation.CHAT, Wire.OPENAI_CHAT)}

    assert len(keys) == 4


@pytest.mark.alone
@pytest.mark.parametrize("number_of_own", [0, 25])
def test_plan_for_fifty_hosts_takes_less_than_200_microseconds(number_of_own):
    many = model(
        *[own(f"host-{n}", price=n % 7) for n in range(number_of_own)],
        *[host(f"host-{n}", price=n % 7) for n in range(50 - number_of_own)],
    )
    only = frozenset({"host-1"}) if number_of_own else frozenset()
    asked = wants(needs=frozenset({"tools"}), least_input=100, own_only=only)
    known = Live(many)

    assert fastest(lambda: plan([many], asked, known), enough=200e-6) < 200e-6


LISTS: dict[str, dict[str, Any]] = {
    "short": {
        "order": [f"host-{n}" for n in range(10)], "ignore": ["host-48", "elsewhere"],
        "quantizations": ["fp8", "bf16"], "data_collection": "deny", "max_price": {"prompt": 6, "completion": 9},
    },
    "full": {
        "order": [f"Host-{n}" for n in range(96)], "ignore": [f"elsewhere-{n}" for n in range(100)],
        "only": [f"host-{n}/fp8" for n in range(50)],
    },
}  # fmt: skip


@pytest.mark.alone
@pytest.mark.parametrize(("hosts", "most"), [(50, 200e-6), (100, 400e-6)])
@pytest.mark.parametrize("lists", LISTS)
def test_plan_takes_as_little_with_preferences_however_long(lists, hosts, most):
    many = model(
        *[
            host(f"host-{n}", price=n % 7, quantization="fp8", collects_data=False)
            for n in range(hosts)
        ]
    )
    asked, known = prefers(**LISTS[lists]), Live(many)

    assert fastest(lambda: plan([many], asked, known), enough=most) < most


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"provider": []}, "provider"),
        ({"provider": {"order": "openai"}}, "provider.order"),
        ({"provider": {"order": [""]}}, "provider.order[0]"),
        ({"provider": {"sort": "cheapest"}}, "provider.sort"),
        ({"provider": {"max_price": {"prompt": -1}}}, "provider.max_price.prompt"),
        ({"provider": {"max_prize": {}}}, "provider.max_prize"),
        ({"provider": {"sort": {"by": "cheapest"}}}, "provider.sort"),
        ({"provider": {"sort": {"by": "price", "partition": "none"}}}, "provider.sort"),
        ({"provider": {"max_price": {"prompt": "-1"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": "1e3"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": "9999999"}}}, "provider.max_price.prompt"),
        ({"provider": {"enforce_distillable_text": True}}, "provider.enforce_distillable_text"),
        ({"models": "acme/large"}, "models"),
        ({"models": ["a"] * 11}, "models"),
        ({"route": "random"}, "route"),
    ],
)
def test_wish_is_refused_by_name_when_it_is_not_understood(body, param):
    with pytest.raises(InvalidRequest) as refused:
        read_routing(body)

    assert refused.value.param == param


@pytest.mark.parametrize(
    ("longer", "plain"),
    [
        ({"sort": {"by": "throughput"}}, {"sort": "throughput"}),
        ({"sort": {"by": "price", "partition": "model"}}, {"sort": "price"}),
        ({"max_price": {"prompt": "1.5", "image": 2}}, {"max_price": {"prompt": 1.5, "image": 2}}),
        ({"max_price": {"completion": "0"}}, {"max_price": {"completion": 0}}),
        ({"enforce_distillable_text": False, "zdr": True}, {"zdr": True}),
    ],
)
def test_longer_words_of_openrouter_mean_the_same(longer, plain):
    assert read_routing({"provider": longer}) == read_routing({"provider": plain})
    assert read_preferences(longer) == read_preferences(plain)


def test_variants_name_a_sort_when_they_end_a_model():
    assert split_variant("acme/large:floor") == ("acme/large", "price")
    assert split_variant("acme/large:nitro") == ("acme/large", "throughput")
    assert split_variant("acme/large:free") == ("acme/large:free", None)
    assert msgspec.structs.asdict(read_routing({"messages": []}))["models"] == ()


def test_ailing_host_goes_behind_all_others_and_nobody_stays_with_it():
    cheap, dear, later = host("cheap"), host("dear", price=2.0), host("later", priority=60)
    known = Known(ailing={"cheap", "dear"})

    found = plan([model(cheap, dear, later)], wants(sticky=cheap.id, sticky_margin=9.0), known)

    assert slugs(found) == ["later", "cheap", "dear"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sort": "price"},
        {"sort": "latency"},
        {"sort": "throughput"},
        {"order": ["empty", "later"]},
    ],
)
def test_host_whose_account_is_empty_comes_last_in_every_order(asked):
    empty = host("empty", price=0.1, is_spent=True)
    ailing, later = host("ailing", price=0.2), host("later", price=9.0, priority=60)
    quick = Health(first_content_ms=1, tokens_per_second=999)
    known = Known(ailing={"ailing"}, health={"empty": quick})

    found = plan([model(empty, ailing, later)], prefers(**asked), known)

    assert slugs(found)[-1] == "empty"
    assert len(found.targets) == 3, "somebody may have paid a minute ago"


def test_nothing_moves_a_host_up_whose_account_is_empty():
    empty, other = host("empty", is_spent=True), host("other", price=1.1)
    one = model(empty, other)
    weighed = model(
        host("empty", is_spent=True, weight=99), host("other", weight=1), host("third", weight=1)
    )

    sticks = plan([one], wants(sticky=empty.id, sticky_margin=9.0), Known())
    explores = plan([one], wants(explores=True), Known())
    shares = [plan([weighed], wants(draw=n / 10), Known()).targets[0] for n in range(10)]

    assert slugs(sticks) == slugs(explores) == ["other", "empty"]
    assert "empty" not in {target.offering.provider.slug for target in shares}


def test_host_ails_while_it_fails_often_and_not_for_long():
    moment = 100.0
    book = HealthBook(now=lambda: moment)
    for _ in range(7):
        book.answered("host", first_content=None, whole=1.0, output_tokens=1)
    for _ in range(2):
        book.failed("host", was_empty=False)
    assert not book.is_ailing("host"), "nine requests are too few to tell"
    book.failed("host", was_empty=False)

    ailing = book.is_ailing("host")
    moment += AILING_SECONDS

    assert (ailing, book.is_ailing("host"), book.is_ailing("unknown")) == (True, False, False)


def test_hosts_share_requests_by_weight_and_the_others_follow():
    hosts = [host("most", price=3, weight=80), host("rest", price=2, weight=20), host("cheap")]
    firsts = Counter(
        slugs(plan([model(*hosts)], wants(draw=number / 1000), Known()))[0]
        for number in range(1000)
    )

    found = plan([model(*hosts)], wants(draw=0.1), Known())

    assert firsts == {"rest": 200, "most": 800}
    assert (slugs(found), found.moved) == (["rest", "cheap", "most"], Reason.SPLIT)


@pytest.mark.parametrize(
    ("asked", "known", "first"),
    [
        ({"routing": Routing(Preferences(sort="price"))}, Known(), "cheap"),
        ({"routing": Routing(Preferences(order=("cheap",)))}, Known(), "cheap"),
        ({}, Known(ailing={"rest"}), "cheap"),
        ({}, Known({"most": Standing.OPEN}), "cheap"),
    ],
    ids=["a sort", "an order", "one ails", "one is down"],
)
def test_weights_give_way_to_wishes_and_to_trouble(asked, known, first):
    hosts = [host("most", price=3, weight=80), host("rest", price=2, weight=20), host("cheap")]

    assert slugs(plan([model(*hosts)], wants(draw=0.1, **asked), known))[0] == first


@pytest.mark.parametrize("down", ["", "cheap"])
def test_order_that_names_no_host_leaves_nobody_without_fallbacks(down):
    known = Known({down: Standing.OPEN})

    found = plan([THREE], prefers(order=["nobody"], allow_fallbacks=False), known)

    assert not found.targets
    assert set(reasons(found).values()) == {"no_fallback"}, "whoever else is down"


@pytest.mark.parametrize(
    ("sort", "own_sort", "asked"),
    [(None, None, "cheap"), (None, "throughput", "middle"), ("price", "throughput", "middle"), ("latency", None, "dear")],
)  # fmt: skip
def test_models_own_sort_goes_before_that_of_the_first(sort, own_sort, asked):
    known = Known(
        health={
            "dear": Health(first_content_ms=100, tokens_per_second=50),
            "middle": Health(first_content_ms=200, tokens_per_second=90),
        }
    )

    found = plan([THREE], wants(routing=Routing(sort=sort), sorts={THREE.id: own_sort}), known)

    assert slugs(found)[0] == asked


@pytest.mark.parametrize(
    ("policy", "provider", "asked"),
    [
        ({"only": ["cheap", "dear"]}, {}, ["cheap", "dear"]),
        ({"only": ["cheap", "dear"]}, {"only": ["DEAR", "middle"]}, ["dear"]),
        ({"only": ["cheap"]}, {"only": ["cheap/fp8"]}, ["cheap"]),
        ({"only": ["cheap/bf16"]}, {"only": ["cheap/fp8"]}, []),
        ({"only": ["cheap"]}, {"only": ["dear"]}, []),
        ({"ignore": ["cheap"]}, {"ignore": ["middle"]}, ["dear"]),
        ({"zdr": True}, {"zdr": False}, ["dear"]),
        ({"data_collection": "deny"}, {"data_collection": "allow"}, ["middle", "dear"]),
        ({"quantizations": ["fp8"]}, {}, ["cheap"]),
        ({"quantizations": ["fp8"]}, {"quantizations": []}, ["cheap"]),
        ({"quantizations": ["fp8"]}, {"quantizations": ["unknown"]}, []),
        ({"max_price": {"prompt": 2}}, {"max_price": {"prompt": 9, "completion": 9}}, ["cheap", "middle"]),
        ({"max_price": {"prompt": 9}}, {"max_price": {"prompt": 2}}, ["cheap", "middle"]),
        ({"order": ["dear"]}, {}, ["dear", "cheap", "middle"]),
        ({"order": ["dear"]}, {"order": ["middle"]}, ["middle", "cheap", "dear"]),
        ({"order": ["dear"]}, {"sort": "price"}, ["cheap", "middle", "dear"]),
        ({"sort": "throughput"}, {"sort": "price"}, ["cheap", "middle", "dear"]),
        ({"sort": "throughput"}, {}, ["dear", "cheap", "middle"]),
        ({"allow_fallbacks": False}, {}, ["cheap"]),
        ({"allow_fallbacks": False}, {"allow_fallbacks": True}, ["cheap", "middle", "dear"]),
    ],
)  # fmt: skip
def test_policy_of_the_key_can_only_be_narrowed_and_its_wishes_give_way(policy, provider, asked):
    routing = narrow(read_routing({"provider": provider}), read_preferences(policy))
    known = Known(health={"dear": Health(tokens_per_second=50)})

    assert slugs(plan([THREE], wants(routing=routing), known)) == asked


def test_regions_of_policy_and_request_are_met_together():
    one = model(host("here", region="eu"), host("there", region="us"))
    asked = read_routing({"provider": {"regions": ["eu"]}})

    both = narrow(asked, read_preferences({"regions": ["EU", "us"]}))
    neither = narrow(asked, read_preferences({"regions": ["us"]}))

    assert slugs(plan([one], wants(routing=both), Known())) == ["here"]
    assert slugs(plan([one], wants(routing=neither), Known())) == []


def test_end_of_a_name_goes_before_the_sort_of_the_policy():
    routing = narrow(Routing(sort="price"), read_preferences({"sort": "latency", "order": ["x"]}))

    assert (routing.sort, routing.provider.order, routing.provider.sort) == ("price", None, None)


def test_region_must_be_known():
    hosts = [host("here", region="eu"), host("there", region="us"), host("somewhere")]

    found = plan([model(*hosts)], prefers(regions=["EU", "ch"]), Known())

    assert slugs(found) == ["here"]
    assert reasons(found) == {"there": "region", "somewhere": "region"}
