"""The combinators, and the quirks that ship."""

import copy

import pytest

from apps.catalog.providers import quirks
from apps.catalog.providers.registry import PROVIDERS

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
            quirks.messages("drop names", quirks.without_name),
            {"messages": HELLO},
            {"messages": [{"role": "user", "content": "Hello"}]},
        ),
        (quirks.messages("drop names", quirks.without_name), {"messages": 3}, {"messages": 3}),
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


@pytest.mark.parametrize(
    ("slug", "model", "sent", "received"),
    [
        ("openai", "o3-mini", "max_tokens", "max_completion_tokens"),
        ("openai", "gpt-5.1", "max_tokens", "max_completion_tokens"),
        ("openai", "gpt-4o", "max_tokens", "max_tokens"),
        ("openrouter", "openai/o3", "max_tokens", "max_tokens"),
        ("deepinfra", "meta-llama/x", "max_completion_tokens", "max_tokens"),
        ("together", "meta-llama/x", "max_completion_tokens", "max_tokens"),
    ],
)
def test_output_limit_has_the_name_the_provider_knows_when_sent(slug, model, sent, received):
    body, dropped = quirks.apply_quirks({"model": model, sent: 100}, PROVIDERS[slug].quirks)

    assert body == {"model": model, received: 100}
    assert dropped == ()


def test_groq_loses_what_it_refuses_when_sent():
    sent = {"model": "m", "messages": HELLO, "logprobs": True, "logit_bias": {}, "seed": 1}

    body, dropped = quirks.apply_quirks(sent, PROVIDERS["groq"].quirks)

    assert body == {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "seed": 1}
    assert set(dropped) == {"logprobs", "logit_bias"}
