"""What each generation of Claude is told about thinking and sampling, from any surface and at any host."""

import json

import pytest
from django.conf import settings

from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.rows.claude_quirks import SAMPLING, generation_of
from apps.catalog.providers.spec import Operation, Wire, auth_headers, endpoint_of
from apps.inference.translated import TranslatedLane

MESSAGE = {"role": "user", "content": "Hello"}
CHAT = {"model": "m", "messages": [MESSAGE], "max_tokens": 20_000}


def received(slug, model, body, *, client=Wire.OPENAI_CHAT):
    """The body that arrives for a client's, and what the client is told that it lost."""
    spec = PROVIDERS[slug]
    endpoint = endpoint_of(spec.endpoints, Operation.CHAT, model, client)
    assert endpoint is not None
    lane = TranslatedLane(client, endpoint.wire, body)
    sent = lane.outgoing(model, endpoint, (*spec.quirks, *endpoint.quirks))
    return json.loads(sent.body), {*lane.dropped, *sent.dropped}


ADAPTIVE = {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "sent_effort"),
    [
        ("claude-opus-4-7", "high", ADAPTIVE, "high"),
        ("claude-opus-4-8", "xhigh", ADAPTIVE, "xhigh"),
        ("claude-sonnet-5", "minimal", ADAPTIVE, "low"),
        ("claude-opus-5-5", "max", ADAPTIVE, "max"),
        ("claude-fable-5-1", "medium", ADAPTIVE, "medium"),
        ("claude-haiku-5-5", "low", ADAPTIVE, "low"),
        ("claude-sonnet-4-6", "xhigh", ADAPTIVE, "high"),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 16384}, "high"),
        ("claude-sonnet-4-5", "medium", {"type": "enabled", "budget_tokens": 4096}, None),
        ("claude-haiku-4-5-20251001", "low", {"type": "enabled", "budget_tokens": 1024}, None),
        ("claude-opus-4-5", "none", {"type": "disabled"}, None),
        ("claude-opus-4-8", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
    ],
)
@pytest.mark.parametrize("slug", ["anthropic", "google-vertex", "azure-openai"])
def test_effort_is_what_the_generation_takes(slug, model, effort, thinking, sent_effort):
    body, lost = received(slug, model, {**CHAT, "reasoning_effort": effort})

    assert body["thinking"] == thinking
    assert body.get("output_config", {}).get("effort") == sent_effort
    assert lost == set()


@pytest.mark.parametrize("model", ["claude-fable-5", "claude-mythos-5-1", "claude-opus-5-5"])
def test_least_effort_is_asked_where_thinking_cannot_be_switched_off(model):
    body, lost = received("anthropic", model, {**CHAT, "reasoning_effort": "none"})

    assert "thinking" not in body
    assert body["output_config"] == {"effort": "low"}
    assert lost == {"reasoning_effort"}


def test_budget_that_does_not_fit_is_named_in_the_clients_words():
    given = {**CHAT, "max_tokens": 1000, "reasoning_effort": "high"}

    body, lost = received("anthropic", "claude-sonnet-4-5", given)

    assert body.keys().isdisjoint({"thinking", "output_config"})
    assert lost == {"reasoning_effort"}


@pytest.mark.parametrize(
    ("client", "given", "lost"),
    [
        (Wire.OPENAI_RESPONSES, {"model": "m", "input": "x", "reasoning": {"effort": "high"}}, set()),
        (
            Wire.GEMINI,
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}},
            set(),
        ),
    ],
)  # fmt: skip
def test_effort_of_every_surface_is_adaptive_for_new_models(client, given, lost):
    body, told = received("anthropic", "claude-opus-4-7", {"model": "m", **given}, client=client)

    assert body["thinking"] == ADAPTIVE
    assert body["output_config"] == {"effort": "high"}
    assert told == lost


@pytest.mark.parametrize(
    ("model", "keeps"),
    [
        ("claude-opus-4-7", set()),
        ("claude-sonnet-5", set()),
        ("claude-haiku-5-5", set()),
        ("claude-fable-5", set()),
        ("claude-opus-4-6", {"temperature"}),
        ("claude-opus-4-1-20250805", {"temperature"}),
        ("claude-haiku-4-5", {"temperature"}),
        ("claude-opus-4-20250514", {"temperature", "top_p"}),
    ],
)
def test_sampling_that_the_generation_refuses_goes_and_is_named(model, keeps):
    sampling = {"temperature": 0.5, "top_p": 0.5}

    body, lost = received("anthropic", model, {**CHAT, **sampling})

    assert sampling.keys() & body.keys() == keeps
    assert lost == sampling.keys() - keeps


@pytest.mark.parametrize("slug", ["anthropic", "google-vertex", "openrouter", "vercel-ai-gateway"])
def test_own_clients_budget_becomes_adaptive_where_it_would_be_refused(slug):
    given = {
        "model": "m",
        "max_tokens": 9000,
        "messages": [MESSAGE],
        "thinking": {"type": "enabled", "budget_tokens": 5000, "display": "summarized"},
        "top_k": 5,
    }
    model = "claude-opus-4.7" if slug in ("openrouter", "vercel-ai-gateway") else "claude-opus-4-7"

    body, lost = received(slug, model, given, client=Wire.ANTHROPIC_MESSAGES)

    assert body["thinking"]["type"] == "adaptive"
    assert body["output_config"] == {"effort": "medium"}
    assert "top_k" not in body
    assert lost == {"thinking", "top_k"}


def test_own_clients_body_stays_where_it_is_taken():
    given = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "thinking": {"type": "enabled", "budget_tokens": 5000},
        "temperature": 1,
        "output_config": {"effort": "max"},
    }

    body, lost = received("anthropic", "claude-sonnet-4-6", given, client=Wire.ANTHROPIC_MESSAGES)

    assert body == given
    assert lost == set()


def test_no_effort_above_high_goes_with_thoughts_switched_off():
    given = {
        "model": "m",
        "max_tokens": 9000,
        "messages": [MESSAGE],
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "max"},
    }

    body, _ = received("anthropic", "claude-opus-5", given, client=Wire.ANTHROPIC_MESSAGES)

    assert body["output_config"] == {"effort": "high"}


@pytest.mark.parametrize(
    ("model", "fields", "config", "effort", "lost"),
    [
        ("global.anthropic.claude-opus-4-7", {"thinking": ADAPTIVE}, {}, "high", {"temperature"}),
        (
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
            {"thinking": {"type": "enabled", "budget_tokens": 16384}},
            {},
            None,
            {"temperature"},
        ),
        ("us.amazon.nova-pro-v1:0", {}, {"temperature": 0.5}, "high", set()),
    ],
)
def test_converse_is_told_the_same(model, fields, config, effort, lost):
    given = {**CHAT, "reasoning_effort": "high", "temperature": 0.5}

    body, told = received("aws-bedrock", model, given)

    assert body.get("additionalModelRequestFields", {}) == fields
    assert body["inferenceConfig"] == {"maxTokens": 20_000, **config}
    assert body.get("outputConfig", {}).get("effort") == effort
    assert told == lost


def test_converse_thinks_of_no_tool_that_must_be_called():
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    given = {**CHAT, "reasoning_effort": "high", "tools": [tool], "tool_choice": "required"}

    body, _ = received("aws-bedrock", "global.anthropic.claude-opus-4-7", given)

    assert "additionalModelRequestFields" not in body


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("anthropic/claude-4.5-sonnet", "claude-sonnet-4-5"),
        ("claude-opus4-7", "claude-opus-4-7"),
        ("claude-opus-4-7@default", "claude-opus-4-7"),
        ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
    ],
)
def test_generation_is_known_in_every_hosts_spelling(name, other):
    assert generation_of(name) is generation_of(other)
    assert generation_of(name) is not None


@pytest.mark.parametrize(
    "client", [Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES]
)
def test_claude_at_azure_is_asked_where_microsoft_serves_it(client):
    spec = PROVIDERS["azure-openai"]
    endpoint = endpoint_of(spec.endpoints, Operation.CHAT, "claude-opus-4-7", client)

    assert endpoint is not None
    assert endpoint.base_url.endswith(".services.ai.azure.com/anthropic/v1")
    assert endpoint.path == "/messages"
    assert auth_headers(spec.auth, "k") == {"api-key": "k", "x-api-key": "k"}
    assert "anthropic-version" in spec.headers


def test_models_that_are_no_claude_have_no_generation():
    assert generation_of("gpt-5.5") is None
    assert generation_of("claude-3-5-haiku-20241022") is None


def test_every_host_of_claude_in_the_seed_knows_what_it_samples_by():
    """Its chat completions have the three by the same names, and what is passed on to Anthropic is refused there."""
    lines = (settings.BASE_DIR / "apps/catalog/seeds/models.jsonl").read_text().splitlines()
    hosts = {
        entry["provider"]: entry["upstream"]
        for entry in map(json.loads, lines)
        if (found := generation_of(entry["upstream"])) and found.refused
    }

    unaware = [
        slug
        for slug, model in hosts.items()
        for endpoint in PROVIDERS[slug].endpoints[Operation.CHAT]
        if endpoint.serves(model)
        and not any(
            quirk.name.startswith(SAMPLING.name)
            for quirk in (*PROVIDERS[slug].quirks, *endpoint.quirks)
        )
    ]

    assert hosts
    assert sorted(set(unaware)) == []
