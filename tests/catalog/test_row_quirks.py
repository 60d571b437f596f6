"""What each provider's dialect needs, fact by fact: bodies as they reach the provider, and what the client is told it lost."""

import re

import pytest

from apps.catalog.providers.quirks import apply_quirks
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import Operation, Wire, endpoint_of

HELLO = [{"role": "user", "content": "Hello"}]


def sent(slug, model, *, operation=Operation.CHAT, wire=Wire.OPENAI_CHAT, **body):
    """The body after the row's quirks without its model, and the names of what was dropped."""
    spec = PROVIDERS[slug]
    endpoint = endpoint_of(spec.endpoints, operation, model, wire)
    assert endpoint is not None
    changed, dropped = apply_quirks({"model": model, **body}, (*spec.quirks, *endpoint.quirks))
    return {name: value for name, value in changed.items() if name != "model"}, set(dropped)


def chat_endpoint(slug, model, wire=Wire.OPENAI_CHAT):
    endpoint = endpoint_of(PROVIDERS[slug].endpoints, Operation.CHAT, model, wire)
    assert endpoint is not None
    return endpoint


def model_sent(slug, model):
    spec = PROVIDERS[slug]
    return apply_quirks({"model": model}, spec.quirks)[0]["model"]


@pytest.mark.parametrize(
    ("slug", "model", "given", "received"),
    [
        ("azure-openai", "gpt-5-mini", "max_tokens", "max_completion_tokens"),
        ("cloudflare-workers-ai", "@cf/meta/x", "max_completion_tokens", "max_tokens"),
        ("cohere", "command-a-03-2025", "max_completion_tokens", "max_tokens"),
        ("deepinfra", "meta-llama/x", "max_completion_tokens", "max_tokens"),
        ("deepseek", "deepseek-flash", "max_completion_tokens", "max_tokens"),
        ("huggingface", "zai-org/GLM-5.1", "max_completion_tokens", "max_tokens"),
        ("mistral", "mistral-large-2512", "max_completion_tokens", "max_tokens"),
        ("moonshot", "kimi-k3", "max_tokens", "max_completion_tokens"),
        ("nvidia", "meta/x", "max_completion_tokens", "max_tokens"),
        ("openai", "gpt-4o", "max_tokens", "max_tokens"),
        ("openai", "gpt-5.1", "max_tokens", "max_completion_tokens"),
        ("openai", "o3-mini", "max_tokens", "max_completion_tokens"),
        ("openrouter", "openai/o3", "max_tokens", "max_tokens"),
        ("together", "meta-llama/x", "max_completion_tokens", "max_tokens"),
        ("xiaomi", "mimo-v2.5-pro", "max_tokens", "max_completion_tokens"),
        ("zai", "glm-5.1", "max_completion_tokens", "max_tokens"),
    ],
)
def test_output_limit_has_the_name_the_provider_knows_when_sent(slug, model, given, received):
    body, dropped = sent(slug, model, **{given: 100})

    assert body[received] == 100
    assert received == given or given not in body
    assert dropped == set()


@pytest.mark.parametrize("slug", ["moonshot", "xiaomi"])
def test_output_limit_keeps_its_name_when_anthropics_format_is_spoken(slug):
    body, _ = sent(slug, "m", wire=Wire.ANTHROPIC_MESSAGES, max_tokens=100)

    assert body["max_tokens"] == 100


@pytest.mark.parametrize("slug", ["openai", "azure-openai"])
@pytest.mark.parametrize(
    ("model", "given", "received"),
    [
        ("o3-mini", "minimal", "low"),
        ("o1", "none", "low"),
        ("o4-mini", "xhigh", "high"),
        ("o4-mini", "medium", "medium"),
        ("gpt-5", "minimal", "minimal"),
        ("gpt-5-mini", "none", "minimal"),
        ("gpt-5-mini", "xhigh", "high"),
        ("gpt-5.1", "none", "none"),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.4", "max", "xhigh"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-6-sol", "minimal", "low"),
        ("gpt-6-sol", "none", "none"),
        ("gpt-6-sol", "max", "max"),
        ("gpt-6-astra", "none", "low"),
        ("gpt-4o", "low", None),
        ("gpt-5-chat-latest", "low", None),
        ("gpt-3.5-turbo", "low", None),
    ],
)
def test_openai_effort_is_one_the_model_knows_on_both_wires(slug, model, given, received):
    if chat_endpoint(slug, model).wire is Wire.OPENAI_CHAT:
        body, dropped = sent(slug, model, reasoning_effort=given)
        assert body.get("reasoning_effort") == received
        assert dropped == (set() if received else {"reasoning_effort"})

    body, dropped = sent(slug, model, wire=Wire.OPENAI_RESPONSES, reasoning={"effort": given})

    assert body == ({"reasoning": {"effort": received}} if received else {})
    assert dropped == (set() if received else {"reasoning.effort"})


@pytest.mark.parametrize("wire", [Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES])
@pytest.mark.parametrize(
    ("model", "effort", "keeps"),
    [
        ("o3", None, False), ("gpt-5-mini", None, False), ("gpt-5-chat-latest", None, True), ("gpt-4o", None, True),
        ("gpt-5.2", None, True), ("gpt-5.2", "none", True), ("gpt-5.2", "low", False),
        ("gpt-6-luna", None, False), ("gpt-6-luna", "none", True), ("gpt-6.1-sol", "none", False),
    ],
)  # fmt: skip
def test_openai_models_lose_sampling_while_they_reason(wire, model, effort, keeps):
    is_chat = chat_endpoint("openai", model, wire).wire is Wire.OPENAI_CHAT
    said = {"reasoning_effort": effort} if is_chat else {"reasoning": {"effort": effort}}
    sampling = {"temperature": 0, "top_p": 0.5}

    for slug in ("openai", "azure-openai"):
        body, dropped = sent(slug, model, wire=wire, **sampling, **(said if effort else {}))

        assert {name: body[name] for name in sampling if name in body} == (
            sampling if keeps else {}
        )
        assert dropped == (set() if keeps else set(sampling))


def test_other_hosts_of_responses_lose_there_what_they_lose_in_chat():
    effort = {"reasoning": {"effort": "none"}}

    assert sent("xai", "grok-4", wire=Wire.OPENAI_RESPONSES, **effort)[1] == {"reasoning.effort"}
    assert sent("meta", "muse", wire=Wire.OPENAI_RESPONSES, **effort)[1] == {"reasoning.effort"}
    assert sent("moonshot", "kimi-k3", wire=Wire.OPENAI_RESPONSES, top_p=0.5) == ({}, {"top_p"})
    assert sent("minimax", "M", wire=Wire.OPENAI_RESPONSES, temperature=2)[0] == {"temperature": 1}


def test_openai_o_series_loses_sampling_when_sent():
    sampling = {"temperature": 0, "top_p": 1, "presence_penalty": 0, "logprobs": True}

    assert sent("openai", "o3", **sampling) == ({}, set(sampling))
    assert sent("openai", "gpt-4o", **sampling) == (sampling, set())


@pytest.mark.parametrize(
    "model", ["gpt-5-pro", "gpt-5.3-codex", "o3-pro", "o3-deep-research", "gpt-6-luna"]
)
def test_openai_pro_and_codex_go_to_responses_when_chat_is_asked(model):
    for slug in ("openai", "azure-openai"):
        endpoint = endpoint_of(PROVIDERS[slug].endpoints, Operation.CHAT, model, Wire.OPENAI_CHAT)
        assert endpoint is not None
        assert endpoint.wire is Wire.OPENAI_RESPONSES


def test_groq_loses_what_it_refuses_when_sent():
    given = {
        "messages": [{**HELLO[0], "name": "Ann"}],
        "logprobs": True,
        "logit_bias": {},
        "seed": 1,
    }

    assert sent("groq", "m", **given) == (
        {"messages": HELLO, "seed": 1},
        {"logprobs", "logit_bias"},
    )


@pytest.mark.parametrize(
    ("slug", "lost"),
    [
        ("alibaba", {"logit_bias", "logprobs", "top_logprobs"}),
        ("alibaba-china", {"logit_bias", "logprobs", "top_logprobs"}),
        ("cerebras", {"logit_bias", "parallel_tool_calls"}),
        ("cohere", {"logit_bias", "top_logprobs", "n", "parallel_tool_calls"}),
        ("deepseek", {"logit_bias", "n"}),
        ("minimax", {"logit_bias", "logprobs", "top_logprobs", "n"}),
        ("mistral", {"logit_bias", "logprobs", "top_logprobs"}),
        ("moonshot", {"logit_bias", "logprobs", "top_logprobs", "n"}),
        ("xiaomi", {"logit_bias", "logprobs", "top_logprobs", "n"}),
        ("zai", {"logit_bias", "logprobs", "top_logprobs", "n"}),
    ],
)
def test_unknown_parameters_go_and_are_named_when_sent(slug, lost):
    rare = {
        "logit_bias": {},
        "logprobs": True,
        "top_logprobs": 2,
        "n": 2,
        "parallel_tool_calls": True,
    }

    body, dropped = sent(slug, "m", **rare)

    assert dropped == lost
    assert set(body) == set(rare) - lost


def test_cerebras_qwen_reasoning_is_parsed_when_nothing_is_said():
    assert sent("cerebras", "qwen-3.8-27b")[0] == {"reasoning_format": "parsed"}
    assert sent("cerebras", "qwen-3-32b", reasoning_format="raw")[0] == {"reasoning_format": "raw"}
    assert sent("cerebras", "gpt-oss-120b")[0] == {}


def test_cerebras_is_not_told_disable_reasoning_when_nothing_is_said():
    """The toggle was GLM's and has ended; the sheet put it into every request to Qwen."""
    assert "disable_reasoning" not in sent("cerebras", "qwen-3-32b")[0]


@pytest.mark.parametrize(
    ("model", "loses"),
    [
        ("grok-4.7", True), ("grok-4.3", True), ("grok-4-0709", True), ("grok-3-mini", True),
        ("grok-5", True), ("grok-3", False),
        ("grok-4.20-non-reasoning", False),
        ("grok-4-1-fast-non-reasoning", False), ("grok-code-fast-1", False),
    ],
)  # fmt: skip
def test_xai_reasoning_models_lose_penalties_and_stop_when_sent(model, loses):
    given = {"presence_penalty": 1, "frequency_penalty": 1, "stop": ["."]}

    assert sent("xai", model, **given)[1] == (set(given) if loses else set())


@pytest.mark.parametrize(
    ("model", "received"),
    [
        ("grok-4.3", "high"), ("grok-3-mini", "high"), ("grok-4.7", "high"),
        ("grok-4.20-reasoning", None), ("grok-4-1-fast-non-reasoning", None), ("grok-4", None),
    ],
)  # fmt: skip
def test_xai_effort_goes_where_a_model_refuses_it(model, received):
    assert sent("xai", model, reasoning_effort="high")[0].get("reasoning_effort") == received


def test_xai_is_not_told_to_reason_when_nothing_is_said():
    """The sheet's ``reasoning: {enabled}`` is no parameter of xAI's; grok decides by its name and its effort."""
    assert sent("xai", "grok-4.3") == ({}, set())


def test_featherless_loses_tool_calls_that_are_null_when_sent():
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
    empty = {"role": "assistant", "content": "Hi", "tool_calls": None}

    body, dropped = sent("featherless", "Qwen/Qwen3-32B", messages=[call, empty])

    assert body == {"messages": [call, {"role": "assistant", "content": "Hi"}]}
    assert dropped == set()


def test_hugging_face_gets_only_what_its_page_lists_when_sent():
    kept = {
        "messages": HELLO, "stream": True, "stream_options": {}, "tools": [], "tool_choice": "auto",
        "response_format": {}, "stop": ["."], "seed": 1, "reasoning_effort": "low",
    }  # fmt: skip

    assert sent("huggingface", "Qwen/Qwen3-32B", **kept, user="u", store=True) == (
        kept,
        {"user", "store"},
    )


def test_hugging_face_leaves_the_host_to_the_router_when_no_suffix_is_given():
    assert model_sent("huggingface", "Qwen/Qwen3-32B") == "Qwen/Qwen3-32B"
    assert model_sent("huggingface", "Qwen/Qwen3-32B:hf-inference") == "Qwen/Qwen3-32B:hf-inference"


@pytest.mark.parametrize(
    ("slug", "role"),
    [
        ("openrouter", "system"), ("deepseek", "system"), ("mistral", "system"), ("cerebras", "system"),
        ("vllm", "system"), ("chutes", "system"), ("huggingface", "system"), ("openai", "developer"),
        ("azure-openai", "developer"), ("cohere", "developer"),
    ],
)  # fmt: skip
def test_role_is_one_the_host_knows_when_the_client_says_developer(slug, role):
    body, _ = sent(slug, "org/m", messages=[{"role": "developer", "content": "Be brief"}])

    assert body["messages"] == [{"role": role, "content": "Be brief"}]


def test_openrouter_may_ask_hosts_that_collect_data_when_nothing_is_said():
    assert sent("openrouter", "openai/o3")[0] == {"provider": {"data_collection": "allow"}}


@pytest.mark.parametrize(
    ("slug", "model", "received"),
    [
        ("aimo", "9wzDX:Some/Model-X", "9wzDX:Some/Model-X"),
        ("clarifai", "openai/chat-completion/models/gpt-oss-120b", "openai/chat-completion/models/gpt-oss-120b"),
        ("featherless", "Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("fireworks", "accounts/fireworks/models/GLM-5p3", "accounts/fireworks/models/glm-5p3"),
        ("meta", "meta/muse-spark-1.3", "muse-spark-1.3"),
        ("minimax", "MiniMax-M2.7", "MiniMax-M2.7"),
        ("moonshot", "moonshotai/kimi-k3", "kimi-k3"),
        ("moonshot", "moonshot/kimi-k3", "kimi-k3"),
        ("near", "zai-org/GLM-5.1-FP8", "zai-org/GLM-5.1-FP8"),
        ("onerouter", "gpt-4o@2024-08-06", "gpt-4o@2024-08-06"),
        ("openrouter", "openrouter/auto", "openrouter/auto"),
        ("openrouter", "openrouter/qwen/qwen3-32b", "qwen/qwen3-32b"),
        ("together", "Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("xai", "x-ai/grok-4.3", "grok-4.3"),
        ("xai", "xai/grok-4.3", "grok-4.3"),
        ("zai", "GLM-5.3", "glm-5.3"),
    ],
)  # fmt: skip
def test_name_travels_as_the_provider_spells_it_when_sent(slug, model, received):
    assert model_sent(slug, model) == received


@pytest.mark.parametrize(("given", "received"), [(0, 1), (5, 5), (100_000, 65_535)])
@pytest.mark.parametrize("slug", ["google-vertex", "google-ai-studio"])
def test_gemini_output_is_within_its_range_when_sent(slug, given, received):
    body, _ = sent(
        slug, "gemini-3-pro", wire=Wire.GEMINI, generationConfig={"maxOutputTokens": given}
    )

    assert body == {"generationConfig": {"maxOutputTokens": received}}


@pytest.mark.parametrize("slug", ["google-vertex", "google-ai-studio"])
@pytest.mark.parametrize(
    ("model", "budget", "received"),
    [
        ("gemini-2.5-pro", 0, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", 64_000, {"thinkingBudget": 32_768}),
        ("gemini-2.5-pro", -1, {"thinkingBudget": -1}),
        ("gemini-2.5-flash", 0, {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", 100, {"thinkingBudget": 512}),
        ("gemini-3.1-pro-preview", 0, {"thinkingLevel": "LOW"}),
        ("gemini-3.5-flash-lite", 0, {"thinkingLevel": "LOW"}),
        ("gemini-3.5-flash", 8192, {"thinkingBudget": 8192}),
    ],
)
def test_gemini_thinks_as_little_as_it_can_when_told_not_to(slug, model, budget, received):
    config = {"thinkingConfig": {"thinkingBudget": budget}}

    body, dropped = sent(slug, model, wire=Wire.GEMINI, generationConfig=config)

    assert body["generationConfig"]["thinkingConfig"] == received
    assert dropped == set()


def call(name, **fields):
    return {"functionCall": {"name": name, "args": {}}, **fields}


def result(name):
    return {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {}}}]}


OLD_TURN = [
    {"role": "user", "parts": [{"text": "Earlier"}]},
    {"role": "model", "parts": [call("old")]},
    result("old"),
    {"role": "model", "parts": [{"text": "Done"}]},
]
SIGNED = {"role": "model", "parts": [call("signed", thoughtSignature="c2ln")]}


@pytest.mark.parametrize("slug", ["google-vertex", "google-ai-studio"])
@pytest.mark.parametrize(
    ("model", "is_signed"),
    [("gemini-3-pro-preview", True), ("gemini-flash-latest", True), ("gemini-2.5-pro", False)],
)
def test_gemini_3_gets_a_stand_in_for_the_signatures_of_this_turn_when_another_model_called(
    slug, model, is_signed
):
    asked = {"parts": [{"text": "Now"}]}
    steps = [
        {"role": "model", "parts": [{"text": "I call"}, call("a"), call("b")]},
        result("a"),
        SIGNED,
        result("signed"),
    ]
    contents = [*OLD_TURN, asked, *steps]

    body, dropped = sent(slug, model, wire=Wire.GEMINI, contents=contents)

    if is_signed:
        stand_in = call("a", thoughtSignature="skip_thought_signature_validator")
        steps[0] = {"role": "model", "parts": [{"text": "I call"}, stand_in, call("b")]}
    assert body == {"contents": [*OLD_TURN, asked, *steps]}
    assert dropped == set()


USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
UNSIGNED = {"type": "thinking", "thinking": "hm", "signature": ""}


def said(*blocks):
    return {"role": "assistant", "content": list(blocks)}


@pytest.mark.parametrize(
    ("slug", "model"),
    [("anthropic", "claude-sonnet-4-5"), ("google-vertex", "claude-sonnet-4-5@20250929")],
)
@pytest.mark.parametrize(
    ("messages", "received", "keeps_thinking"),
    [
        ([*HELLO, said(THOUGHT, USE)], [*HELLO, said(THOUGHT, USE)], True),
        ([*HELLO, said(UNSIGNED, USE)], [*HELLO, said(USE)], False),
        ([*HELLO, said(USE)], [*HELLO, said(USE)], False),
        ([said(UNSIGNED), *HELLO], HELLO, True),
        ([said(UNSIGNED, {"type": "text", "text": "a"})], [said({"type": "text", "text": "a"})], True),
        ([{"role": "assistant", "content": "a"}], [{"role": "assistant", "content": "a"}], True),
    ],
)  # fmt: skip
def test_claude_gets_no_thinking_that_nobody_signed(
    slug, model, messages, received, keeps_thinking
):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    given = {"messages": messages, "thinking": thinking}

    body, dropped = sent(slug, model, wire=Wire.ANTHROPIC_MESSAGES, **given)

    assert body["messages"] == received
    assert body.get("thinking") == (thinking if keeps_thinking else None)
    assert dropped == (set() if keeps_thinking else {"thinking"})


@pytest.mark.parametrize("slug", ["anthropic", "google-vertex"])
def test_claude_counts_no_thinking_that_nobody_signed(slug):
    body, _ = sent(
        slug,
        "claude-sonnet-4-5",
        operation=Operation.COUNT_TOKENS,
        wire=Wire.ANTHROPIC_MESSAGES,
        messages=[said(UNSIGNED, USE)],
    )

    assert body["messages"] == [said(USE)]


def test_claude_thinks_on_when_it_decides_itself():
    """https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking: earlier answers need not begin with thinking."""
    adaptive = {"type": "adaptive"}

    body, _ = sent(
        "anthropic",
        "claude-opus-4-7",
        wire=Wire.ANTHROPIC_MESSAGES,
        messages=[said(USE)],
        thinking=adaptive,
    )

    assert body["thinking"] == adaptive


@pytest.mark.parametrize(
    ("model", "where"),
    [
        ("gemini-2.5-flash", ""),
        ("gemini-2.5-flash-preview-09-2025", "/locations/global"),
        ("gemini-3.1-flash-lite", "/locations/global"),
        ("gemini-4-argon", "/locations/global"),
    ],
)
def test_vertex_asks_the_global_place_when_a_model_is_only_there(model, where):
    endpoint = endpoint_of(
        PROVIDERS["google-vertex"].endpoints, Operation.CHAT, model, Wire.OPENAI_CHAT
    )

    assert endpoint is not None
    assert endpoint.base_url.endswith(where)
    assert bool(endpoint.base_url) == bool(where)


def test_vertex_claude_has_its_version_in_the_body_when_sent():
    model = "claude-sonnet-4-5@20250929"

    assert sent("google-vertex", model, wire=Wire.ANTHROPIC_MESSAGES, max_tokens=5)[0] == {
        "max_tokens": 5,
        "anthropic_version": "vertex-2023-10-16",
    }
    assert "anthropic_version" not in sent("google-vertex", "gemini-2.5-pro")[0]


def test_mistral_seed_has_its_own_name_when_sent():
    assert sent("mistral", "mistral-large-2512", seed=7) == ({"random_seed": 7}, set())


def test_mistral_is_not_asked_for_usage_when_streamed():
    given = {"stream": True, "stream_options": {"include_usage": True}}

    assert sent("mistral", "mistral-large-2512", **given) == ({"stream": True}, set())


def test_mistral_call_ids_and_reasoning_are_as_it_wants_when_a_conversation_is_sent():
    calls = [{"id": "call_abc", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    history = [
        {"role": "assistant", "content": "", "reasoning_content": "Hm", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_abc", "content": "1"},
    ]

    first, second = sent("mistral", "mistral-large-2512", messages=history)[0]["messages"]

    assert "reasoning_content" not in first
    assert len(first["tool_calls"][0]["id"]) == 9
    assert first["tool_calls"][0]["id"] == second["tool_call_id"]


def test_cohere_knows_two_efforts_when_sent():
    assert sent("cohere", "m", reasoning_effort="none") == ({"reasoning_effort": "none"}, set())
    assert sent("cohere", "m", reasoning_effort="low") == ({}, {"reasoning_effort"})


def test_cohere_embeddings_lose_dimensions_when_sent():
    given = {"input": ["a"], "dimensions": 256, "user": "u"}

    assert sent(
        "cohere", "embed-v4.0", operation=Operation.EMBEDDINGS, wire=Wire.OPENAI_JSON, **given
    ) == (
        {"input": ["a"]},
        {"dimensions", "user"},
    )


def test_nvidia_embeddings_say_what_the_text_is_when_the_client_does_not():
    found, _ = sent(
        "nvidia",
        "nvidia/nv-embedqa",
        operation=Operation.EMBEDDINGS,
        wire=Wire.OPENAI_JSON,
        input="a",
    )

    assert found == {"input": "a", "input_type": "query"}


def test_kimi_loses_sampling_when_sent():
    given = {"temperature": 0.2, "top_p": 0.5, "presence_penalty": 1}

    assert sent("moonshot", "kimi-k3", **given) == ({}, set(given))
    assert sent("moonshot", "moonshot-v1-8k", **given) == (given, set())


@pytest.mark.parametrize(
    ("slug", "given", "received"),
    [("minimax", 2, 1), ("minimax", 0, 0.01), ("zai", 1.5, 1), ("zai", 0, 0), ("openai", 2, 2)],
)
def test_temperature_is_within_the_providers_range_when_sent(slug, given, received):
    assert sent(slug, "m", temperature=given)[0] == {"temperature": received}


def test_meta_always_reasons_and_chooses_tools_itself_when_sent():
    given = {"reasoning_effort": "none", "tool_choice": "required", "stop": "."}

    assert sent("meta", "muse-spark-1.3", **given) == ({}, set(given))
    assert sent("meta", "muse-spark-1.3", reasoning_effort="low", tool_choice="auto")[1] == set()


def test_near_is_not_told_an_effort_when_sent():
    assert sent("near", "zai-org/GLM-5.1", reasoning_effort="low") == ({}, {"reasoning_effort"})


def test_perplexity_is_asked_on_its_agent_api_when_chat_is_asked():
    endpoint = endpoint_of(
        PROVIDERS["perplexity"].endpoints, Operation.CHAT, "perplexity/sonar", Wire.OPENAI_CHAT
    )

    assert endpoint is not None
    assert (endpoint.wire, endpoint.path) == (Wire.OPENAI_RESPONSES, "/responses")


@pytest.mark.parametrize("slug", ["openai", "azure-openai"])
@pytest.mark.parametrize(
    ("model", "include", "sent_include"),
    [
        ("gpt-4o", ["reasoning.encrypted_content"], None),
        ("gpt-4.1-mini", ["file_search_call.results", "reasoning.encrypted_content"], ["file_search_call.results"]),
        ("gpt-5", ["reasoning.encrypted_content"], ["reasoning.encrypted_content"]),
        ("o3", ["reasoning.encrypted_content"], ["reasoning.encrypted_content"]),
    ],
)  # fmt: skip
def test_encrypted_reasoning_is_asked_only_of_models_that_reason(
    slug, model, include, sent_include
):
    body, dropped = sent(slug, model, wire=Wire.OPENAI_RESPONSES, input="x", include=include)

    assert body.get("include") == sent_include
    assert dropped == set()


@pytest.mark.parametrize(
    ("slug", "received"),
    [
        ("alibaba", "qwen-plus"),
        ("alibaba-china", "qwen-plus"),
        ("aihubmix", "gpt-4o-mini"),
        ("anannas", "openai/gpt-4o-mini"),
        ("vercel-ai-gateway", "openai/gpt-4o-mini"),
        ("huggingface", "meta-llama/Llama-3.3-70B-Instruct"),
        ("google-vertex", "gemini-2.5-flash"),
        ("openrouter", "openrouter/auto"),
    ],
)
def test_openrouters_router_is_a_model_of_the_hosts_own_elsewhere(slug, received):
    assert model_sent(slug, "openrouter/auto") == received


@pytest.mark.parametrize(
    ("stream", "verb"), [(False, ":generateContent"), (True, ":streamGenerateContent?alt=sse")]
)
def test_openrouters_router_is_flash_in_the_address_at_vertex(stream, verb):
    endpoint = chat_endpoint("google-vertex", "openrouter/auto", Wire.GEMINI)
    thinking = {"thinkingConfig": {"thinkingBudget": 99_999}}

    path = endpoint.path_for("openrouter/auto", stream=stream)
    quirks = (*PROVIDERS["google-vertex"].quirks, *endpoint.quirks)
    body, dropped = apply_quirks({"model": "openrouter/auto", "generationConfig": thinking}, quirks)

    assert path == f"/publishers/google/models/gemini-2.5-flash{verb}"
    assert body == {"generationConfig": {"thinkingConfig": {"thinkingBudget": 24_576}}}
    assert dropped == ()


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "accounts/fireworks/models/glm-5p3",
        "@cf/meta/llama-3.3-70b",
        "anthropic/claude-opus-5",
        "google/gemini-2.5-pro",
        "openai/gpt-5",
        "x-ai/grok-4",
    ],
)
@pytest.mark.parametrize("wire", [Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES])
def test_hugging_face_is_not_asked_for_what_has_no_weights_there(model, wire):
    endpoints = PROVIDERS["huggingface"].endpoints

    assert endpoint_of(endpoints, Operation.CHAT, model, wire) is None
    for open_model in ("Qwen/Qwen3-32B", "openai/gpt-oss-120b:groq", "google/gemma-4-31b-it"):
        assert endpoint_of(endpoints, Operation.CHAT, open_model, wire) is not None


@pytest.mark.parametrize("slug", ["alibaba", "alibaba-china"])
def test_alibaba_rests_a_quarter_of_an_hour_after_quota_and_after_a_key_of_the_other_region(slug):
    rests = PROVIDERS[slug].rests

    assert {rest.seconds for rest in rests} == {900}
    assert all(re.search(r"\(\d{4}-\d{2}-\d{2}, https://\S+\)", rest.reason) for rest in rests)
