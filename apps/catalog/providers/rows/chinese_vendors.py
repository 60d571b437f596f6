"""Chinese companies that serve their own models, most of them in Anthropic's format too, at an address beside."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    also,
    chat,
    chat_completions,
    messages,
    responses,
)
from apps.catalog.providers.quirks import (
    clamp,
    drop,
    model_name,
    rename,
    stand_in_for_auto,
    when,
    without_prefix,
)
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import Bearer, Operation, ProviderSpec, Rest, Tier, Timeouts

ALIBABA_QUIRKS = (
    stand_in_for_auto("qwen-plus"),
    drop(
        "logit_bias",
        "logprobs",
        "top_logprobs",
        reason="Reported as refused "
        "(2026-11-21, https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages).",
    ),
)

ALIBABA_ERRORS = "https://help.aliyun.com/en/model-studio/error-code-start"

ALIBABA_RESTS = (
    Rest(
        says=(
            "insufficient_quota",
            "allocationquota",
            "allocated quota exceeded",
            "exceeded your current quota",
            "free tier",
            "arrearage",
        ),
        seconds=900,
        reason=f"Quota and credit do not come back by asking again (2026-11-22, {ALIBABA_ERRORS}).",
    ),
    Rest(
        says=("invalidapikey", "invalid_api_key", "incorrect api key"),
        seconds=900,
        reason="A key is valid in one region: the other's row, which took the request over, is asked first from then on "
        f"(2026-11-22, {ALIBABA_ERRORS}).",
    ),
)

alibaba = ProviderSpec(
    slug="alibaba",
    name="Alibaba Cloud (international)",
    base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    auth=Bearer("ALIBABA_CLOUD_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(
            chat_completions(SYSTEM_ROLE),
            responses(
                base_url="https://dashscope-intl.aliyuncs.com/api/v2/apps/protocols/compatible-mode/v1"
            ),
            messages(base_url="https://dashscope-intl.aliyuncs.com/apps/anthropic/v1"),
        ),
        **also(Operation.EMBEDDINGS),
    },
    # Hearsay: the quirks. The reference could not be read.
    quirks=ALIBABA_QUIRKS,
    rests=ALIBABA_RESTS,
    tier=Tier.COMMUNITY,
    priority=10,
    namespace="qwen",
    docs="https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages",
)

# A row of its own, since a key is valid in one region: where it is refused, the other region's offering is asked next.
alibaba_china = ProviderSpec(
    slug="alibaba-china",
    name="Alibaba Cloud (China)",
    base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
    auth=Bearer("ALIBABA_CLOUD_API_KEY_CHINA"),
    endpoints={**chat(chat_completions(SYSTEM_ROLE)), **also(Operation.EMBEDDINGS)},
    # Hearsay: the quirks. The reference could not be read.
    quirks=ALIBABA_QUIRKS,
    rests=ALIBABA_RESTS,
    tier=Tier.COMMUNITY,
    priority=12,
    namespace="qwen",
    docs="https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
)

DEEPSEEK_REFERENCE = "https://rdrr.io/cran/tidyllm/man/deepseek_chat.html"

deepseek = ProviderSpec(
    slug="deepseek",
    name="DeepSeek",
    base_url="https://api.deepseek.com",
    auth=Bearer("DEEPSEEK_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            rename(
                "max_completion_tokens",
                "max_tokens",
                reason=f"Clients know only max_tokens (2026-11-21, {DEEPSEEK_REFERENCE}).",
            ),
            drop(
                "logit_bias",
                "n",
                reason="Not among its parameters; top_logprobs, which others take away too, is "
                f"(2026-11-21, {DEEPSEEK_REFERENCE}).",
            ),
        ),
        messages(base_url="https://api.deepseek.com/anthropic/v1"),
    ),
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="deepseek",
    price_book="deepseek",
    # Switched off on 2026-07-24, and names that never were the API's: https://api-docs.deepseek.com/
    price_book_skip=("deepseek-chat", "deepseek-reasoner", "deepseek-v3*"),
    balance=balances.DEEPSEEK,
    docs="https://api-docs.deepseek.com/guides/anthropic_api",
)

MINIMAX_REFERENCE = "https://platform.minimax.io/docs/api-reference/text-chat"

MINIMAX_TEMPERATURE = clamp(
    "temperature",
    0.01,
    1,
    reason=f"It must be above 0 and at most 1 (2026-11-21, {MINIMAX_REFERENCE}).",
)

minimax = ProviderSpec(
    slug="minimax",
    name="MiniMax",
    base_url="https://api.minimax.io/v1",
    auth=Bearer("MINIMAX_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            drop(
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                reason=f"Not among the parameters of the reference (2026-11-21, {MINIMAX_REFERENCE}).",
            ),
            MINIMAX_TEMPERATURE,
        ),
        responses(MINIMAX_TEMPERATURE),
        messages(base_url="https://api.minimax.io/anthropic/v1"),
    ),
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="minimax",
    price_book="minimax",
    # Spelt as other hosts do; names are sensitive to case here.
    price_book_skip=("minimax-*",),
    docs=MINIMAX_REFERENCE,
)

KIMI_RULES = "https://java.agentscope.io/v2/en/integration/model/kimi"

KIMI_SAMPLING = when(
    "kimi-*",
    then=drop(
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
        reason=f"Fixed by the platform for these models (2026-11-21, {KIMI_RULES}).",
    ),
)

moonshot = ProviderSpec(
    slug="moonshot",
    name="Moonshot AI",
    base_url="https://api.moonshot.ai/v1",
    auth=Bearer("MOONSHOT_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            rename(
                "max_tokens",
                "max_completion_tokens",
                reason=f"The newer name is the documented one (2026-11-21, {KIMI_RULES}).",
            ),
            drop(
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                reason=f"Not among the parameters that it takes (2026-11-21, {KIMI_RULES}).",
            ),
            KIMI_SAMPLING,
        ),
        responses(KIMI_SAMPLING),
        messages(base_url="https://api.moonshot.ai/anthropic/v1"),
    ),
    quirks=(
        model_name(
            "strip moonshot/ and moonshotai/",
            without_prefix("moonshot/", "moonshotai/"),
            reason="Requests carry the bare id "
            "(2026-11-21, https://www.promptfoo.dev/docs/providers/moonshot/).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    timeouts=Timeouts(first_content=20.0, reasoning=120.0),
    priority=10,
    namespace="moonshotai",
    price_book="moonshotai",
    balance=balances.MOONSHOT,
    docs="https://platform.kimi.ai/docs/api/overview",
)

XIAOMI_REFERENCE = "https://platform.xiaomimimo.com/docs/en-US/api/chat/openai-api"

xiaomi = ProviderSpec(
    slug="xiaomi",
    name="Xiaomi MiMo",
    base_url="https://api.xiaomimimo.com/v1",
    auth=Bearer("XIAOMI_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            rename(
                "max_tokens",
                "max_completion_tokens",
                reason=f"The newer name is the documented one (2026-11-21, {XIAOMI_REFERENCE}).",
            ),
            drop(
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                reason=f"Not among the parameters of its example (2026-11-21, {XIAOMI_REFERENCE}).",
            ),
        ),
        messages(base_url="https://api.xiaomimimo.com/anthropic/v1"),
    ),
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="xiaomi",
    docs=XIAOMI_REFERENCE,
)

ZAI_REFERENCE = "https://docs.z.ai/api-reference/llm/chat-completion"

zai = ProviderSpec(
    slug="zai",
    name="Z.AI",
    base_url="https://api.z.ai/api/paas/v4",
    auth=Bearer("ZAI_API_KEY"),
    headers=ANTHROPIC_VERSION,
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            rename(
                "max_completion_tokens",
                "max_tokens",
                reason=f"The reference knows only max_tokens (2026-11-21, {ZAI_REFERENCE}).",
            ),
            drop(
                "logit_bias",
                "logprobs",
                "top_logprobs",
                "n",
                reason=f"Not among the parameters of the reference (2026-11-21, {ZAI_REFERENCE}).",
            ),
            clamp("temperature", 0, 1, reason=f"From 0 to 1 (2026-11-21, {ZAI_REFERENCE})."),
            clamp("top_p", 0.01, 1, reason=f"From 0.01 to 1 (2026-11-21, {ZAI_REFERENCE})."),
        ),
        messages(base_url="https://api.z.ai/api/anthropic/v1"),
    ),
    quirks=(
        model_name(
            "lower case",
            str.lower,
            reason=f"Ids are in lower case, whatever a catalogue says (2026-11-21, {ZAI_REFERENCE}).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=10,
    namespace="z-ai",
    price_book="zai",
    price_book_skip=("*OCR*",),
    docs=ZAI_REFERENCE,
)

ROWS = (alibaba, alibaba_china, deepseek, minimax, moonshot, xiaomi, zai)
