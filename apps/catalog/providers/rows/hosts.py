"""Companies that host open models."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    also,
    chat,
    chat_completions,
    messages,
    responses,
)
from apps.catalog.providers.quirks import (
    default,
    drop,
    each_message,
    model_name,
    rename,
    when,
    without_empty_tool_calls,
    without_name,
)
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.claude_quirks import SAMPLING
from apps.catalog.providers.rows.openai_quirks import ONLY_OPENAIS, SYSTEM_ROLE
from apps.catalog.providers.spec import (
    Bearer,
    DataPolicy,
    Endpoint,
    HeaderKey,
    Operation,
    ProviderSpec,
    Tier,
    Timeouts,
    Wire,
)

# Models that nobody has asked for lately are loaded first.
COLD_START = Timeouts(first_content=60.0, first_content_last=300.0, reasoning=180.0, idle=60.0)

# Hearsay: that there are no other endpoints.
canopywave = ProviderSpec(
    slug="canopywave",
    name="Canopy Wave",
    base_url="https://inference.canopywave.io/v1",
    auth=Bearer("CANOPYWAVE_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    priority=40,
    docs="https://huggingface.co/spaces/CanopyWave/README",
)

cerebras = ProviderSpec(
    slug="cerebras",
    name="Cerebras",
    base_url="https://api.cerebras.ai/v1",
    auth=Bearer("CEREBRAS_API_KEY"),
    endpoints={
        **chat(
            chat_completions(
                SYSTEM_ROLE,
                ONLY_OPENAIS,
                drop(
                    "frequency_penalty",
                    "presence_penalty",
                    "logit_bias",
                    "parallel_tool_calls",
                    "service_tier",
                    reason="Answered with a 400; logprobs are not any more "
                    "(2026-11-21, https://hexdocs.pm/req_llm/cerebras.html).",
                ),
                when(
                    "qwen*",
                    then=default(
                        "reasoning_format",
                        "parsed",
                        reason="Else the reasoning of these stands in the text, between tags. To switch it off with "
                        "disable_reasoning was for GLM and ended on 2026-07-21 "
                        "(2026-11-21, https://inference-docs.cerebras.ai/capabilities/reasoning).",
                    ),
                ),
            )
        ),
        **also(Operation.COMPLETIONS),
    },
    tier=Tier.DOCUMENTED,
    priority=20,
    namespace="cerebras",
    price_book="cerebras",
    docs="https://inference-docs.cerebras.ai/resources/openai",
)

clarifai = ProviderSpec(
    slug="clarifai",
    name="Clarifai",
    # A model goes by its address at clarifai.com, or by what follows the host there.
    base_url="https://api.clarifai.com/v2/ext/openai/v1",
    auth=Bearer("CLARIFAI_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    tier=Tier.DOCUMENTED,
    priority=40,
    docs="https://docs.clarifai.com/compute/inference/open-ai",
)

deepinfra = ProviderSpec(
    slug="deepinfra",
    name="DeepInfra",
    base_url="https://api.deepinfra.com/v1/openai",
    auth=Bearer("DEEPINFRA_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(
            Operation.COMPLETIONS,
            Operation.EMBEDDINGS,
            Operation.IMAGES,
            Operation.SPEECH,
            Operation.TRANSCRIPTION,
        ),
    },
    quirks=(
        SAMPLING,
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The API page knows only max_tokens (2026-11-21, https://deepinfra.com/docs/openai_api).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://deepinfra.com/docs/openai_api",
)

fal = ProviderSpec(
    slug="fal",
    name="fal",
    # Its own format for pictures, video and sound has no wire here; its router speaks OpenAI's.
    base_url="https://fal.run/openrouter/router/openai/v1",
    # The word before the key is its own.
    auth=HeaderKey("authorization", "FAL_API_KEY", scheme="Key"),
    endpoints={**chat(chat_completions(SYSTEM_ROLE), responses()), **also(Operation.EMBEDDINGS)},
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://fal.ai/models/openrouter/router/api",
)

featherless = ProviderSpec(
    slug="featherless",
    name="Featherless",
    base_url="https://api.featherless.ai/v1",
    auth=Bearer("FEATHERLESS_API_KEY"),
    endpoints={
        **chat(
            chat_completions(
                SYSTEM_ROLE,
                each_message(
                    "drop empty messages[].tool_calls",
                    without_empty_tool_calls,
                    reason="Reported: null is refused, though OpenAI's own clients send it "
                    "(2026-11-21, https://featherless.ai/docs/quickstart-guide).",
                ),
            )
        ),
        **also(Operation.COMPLETIONS),
    },
    timeouts=COLD_START,
    # Hearsay: the quirk.
    priority=50,
    docs="https://featherless.ai/docs/quickstart-guide",
)

fireworks = ProviderSpec(
    slug="fireworks",
    name="Fireworks AI",
    base_url="https://api.fireworks.ai/inference/v1",
    auth=Bearer("FIREWORKS_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE), responses(), messages()),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.RERANK),
    },
    quirks=(
        model_name(
            "lower case",
            str.lower,
            reason="Resource names are in lower case "
            "(2026-11-21, https://docs.fireworks.ai/tools-sdks/anthropic-compatibility).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=30,
    # The price book has short names (glm-5p3) where the API wants accounts/fireworks/models/glm-5p3; a name that was
    # put together by a rule may be another account's model.
    # Open models, which is all that it serves here: neither logged nor stored without an opt-in (2026-11-21).
    # Its Responses would store; the gateway always says store: false.
    data_policy=DataPolicy(
        page="https://docs.fireworks.ai/guides/security_compliance/data_security",
        collects=False,
        keeps_nothing=True,
    ),
    docs="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
)

groq = ProviderSpec(
    slug="groq",
    name="Groq",
    base_url="https://api.groq.com/openai/v1",
    auth=Bearer("GROQ_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE, ONLY_OPENAIS), responses()),
        **also(Operation.TRANSCRIPTION, Operation.SPEECH),
    },
    quirks=(
        drop(
            "logit_bias",
            "logprobs",
            "top_logprobs",
            reason="Answered with a 400 (2026-11-21, https://console.groq.com/docs/openai).",
        ),
        each_message(
            "drop messages[].name",
            without_name,
            reason="Answered with a 400 (2026-11-21, https://console.groq.com/docs/openai).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=20,
    namespace="groq",
    price_book="groq",
    # Speech, classifiers, and retired models: https://console.groq.com/docs/deprecations
    price_book_skip=(
        "*orpheus*", "whisper*", "*guard*", "gemma*", "llama2*", "llama3-*", "llama-3.1-[47]*", "llama-3.2*",
        "*-specdec", "mistral-saba*", "mixtral*", "deepseek-r1*",
    ),
    # Kept only to mend failures and against abuse, unless one has set zero retention; of training the page says nothing (2026-11-21).
    data_policy=DataPolicy(
        page="https://console.groq.com/docs/your-data", keeps_nothing=False
    ),
    docs="https://console.groq.com/docs/openai",
)  # fmt: skip

nebius = ProviderSpec(
    slug="nebius",
    name="Nebius Token Factory",
    base_url="https://api.tokenfactory.nebius.com/v1",
    auth=Bearer("NEBIUS_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.IMAGES),
    },
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://docs.tokenfactory.nebius.com/api-reference/introduction",
)

novita = ProviderSpec(
    slug="novita",
    name="Novita AI",
    # /v3/openai, where it was before, is answered too.
    base_url="https://api.novita.ai/openai/v1",
    auth=Bearer("NOVITA_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.RERANK),
    },
    tier=Tier.DOCUMENTED,
    priority=30,
    price_book="novita",
    # Pictures, and documents to be read.
    price_book_skip=("ming-image*", "*ocr*"),
    balance=balances.NOVITA,
    docs="https://novita.ai/docs/guides/llm-api",
)

nvidia = ProviderSpec(
    slug="nvidia",
    name="NVIDIA NIM",
    base_url="https://integrate.api.nvidia.com/v1",
    auth=Bearer("NVIDIA_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(Operation.COMPLETIONS),
        Operation.EMBEDDINGS: (
            Endpoint(
                Wire.OPENAI_JSON,
                "/embeddings",
                quirks=(
                    default(
                        "input_type",
                        "query",
                        reason="Models that embed questions and passages differently refuse a request without it "
                        "(2026-11-21, https://docs.nvidia.com/nim/nemo-retriever/text-embedding/1.13.0/reference.html).",
                    ),
                ),
            ),
        ),
    },
    quirks=(
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The references know only max_tokens "
            "(2026-11-21, https://docs.api.nvidia.com/nim/reference/).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=30,
    docs="https://docs.api.nvidia.com/nim/reference/",
)

sambanova = ProviderSpec(
    slug="sambanova",
    name="SambaNova",
    base_url="https://api.sambanova.ai/v1",
    auth=Bearer("SAMBANOVA_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.TRANSCRIPTION),
    },
    tier=Tier.DOCUMENTED,
    priority=25,
    docs="https://docs.sambanova.ai/docs/en/features/openai-compatibility",
)

simplismart = ProviderSpec(
    slug="simplismart",
    name="Simplismart",
    base_url="https://api.simplismart.live",
    auth=Bearer("SIMPLISMART_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    tier=Tier.DOCUMENTED,
    priority=40,
    docs="https://docs.simplismart.ai/quickstart/inference",
)

# Hearsay: that there are no other endpoints.
sybil = ProviderSpec(
    slug="sybil",
    name="Sybil",
    base_url="https://api.sybil.com/v1",
    auth=Bearer("SYBIL_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    priority=50,
    docs="https://docs.sybil.com/",
)

together = ProviderSpec(
    slug="together",
    name="Together AI",
    base_url="https://api.together.ai/v1",
    auth=Bearer("TOGETHER_API_KEY"),
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE)),
        **also(
            Operation.COMPLETIONS,
            Operation.EMBEDDINGS,
            Operation.IMAGES,
            Operation.SPEECH,
            Operation.TRANSCRIPTION,
            Operation.RERANK,
        ),
    },
    quirks=(
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The reference knows only max_tokens "
            "(2026-11-21, https://docs.together.ai/reference/chat-completions-1).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=30,
    price_book="together",
    # Base models, and generations before 2025: https://docs.together.ai/docs/deprecations
    price_book_skip=(
        "Austism/*", "Gryphe/*", "Nexusflow/*", "NousResearch/*", "Open-Orca/*", "Qwen/Qwen1.5*", "Undi95/*",
        "WizardLM/*", "allenai/*", "codellama/*", "deepseek-ai/deepseek-coder*", "garage-bAInd/*", "google/gemma-[27]b*",
        "lmsys/*", "meta-llama/Llama-[23]-*", "meta-llama/Meta-Llama-3*", "microsoft/*", "mistralai/Mi[sx]tral-*",
        "openchat/*", "snorkelai/*", "teknium/*", "togethercomputer/*", "upstage/SOLAR*", "zero-one-ai/*",
    ),
    # Stored, and may be used for product improvements, until the organisation turns that off (2026-11-21).
    data_policy=DataPolicy(
        page="https://docs.together.ai/docs/zero-data-retention", collects=True, keeps_nothing=False
    ),
    docs="https://docs.together.ai/reference/chat-completions-1",
)  # fmt: skip

ROWS = (
    canopywave, cerebras, clarifai, deepinfra, fal, featherless, fireworks, groq, nebius, novita, nvidia, sambanova,
    simplismart, sybil, together,
)  # fmt: skip
