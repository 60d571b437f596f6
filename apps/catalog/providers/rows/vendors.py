"""American and European companies that serve their own models: the first place to ask for one."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    GEMINI,
    MESSAGES,
    OPENAI_PATHS,
    also,
    chat,
    chat_completions,
    messages,
    responses,
)
from apps.catalog.providers.quirks import (
    allow,
    drop,
    each_message,
    inside,
    model_name,
    omit,
    rename,
    when,
    with_short_call_ids,
    without,
    without_prefix,
)
from apps.catalog.providers.rows.anthropic_quirks import SIGNED_THINKING
from apps.catalog.providers.rows.claude_quirks import CLAUDE
from apps.catalog.providers.rows.google_quirks import GEMINI_QUIRKS
from apps.catalog.providers.rows.openai_quirks import (
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    RESPONSES_ONLY,
    SYSTEM_ROLE,
)
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

anthropic = ProviderSpec(
    slug="anthropic",
    name="Anthropic",
    base_url="https://api.anthropic.com/v1",
    auth=HeaderKey("x-api-key", "ANTHROPIC_API_KEY"),
    endpoints=MESSAGES,
    headers=ANTHROPIC_VERSION,
    quirks=(*CLAUDE, SIGNED_THINKING),
    # Claude goes on from a message of its own up to 4.5; from 4.6 on that is a 400.
    # https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6#prefill-removal
    prefill=(
        "claude-3*",
        "claude-*-4-0",
        "claude-*-4-2025*",
        "claude-opus-4-1*",
        "claude-*-4-5*",
    ),
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="anthropic",
    price_book="anthropic",
    # Retired: the API answers 404. https://platform.claude.com/docs/en/about-claude/model-deprecations
    price_book_skip=("claude-2*", "claude-v1", "claude-3-*"),
    # Commercial products: not used for training by default; nothing is kept only where that was agreed on (2026-11-21).
    data_policy=DataPolicy(
        page="https://privacy.claude.com/en/articles/7996868-is-my-data-used-for-model-training",
        collects=False,
        keeps_nothing=False,
    ),
    docs="https://platform.claude.com/docs/en/api/messages",
)

COHERE_PAGE = "https://docs.cohere.com/docs/compatibility-api"

cohere = ProviderSpec(
    slug="cohere",
    name="Cohere",
    base_url="https://api.cohere.ai/compatibility/v1",
    auth=Bearer("COHERE_API_KEY"),
    endpoints={
        **chat(
            chat_completions(
                rename(
                    "max_completion_tokens",
                    "max_tokens",
                    reason=f"The page knows only max_tokens (2026-11-21, {COHERE_PAGE}).",
                ),
                drop(
                    "store",
                    "metadata",
                    "logit_bias",
                    "top_logprobs",
                    "n",
                    "modalities",
                    "prediction",
                    "audio",
                    "service_tier",
                    "parallel_tool_calls",
                    reason=f"Listed as unsupported (2026-11-21, {COHERE_PAGE}).",
                ),
                allow(
                    "reasoning_effort",
                    "none",
                    "high",
                    reason=f"Only these two are supported (2026-11-21, {COHERE_PAGE}).",
                ),
            )
        ),
        Operation.EMBEDDINGS: (
            Endpoint(
                Wire.OPENAI_JSON,
                "/embeddings",
                quirks=(
                    drop(
                        "dimensions",
                        "user",
                        reason=f"Listed as unsupported (2026-11-21, {COHERE_PAGE}).",
                    ),
                ),
            ),
        ),
        # The company's own API, beside the compatible one: https://docs.cohere.com/reference/rerank
        Operation.RERANK: (
            Endpoint(Wire.OPENAI_JSON, "/rerank", base_url="https://api.cohere.com/v2"),
        ),
    },
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="cohere",
    # The price book has families (command-a) where the API wants releases (command-a-03-2025).
    docs=COHERE_PAGE,
)

google_ai_studio = ProviderSpec(
    slug="google-ai-studio",
    name="Google AI Studio",
    # The compatible endpoints under /openai want the key as a bearer token, and lose what Gemini's own format says.
    base_url="https://generativelanguage.googleapis.com/v1beta",
    auth=HeaderKey("x-goog-api-key", "GEMINI_API_KEY"),
    endpoints=GEMINI,
    quirks=GEMINI_QUIRKS,
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="google",
    price_book="google",
    # Sound, images and vectors; retired; other companies' models, which only Vertex has.
    price_book_skip=(
        "claude-*", "gemma-[23]*", "gemini-1*", "gemini-2.0*", "gemini-flash-*", "gemini-pro*", "*-tts*", "*live*",
        "*image*", "*embedding*", "*banana*", "*omni*", "*robotics*", "*-maas",
    ),
    docs="https://ai.google.dev/api/generate-content",
)  # fmt: skip

META_RULES = "https://ocaml.org/p/chatoyant/latest/doc/src/chatoyant.provider/meta.ml.html"
META_EFFORTS = ("minimal", "low", "medium", "high", "xhigh")
META_NO_NONE = f"It always reasons: none is answered with a 400 (2026-11-21, {META_RULES})."
META_AUTO = f"Anything else is answered with a 400 (2026-11-21, {META_RULES})."

meta = ProviderSpec(
    slug="meta",
    name="Meta Model API",
    base_url="https://api.meta.ai/v1",
    auth=Bearer("META_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            allow("reasoning_effort", *META_EFFORTS, reason=META_NO_NONE),
            allow("tool_choice", "auto", reason=META_AUTO),
            drop("stop", reason=f"Not supported (2026-11-21, {META_RULES})."),
        ),
        responses(
            inside("reasoning", then=allow("effort", *META_EFFORTS, reason=META_NO_NONE)),
            allow("tool_choice", "auto", reason=META_AUTO),
        ),
        messages(),
    ),
    quirks=(
        model_name(
            "strip meta/",
            without_prefix("meta/"),
            reason="Requests carry the bare id (2026-11-21, https://docs.litellm.ai/docs/providers/meta).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    timeouts=Timeouts(first_content=30.0, reasoning=120.0),
    priority=10,
    namespace="meta",
    price_book="meta",
    # What "contributor" stands for: Meta may train on the requests.
    price_book_skip=("*-contributor", "muse-wonder*"),
    docs="https://dev.meta.ai/docs/protocols/chat-completions",
)

MISTRAL_STRICT = "https://github.com/editor-code-assistant/eca/issues/231"

mistral = ProviderSpec(
    slug="mistral",
    name="Mistral AI",
    base_url="https://api.mistral.ai/v1",
    auth=Bearer("MISTRAL_API_KEY"),
    endpoints={
        **chat(
            chat_completions(SYSTEM_ROLE,
                rename(
                    "max_completion_tokens",
                    "max_tokens",
                    reason=f"Answered with a 422, extra_forbidden (2026-11-21, {MISTRAL_STRICT}).",
                ),
                rename(
                    "seed",
                    "random_seed",
                    reason="Its own name for it "
                    "(2026-11-21, https://reference.langchain.com/javascript/langchain-mistralai/MistralAIInput).",
                ),
                drop(
                    "logit_bias",
                    "logprobs",
                    "top_logprobs",
                    "store",
                    "user",
                    "safety_identifier",
                    "prompt_cache_retention",
                    "verbosity",
                    reason=f"What it does not know it answers with a 422 (2026-11-21, {MISTRAL_STRICT}).",
                ),
                omit(
                    "stream_options",
                    reason="Unknown to it, and usage comes with the last record of every stream, unasked "
                    f"(2026-11-21, {MISTRAL_STRICT}).",
                ),
                each_message(
                    "drop messages[].reasoning_content",
                    without("reasoning_content"),
                    reason="Answered with a 422, extra_forbidden "
                    "(2026-11-21, https://github.com/charmbracelet/crush/issues/1590).",
                ),
                each_message(
                    "tool call ids of nine letters and digits",
                    with_short_call_ids,
                    reason="Others are answered with a 400 "
                    "(2026-11-21, https://github.com/langchain-ai/langchain/pull/24668).",
                ),
            )
        ),
        **also(Operation.EMBEDDINGS, Operation.TRANSCRIPTION, Operation.MODERATION),
    },
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="mistralai",
    price_book="mistral",
    # Vectors, documents and sound; other hosts' spellings, and families without a release.
    price_book_skip=(
        "*:free", "*embed*", "*-ocr*", "*transcribe*", "voxtral*", "codestral", "devstral-small", "magistral-*",
        "ministral-[38]b", "mistral-7b", "mistral-large", "mistral-nemo", "mistral-saba", "mistral-tiny", "mixtral*",
        "pixtral*", "mistral-small-24b*", "mistral-small-3*", "mistral-medium-2312",
    ),
    # Kept unless zero retention was asked for and granted; training depends on the plan (2026-11-21).
    data_policy=DataPolicy(
        page="https://docs.mistral.ai/admin/monitor-comply/zero-data-retention", keeps_nothing=False
    ),
    docs="https://docs.mistral.ai/api/endpoint/chat",
)  # fmt: skip

openai = ProviderSpec(
    slug="openai",
    name="OpenAI",
    base_url="https://api.openai.com/v1",
    auth=Bearer("OPENAI_API_KEY"),
    endpoints={
        **chat(
            chat_completions(*OPENAI_CHAT, except_models=RESPONSES_ONLY),
            responses(*OPENAI_RESPONSES),
        ),
        **also(*(operation for operation in OPENAI_PATHS if operation is not Operation.RERANK)),
    },
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="openai",
    price_book="openai",
    # Not conversations (speech, images, vectors, realtime), charged by searches too, not hosted there (open weights),
    # billed by other units, patterns instead of ids, or retired: https://platform.openai.com/docs/models
    price_book_skip=(
        "*-high", "*-instruct*", "*audio*", "codex-mini", "*deep-research*", "*image*", "*live*",
        "*realtime*", "*search*", "*transcribe*", "*tts*", "*vision*", "*:*", "*ft-", "ada", "babbage*",
        "chatgpt-4o-latest", "computer-use*", "curie", "davinci*", "gpt-3.5-0301", "gpt-3.5-turbo-0[36]*", "gpt-3.5-turbo-16k*", "gpt-35*", "gpt-4-32k*",
        "gpt-4-0314", "gpt-4.5*", "gpt-[5-9]-[1-9]*", "gpt-oss*", "moderation", "o1-mini*", "o1-preview*", "text-*",
        "whisper*",
    ),
    # Not used for training unless one opts in; logs against abuse are kept for up to 30 days (2026-11-21).
    data_policy=DataPolicy(
        page="https://developers.openai.com/api/docs/guides/your-data", collects=False, keeps_nothing=False
    ),
    docs="https://platform.openai.com/docs/api-reference/chat",
)  # fmt: skip

perplexity = ProviderSpec(
    slug="perplexity",
    name="Perplexity",
    # Chat completions ended on 2026-09-27; the Agent API speaks OpenAI's Responses.
    # https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview
    base_url="https://api.perplexity.ai/v1",
    auth=Bearer("PERPLEXITY_API_KEY"),
    endpoints={**chat(responses()), **also(Operation.EMBEDDINGS)},
    tier=Tier.DOCUMENTED,
    # It searches before it answers.
    timeouts=Timeouts(first_content=60.0, reasoning=300.0, idle=60.0),
    priority=10,
    price_book="perplexity",
    # The Agent API's names have an organisation; the others ended with chat completions, or are no conversation.
    price_book_skip=("sonar*", "r1-*", "llama-*", "pplx-*"),
    docs="https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/how-to",
)

XAI_REASONING = "https://docs.x.ai/docs/guides/reasoning"
XAI_NO_EFFORT = ("*-non-reasoning", "grok-4.20*", "grok-4", "grok-4-*", "grok-3", "grok-3-fast")
XAI_EFFORT = (
    "These refuse it: whether they reason is in their name "
    "(2026-11-21, https://github.com/vercel/ai/releases/tag/@ai-sdk%2Fxai@4.0.8)."
)

xai = ProviderSpec(
    slug="xai",
    name="xAI",
    base_url="https://api.x.ai/v1",
    auth=Bearer("XAI_API_KEY"),
    endpoints={
        # Its Anthropic format is deprecated, so it is left out.
        **chat(
            chat_completions(
                when(
                    "grok-3-mini*",
                    "grok-4",
                    "grok-4[-.]*",
                    "grok-[5-9]*",
                    unless="*-non-reasoning",
                    then=drop(
                        "presence_penalty",
                        "frequency_penalty",
                        "stop",
                        reason=f"Reasoning models answer them with a 400 (2026-11-21, {XAI_REASONING}).",
                    ),
                ),
                when(*XAI_NO_EFFORT, then=drop("reasoning_effort", reason=XAI_EFFORT)),
            ),
            responses(
                when(
                    *XAI_NO_EFFORT, then=inside("reasoning", then=drop("effort", reason=XAI_EFFORT))
                ),
            ),
        ),
        **also(Operation.IMAGES),
    },
    quirks=(
        model_name(
            "strip x-ai/ and xai/",
            without_prefix("x-ai/", "xai/"),
            reason="Requests carry the bare id (2026-11-21, https://docs.x.ai/docs/models).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    timeouts=Timeouts(first_content=20.0, reasoning=120.0),
    priority=10,
    namespace="x-ai",
    price_book="x-ai",
    # Voices; retired; several models at once, which only the Responses API serves.
    price_book_skip=("grok-2*", "*voice*", "*multi-agent*"),
    # Never used for training without permission; kept for 30 days unless the team has zero retention (2026-11-21).
    data_policy=DataPolicy(
        page="https://docs.x.ai/docs/faq/security", collects=False, keeps_nothing=False
    ),
    docs=XAI_REASONING,
)

ROWS = (anthropic, cohere, google_ai_studio, meta, mistral, openai, perplexity, xai)
