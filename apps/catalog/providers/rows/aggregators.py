"""Companies that pass requests on to others, as we do: asked last, since a vendor's own offering comes first."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    OPENAI_PATHS,
    also,
    chat,
    chat_completions,
    messages,
    responses,
)
from apps.catalog.providers.quirks import (
    default,
    keep,
    model_name,
    rename,
    stand_in_for_auto,
    without_router_prefix,
)
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.claude_quirks import CLAUDE, SAMPLING
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import (
    Bearer,
    HeaderKey,
    Operation,
    ProviderSpec,
    Tier,
    Timeouts,
)

aihubmix = ProviderSpec(
    slug="aihubmix",
    name="AiHubMix",
    base_url="https://aihubmix.com/v1",
    auth=Bearer("AIHUBMIX_API_KEY"),
    endpoints={
        **chat(chat_completions(), messages(*CLAUDE)),
        **also(Operation.EMBEDDINGS, Operation.IMAGES, Operation.RERANK),
    },
    # Optional: a discount for the application that the code stands for.
    settings={"AIHUBMIX_APP_CODE": ""},
    headers={**ANTHROPIC_VERSION, "app-code": "{AIHUBMIX_APP_CODE}"},
    # Hearsay: the header, pictures and rerank.
    quirks=(SAMPLING, stand_in_for_auto("gpt-4o-mini")),
    priority=80,
    docs="https://docs.aihubmix.com/en/api/Aihubmix-Integration",
)

# Names are <provider's public key>:<model>, and travel as they are: the bare model means nothing there.
# Hearsay: the bearer token. What else calls it signs in with a wallet.
aimo = ProviderSpec(
    slug="aimo",
    name="AIMO",
    base_url="https://beta.aimo.network/api/v1",
    auth=Bearer("AIMO_API_KEY"),
    endpoints=chat(chat_completions()),
    priority=85,
    docs="https://docs.aimo.network/",
)

anannas = ProviderSpec(
    slug="anannas",
    name="Anannas",
    base_url="https://api.anannas.ai/v1",
    auth=Bearer("ANANNAS_API_KEY"),
    endpoints=chat(chat_completions()),
    quirks=(SAMPLING, stand_in_for_auto("openai/gpt-4o-mini")),
    tier=Tier.DOCUMENTED,
    priority=80,
    docs="https://docs.pipecat.ai/api-reference/server/services/llm/anannas",
)

helicone = ProviderSpec(
    slug="helicone",
    name="Helicone AI Gateway",
    base_url="https://ai-gateway.helicone.ai/v1",
    auth=Bearer("HELICONE_API_KEY"),
    endpoints=chat(chat_completions(), responses()),
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=80,
    docs="https://developers.llamaindex.ai/python/examples/llm/helicone",
)

HUGGING_FACE_TASK = "https://huggingface.co/docs/inference-providers/tasks/chat-completion"

HUGGING_FACE_NAMES = ("*/*",)
FOREIGN_NAMES = (
    "*/*/*", "@*", "anthropic/*", "google/gemini-*", "openai/gpt-[0-9]*", "openai/o[0-9]*", "x-ai/*",
)  # fmt: skip
"""Of other hosts, and of models without open weights: a model there is ``organisation/name``, with its weights."""

hugging_face = ProviderSpec(
    slug="huggingface",
    name="Hugging Face",
    base_url="https://router.huggingface.co/v1",
    auth=Bearer("HUG_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            rename(
                "max_completion_tokens",
                "max_tokens",
                reason=f"The page knows only max_tokens (2026-11-21, {HUGGING_FACE_TASK}).",
            ),
            keep(
                "model",
                "messages",
                "max_tokens",
                "temperature",
                "top_p",
                "frequency_penalty",
                "presence_penalty",
                "logprobs",
                "top_logprobs",
                "response_format",
                "seed",
                "stop",
                "stream",
                "stream_options",
                "tools",
                "tool_choice",
                "reasoning_effort",
                reason="What the page lists, and reasoning_effort, which the guide to gpt-oss has. A model without a "
                "suffix goes to the fastest host; :hf-inference, once put behind every name, would allow only one "
                f"(2026-11-21, {HUGGING_FACE_TASK}).",
            ),
            models=HUGGING_FACE_NAMES,
            except_models=FOREIGN_NAMES,
        ),
        responses(models=HUGGING_FACE_NAMES, except_models=FOREIGN_NAMES),
        messages(models=HUGGING_FACE_NAMES, except_models=FOREIGN_NAMES),
    ),
    quirks=(stand_in_for_auto("meta-llama/Llama-3.3-70B-Instruct"),),
    timeouts=Timeouts(first_content=60.0, first_content_last=300.0, reasoning=180.0, idle=60.0),
    tier=Tier.DOCUMENTED,
    priority=70,
    docs="https://huggingface.co/docs/inference-providers/index",
)

# Hearsay: all of it. It was known as a list of models only, so its address is a variable.
modelz = ProviderSpec(
    slug="modelz",
    name="Modelz",
    base_url="{MODELZ_BASE_URL}",
    settings={"MODELZ_BASE_URL": ""},
    auth=Bearer("MODELZ_API_KEY"),
    endpoints=chat(chat_completions()),
    priority=95,
    docs="https://backend.alpacanetwork.ai/api/tokens",
)

# Names may end with @ and a version. Hearsay: the address, which is all that is known.
onerouter = ProviderSpec(
    slug="onerouter",
    name="Infron AI",
    base_url="https://llm.infron.ai/v1",
    auth=Bearer("ONEROUTER_API_KEY"),
    endpoints=chat(chat_completions()),
    quirks=(SAMPLING,),
    priority=80,
    docs="https://infron.ai/docs",
)

openrouter = ProviderSpec(
    slug="openrouter",
    name="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    auth=Bearer("OPENROUTER_API_KEY"),
    settings={"OPENROUTER_SITE_URL": "", "OPENROUTER_APP_NAME": "Gatewayz"},
    headers={
        **ANTHROPIC_VERSION,
        "http-referer": "{OPENROUTER_SITE_URL}",
        "x-title": "{OPENROUTER_APP_NAME}",
    },
    endpoints={
        **chat(chat_completions(), responses(), messages(*CLAUDE)),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS),
    },
    quirks=(
        SAMPLING,
        model_name(
            "strip openrouter/ before an organisation",
            without_router_prefix,
            reason="Its own models, as openrouter/auto, keep it "
            "(2026-11-21, https://openrouter.ai/docs/api-reference/overview).",
        ),
        SYSTEM_ROLE,
        default(
            "provider",
            {"data_collection": "allow"},
            reason="Also hosts that keep what they are sent; the operator's account can forbid it "
            "(2026-11-21, https://openrouter.ai/docs/api-reference/overview).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=90,
    price_book="openrouter",
    # Batch jobs, and names that move from model to model.
    price_book_skip=("*:batch", "~*"),
    balance=balances.OPENROUTER,
    docs="https://openrouter.ai/docs/api-reference/overview",
)

portkey = ProviderSpec(
    slug="portkey",
    name="Portkey",
    # Models go by @provider/model; the providers are set up in Portkey's own catalogue.
    base_url="https://api.portkey.ai/v1",
    auth=HeaderKey("x-portkey-api-key", "PORTKEY_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(), responses(), messages(*CLAUDE)),
        **also(*(operation for operation in OPENAI_PATHS if operation is not Operation.RERANK)),
    },
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://portkey.ai/docs/product/ai-gateway/universal-api",
)

vercel = ProviderSpec(
    slug="vercel-ai-gateway",
    name="Vercel AI Gateway",
    base_url="https://ai-gateway.vercel.sh/v1",
    auth=Bearer("VERCEL_AI_GATEWAY_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(), responses(), messages(*CLAUDE)),
        **also(Operation.EMBEDDINGS),
    },
    quirks=(SAMPLING, stand_in_for_auto("openai/gpt-4o-mini")),
    tier=Tier.DOCUMENTED,
    priority=80,
    balance=balances.VERCEL,
    docs="https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions",
)

ROWS = (
    aihubmix, aimo, anannas, helicone, hugging_face, modelz, onerouter, openrouter, portkey, vercel,
)  # fmt: skip
