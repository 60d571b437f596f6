"""Servers of one's own: an address in a variable, a key only if the server wants one. They are asked before anybody else."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    also,
    chat,
    chat_completions,
    messages,
    responses,
)
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import Bearer, Operation, ProviderSpec, Tier, Timeouts

# Models are loaded when they are first asked for.
LOADING = Timeouts(first_content=60.0, first_content_last=300.0, reasoning=180.0, idle=60.0)

lm_studio = ProviderSpec(
    slug="lmstudio",
    name="LM Studio",
    base_url="{LM_STUDIO_BASE_URL}",
    settings={"LM_STUDIO_BASE_URL": ""},
    auth=Bearer("LM_STUDIO_API_KEY", optional=True),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE), responses(), messages()),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS),
    },
    timeouts=LOADING,
    tier=Tier.DOCUMENTED,
    priority=5,
    docs="https://lmstudio.ai/docs/developer/openai-compat",
)

ollama = ProviderSpec(
    slug="ollama",
    name="Ollama",
    base_url="{OLLAMA_BASE_URL}",
    settings={"OLLAMA_BASE_URL": ""},
    auth=Bearer("OLLAMA_API_KEY", optional=True),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE), responses(), messages()),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS),
    },
    timeouts=LOADING,
    tier=Tier.DOCUMENTED,
    priority=5,
    docs="https://docs.ollama.com/api/openai-compatibility",
)

vllm = ProviderSpec(
    slug="vllm",
    name="vLLM",
    base_url="{VLLM_BASE_URL}",
    settings={"VLLM_BASE_URL": ""},
    auth=Bearer("VLLM_API_KEY", optional=True),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(chat_completions(SYSTEM_ROLE), responses(), messages()),
        **also(
            Operation.COMPLETIONS,
            Operation.EMBEDDINGS,
            Operation.TRANSCRIPTION,
            Operation.RERANK,
        ),
    },
    timeouts=LOADING,
    tier=Tier.DOCUMENTED,
    priority=5,
    docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server/",
)

ROWS = (lm_studio, ollama, vllm)
