"""The providers that ship with a release: one row each, alphabetical. A row is a sentence you can review.

A provider that an operator adds at run time has no row here and follows the template of its wire.
"""

from collections.abc import Mapping
from types import MappingProxyType

from apps.catalog.providers.quirks import drop, messages, rename, when, without_name
from apps.catalog.providers.spec import (
    Bearer,
    Endpoint,
    Endpoints,
    HeaderKey,
    NoAuth,
    Operation,
    ProviderSpec,
    UsageConvention,
    Wire,
)

CHAT: Endpoints = {Operation.CHAT: (Endpoint(Wire.OPENAI_CHAT, "/chat/completions"),)}
CHAT_AND_RESPONSES: Endpoints = {
    Operation.CHAT: (
        Endpoint(Wire.OPENAI_CHAT, "/chat/completions"),
        Endpoint(Wire.OPENAI_RESPONSES, "/responses"),
    )
}
MESSAGES: Endpoints = {
    Operation.CHAT: (Endpoint(Wire.ANTHROPIC_MESSAGES, "/messages"),),
    Operation.COUNT_TOKENS: (Endpoint(Wire.ANTHROPIC_MESSAGES, "/messages/count_tokens"),),
}


def also(*operations: Operation) -> Endpoints:
    """OpenAI's other endpoints at their usual paths."""
    return {
        operation: (Endpoint(Wire.OPENAI_JSON, OPENAI_PATHS[operation]),)
        for operation in operations
    }


OPENAI_PATHS: Mapping[Operation, str] = {
    Operation.COMPLETIONS: "/completions",
    Operation.EMBEDDINGS: "/embeddings",
    Operation.IMAGES: "/images/generations",
    Operation.IMAGE_EDITS: "/images/edits",
    Operation.TRANSCRIPTION: "/audio/transcriptions",
    Operation.SPEECH: "/audio/speech",
    Operation.RERANK: "/rerank",
    Operation.MODERATION: "/moderations",
}

# https://platform.claude.com/docs/en/api/versioning, 2026-11-21: required, and this is the newest version.
ANTHROPIC_VERSION = {"anthropic-version": "2023-06-01"}

anthropic = ProviderSpec(
    slug="anthropic",
    name="Anthropic",
    base_url="https://api.anthropic.com/v1",
    auth=HeaderKey("x-api-key", "ANTHROPIC_API_KEY"),
    endpoints=MESSAGES,
    headers=ANTHROPIC_VERSION,
    usage=UsageConvention.CACHE_BESIDE_INPUT,
    priority=10,
    namespace="anthropic",
    price_book="anthropic",
    # Retired: the API answers 404. https://platform.claude.com/docs/en/about-claude/model-deprecations
    price_book_skip=("claude-2*", "claude-v1", "claude-3-*"),
    docs="https://platform.claude.com/docs/en/api/messages",
)

deepinfra = ProviderSpec(
    slug="deepinfra",
    name="DeepInfra",
    base_url="https://api.deepinfra.com/v1/openai",
    auth=Bearer("DEEPINFRA_API_KEY"),
    endpoints=CHAT,
    quirks=(
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The API page knows only max_tokens (2026-11-21, https://deepinfra.com/docs/openai_api).",
        ),
    ),
    priority=30,
    docs="https://deepinfra.com/docs/openai_api",
)

groq = ProviderSpec(
    slug="groq",
    name="Groq",
    base_url="https://api.groq.com/openai/v1",
    auth=Bearer("GROQ_API_KEY"),
    endpoints=CHAT,
    quirks=(
        drop(
            "logit_bias",
            "logprobs",
            "top_logprobs",
            reason="Answered with a 400 (2026-11-21, https://console.groq.com/docs/openai).",
        ),
        messages(
            "drop messages[].name",
            without_name,
            reason="Answered with a 400 (2026-11-21, https://console.groq.com/docs/openai).",
        ),
    ),
    priority=20,
    namespace="groq",
    price_book="groq",
    # Speech, classifiers, and retired models: https://console.groq.com/docs/deprecations
    price_book_skip=(
        "*orpheus*", "whisper*", "*guard*", "gemma*", "llama2*", "llama3-*", "llama-3.1-[47]*", "llama-3.2*",
        "*-specdec", "mistral-saba*", "mixtral*", "deepseek-r1*",
    ),
    docs="https://console.groq.com/docs/openai",
)  # fmt: skip

openai = ProviderSpec(
    slug="openai",
    name="OpenAI",
    base_url="https://api.openai.com/v1",
    auth=Bearer("OPENAI_API_KEY"),
    endpoints=CHAT,
    quirks=(
        when(
            "o[0-9]*",
            "gpt-[5-9]*",
            then=rename(
                "max_tokens",
                "max_completion_tokens",
                reason="Reasoning models answer max_tokens with a 400 "
                "(2026-11-21, https://platform.openai.com/docs/api-reference/chat/create).",
            ),
        ),
    ),
    priority=10,
    namespace="openai",
    price_book="openai",
    # Not chat completions (speech, images, embeddings, realtime, the Responses API only), not hosted there (open
    # weights), billed by other units, patterns instead of ids, or retired: https://platform.openai.com/docs/models
    price_book_skip=(
        "*-pro", "*-pro-20*", "*-high", "*-instruct*", "*audio*", "*codex*", "*deep-research*", "*image*", "*live*",
        "*realtime*", "*search*", "*transcribe*", "*tts*", "*vision*", "*:*", "*ft-", "ada", "babbage*",
        "chatgpt-4o-latest", "computer-use*", "curie", "davinci*", "gpt-3.5-0301", "gpt-3.5-turbo-0[36]*", "gpt-3.5-turbo-16k*", "gpt-35*", "gpt-4-32k*",
        "gpt-4-0314", "gpt-4.5*", "gpt-[5-9]-[1-9]*", "gpt-oss*", "moderation", "o1-mini*", "o1-preview*", "text-*",
        "whisper*",
    ),
    docs="https://platform.openai.com/docs/api-reference/chat",
)  # fmt: skip

openrouter = ProviderSpec(
    slug="openrouter",
    name="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    auth=Bearer("OPENROUTER_API_KEY"),
    endpoints=CHAT,
    priority=90,
    price_book="openrouter",
    # Batch jobs, and names that move from model to model.
    price_book_skip=("*:batch", "~*"),
    docs="https://openrouter.ai/docs/api-reference/chat-completion",
)

sandbox = ProviderSpec(
    slug="sandbox",
    name="Sandbox",
    base_url="{SANDBOX_URL}/v1",
    settings={"SANDBOX_URL": ""},
    auth=NoAuth(),
    # The sandbox takes any key but, as the providers it stands in for, wants one.
    headers={"authorization": "Bearer sandbox"},
    endpoints=CHAT,
    priority=100,
    is_sandbox=True,
    docs="https://platform.openai.com/docs/api-reference/chat",
)

sandbox_anthropic = ProviderSpec(
    slug="sandbox-anthropic",
    name="Sandbox (Anthropic wire)",
    base_url="{SANDBOX_URL}/v1",
    settings={"SANDBOX_URL": ""},
    auth=NoAuth(),
    headers={**ANTHROPIC_VERSION, "x-api-key": "sandbox"},
    endpoints=MESSAGES,
    usage=UsageConvention.CACHE_BESIDE_INPUT,
    priority=100,
    is_sandbox=True,
    docs="https://platform.claude.com/docs/en/api/messages",
)

together = ProviderSpec(
    slug="together",
    name="Together AI",
    base_url="https://api.together.xyz/v1",
    auth=Bearer("TOGETHER_API_KEY"),
    endpoints=CHAT,
    quirks=(
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The reference knows only max_tokens "
            "(2026-11-21, https://docs.together.ai/reference/chat-completions-1).",
        ),
    ),
    priority=30,
    price_book="together",
    # Base models, and generations before 2025: https://docs.together.ai/docs/deprecations
    price_book_skip=(
        "Austism/*", "Gryphe/*", "Nexusflow/*", "NousResearch/*", "Open-Orca/*", "Qwen/Qwen1.5*", "Undi95/*",
        "WizardLM/*", "allenai/*", "codellama/*", "deepseek-ai/deepseek-coder*", "garage-bAInd/*", "google/gemma-[27]b*",
        "lmsys/*", "meta-llama/Llama-[23]-*", "meta-llama/Meta-Llama-3*", "microsoft/*", "mistralai/Mi[sx]tral-*",
        "openchat/*", "snorkelai/*", "teknium/*", "togethercomputer/*", "upstage/SOLAR*", "zero-one-ai/*",
    ),
    docs="https://docs.together.ai/reference/chat-completions-1",
)  # fmt: skip


def by_slug(*specs: ProviderSpec) -> Mapping[str, ProviderSpec]:
    """Refuses two rows of one slug."""
    found = {spec.slug: spec for spec in specs}
    if len(found) != len(specs):
        raise ValueError("two provider rows share a slug")
    return MappingProxyType(found)


PROVIDERS: Mapping[str, ProviderSpec] = by_slug(
    anthropic,
    deepinfra,
    groq,
    openai,
    openrouter,
    sandbox,
    sandbox_anthropic,
    together,
)

GEMINI: Endpoints = {
    Operation.CHAT: (
        Endpoint(
            Wire.GEMINI,
            "/models/{model}:generateContent",
            stream_path="/models/{model}:streamGenerateContent?alt=sse",
        ),
    ),
}
CONVERSE: Endpoints = {
    Operation.CHAT: (
        Endpoint(
            Wire.BEDROCK_CONVERSE,
            "/model/{model}/converse",
            stream_path="/model/{model}/converse-stream",
        ),
    ),
}

# An operator's own provider: slug, name and address stand in its database row.
TEMPLATES: Mapping[Wire, ProviderSpec] = MappingProxyType(
    {
        Wire.OPENAI_CHAT: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints={**CHAT, **also(*OPENAI_PATHS)},
        ),
        Wire.OPENAI_RESPONSES: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints={Operation.CHAT: (Endpoint(Wire.OPENAI_RESPONSES, "/responses"),)},
        ),
        Wire.OPENAI_JSON: ProviderSpec(
            slug="", name="", base_url="", auth=Bearer(""), endpoints=also(*OPENAI_PATHS)
        ),
        Wire.ANTHROPIC_MESSAGES: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=HeaderKey("x-api-key", ""),
            endpoints=MESSAGES,
            headers=ANTHROPIC_VERSION,
            usage=UsageConvention.CACHE_BESIDE_INPUT,
        ),
        Wire.GEMINI: ProviderSpec(
            slug="", name="", base_url="", auth=HeaderKey("x-goog-api-key", ""), endpoints=GEMINI
        ),
        Wire.BEDROCK_CONVERSE: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints=CONVERSE,
            usage=UsageConvention.CACHE_BESIDE_INPUT,
        ),
    }
)


def spec_of(slug: str, wire: str) -> ProviderSpec:
    """The row of a slug, else the template of its wire."""
    return PROVIDERS.get(slug) or TEMPLATES[Wire(wire)]
