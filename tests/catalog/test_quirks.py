"""The combinators, and the quirks that ship."""

import copy

import pytest

from apps.catalog.providers import quirks

HELLO = [{"role": "user", "content": "Hello", "name": "Ann"}]


@pytest.mark.parametrize(
    ("quirk", "body", "expected"),
    [
        (quirks.rename("a", "b"), {"a": 1, "c": 2}, {"b": 1, "c": 2}),
        (quirks.rename("a", "b"), {"a": 1, "b": 3}, {"b": 3}),
        (quirks.rename("a", "b"), {"c": 2}, {"c": 2}),
        (quirks.drop("a", "b"), {"a": 1, "b": 2, "c": 3}, {"c": 3}),
        (quirks.default("a", 1), {}, {"a": 1}),
        (quirks.default("a", 1), {"a": None}, {"a": None}),
        (quirks.clamp("a", 1, 5), {"a": 9}, {"a": 5}),
        (quirks.clamp("a", 1, 5), {"a": 0.5}, {"a": 1}),
        (quirks.clamp("a", 1, 5), {"a": True}, {"a": True}),
        (quirks.clamp("a", 1, 5), {"a": "9"}, {"a": "9"}),
        (quirks.clamp("a", 1, 5), {}, {}),
        (quirks.nest("a", under="n"), {"a": 1}, {"n": {"a": 1}}),
        (quirks.nest("a", under="n"), {"a": 1, "n": {"a": 2, "b": 3}}, {"n": {"a": 2, "b": 3}}),
        (quirks.nest("a", under="n"), {"n": {"b": 3}}, {"n": {"b": 3}}),
        (quirks.when("m-*", then=quirks.drop("a")), {"model": "m-1", "a": 1}, {"model": "m-1"}),
        (quirks.when("m-*", then=quirks.drop("a")), {"model": "x", "a": 1}, {"model": "x", "a": 1}),
        (
            quirks.when("m-*", unless="*-x", then=quirks.drop("a")),
            {"model": "m-x", "a": 1},
            {"model": "m-x", "a": 1},
        ),
        (
            quirks.each_message("drop names", quirks.without_name),
            {"messages": HELLO},
            {"messages": [{"role": "user", "content": "Hello"}]},
        ),
        (quirks.each_message("drop names", quirks.without_name), {"messages": 3}, {"messages": 3}),
        (
            quirks.each_message("drop names", quirks.without_name),
            {"messages": [None, "x", 3]},
            {"messages": [None, "x", 3]},
        ),
        (quirks.omit("a"), {"a": 1, "b": 2}, {"b": 2}),
        (quirks.keep("a", "c"), {"a": 1, "b": 2}, {"a": 1}),
        (quirks.allow("a", "x", None), {"a": "x"}, {"a": "x"}),
        (quirks.allow("a", "x", None), {"a": None}, {"a": None}),
        (quirks.allow("a", "x"), {"a": {"deep": []}, "b": 1}, {"b": 1}),
        (quirks.allow("a", "x"), {"b": 1}, {"b": 1}),
        (quirks.substitute("a", {"x": "y"}), {"a": "x"}, {"a": "y"}),
        (quirks.substitute("a", {"x": "y"}), {"a": "z"}, {"a": "z"}),
        (quirks.substitute("a", {"x": "y"}), {"a": ["x"]}, {"a": ["x"]}),
        (quirks.inside("n", then=quirks.clamp("a", 1, 5)), {"n": {"a": 9}}, {"n": {"a": 5}}),
        (quirks.inside("n", then=quirks.clamp("a", 1, 5)), {"n": 9, "a": 9}, {"n": 9, "a": 9}),
        (quirks.model_name("lower", str.lower), {"model": "A/B"}, {"model": "a/b"}),
        (quirks.model_name("lower", str.lower), {"a": 1}, {"a": 1}),
    ],
)
def test_quirk_changes_body_without_mutating_it_when_applied(quirk, body, expected):
    before = copy.deepcopy(body)

    assert quirk.apply(body) == expected
    assert body == before


def test_apply_quirks_names_lost_parameters_when_some_are_dropped():
    body = {"model": "x", "logprobs": True, "max_tokens": 5, "stop": "a"}
    row = (
        quirks.rename("max_tokens", "max_completion_tokens"),
        quirks.drop("logprobs", "logit_bias"),
    )

    changed, dropped = quirks.apply_quirks(body, row)

    assert changed == {"model": "x", "max_completion_tokens": 5, "stop": "a"}
    assert dropped == ("logprobs",)


def test_apply_quirks_names_nothing_when_the_model_does_not_match():
    row = (quirks.when("o*", then=quirks.drop("seed")),)

    assert quirks.apply_quirks({"model": "x", "seed": 1}, row) == ({"model": "x", "seed": 1}, ())


def test_apply_quirks_names_everything_lost_when_only_some_is_kept():
    sent = {"model": "x", "zeta": 1, "alpha": 2}

    assert quirks.apply_quirks(sent, (quirks.keep("model"),)) == ({"model": "x"}, ("zeta", "alpha"))


def test_apply_quirks_names_nothing_when_the_provider_does_it_anyway():
    assert quirks.apply_quirks({"a": 1, "b": 2}, (quirks.omit("a"),)) == ({"b": 2}, ())


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("openrouter/auto", "openrouter/auto"),
        ("openrouter/bodybuilder", "openrouter/bodybuilder"),
        ("openrouter/openai/gpt-4o:free", "openai/gpt-4o:free"),
        ("openai/gpt-4o", "openai/gpt-4o"),
    ],
)
def test_router_prefix_goes_when_an_organisation_follows(model, sent):
    assert quirks.without_router_prefix(model) == sent


def test_prefix_goes_once_when_the_name_begins_with_it():
    change = quirks.without_prefix("x-ai/", "xai/")

    assert [change(name) for name in ("x-ai/grok-4", "xai/xai/a", "Xai/b")] == [
        "grok-4", "xai/a", "Xai/b",
    ]  # fmt: skip


def test_call_and_result_keep_one_id_when_it_is_shortened():
    call = {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function"}, {"id": "abcDEF123"}, None],
    }
    result = {"role": "tool", "tool_call_id": "call_1", "content": ""}

    short = quirks.with_short_call_ids(call)["tool_calls"]

    assert quirks.CALL_ID.fullmatch(short[0]["id"])
    assert short[1:] == [{"id": "abcDEF123"}, None]
    assert quirks.with_short_call_ids(result)["tool_call_id"] == short[0]["id"]
    assert quirks.with_short_call_ids({"tool_calls": None}) == {"tool_calls": None}
    assert call["tool_calls"][0] == {"id": "call_1", "type": "function"}
