"""More companies that pass requests on to others, all with OpenAI's chat completions at a plain address; asked last.

Addresses and variables are those that opencode 1.18.33 (https://www.npmjs.com/package/opencode-ai, MIT) calls them with.
"""

from apps.catalog.providers.endpoints import chat, chat_completions
from apps.catalog.providers.rows import balances
from apps.catalog.providers.rows.claude_quirks import SAMPLING
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import Bearer, ProviderSpec, Tier

PLAIN = chat(chat_completions(SYSTEM_ROLE, SAMPLING))

ai302 = ProviderSpec(
    slug="302ai",
    name="302.AI",
    base_url="https://api.302.ai/v1",
    auth=Bearer("AI302_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://doc.302.ai",
)

abacus = ProviderSpec(
    slug="abacus",
    name="Abacus.AI RouteLLM",
    base_url="https://routellm.abacus.ai/v1",
    auth=Bearer("ABACUS_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://abacus.ai/help/api",
)

cortecs = ProviderSpec(
    slug="cortecs",
    name="Cortecs",
    base_url="https://api.cortecs.ai/v1",
    auth=Bearer("CORTECS_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://docs.cortecs.ai",
)

kilo = ProviderSpec(
    slug="kilo",
    name="Kilo Gateway",
    base_url="https://api.kilo.ai/api/gateway",
    auth=Bearer("KILO_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://kilo.ai",
)

llmgateway = ProviderSpec(
    slug="llmgateway",
    name="LLM Gateway",
    base_url="https://api.llmgateway.io/v1",
    auth=Bearer("LLMGATEWAY_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://llmgateway.io/docs",
)

nano_gpt = ProviderSpec(
    slug="nano-gpt",
    name="NanoGPT",
    base_url="https://nano-gpt.com/api/v1",
    auth=Bearer("NANO_GPT_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    balance=balances.NANO_GPT,
    docs="https://docs.nano-gpt.com",
)

ofox = ProviderSpec(
    slug="ofox",
    name="Ofox",
    base_url="https://api.ofox.ai/v1",
    auth=Bearer("OFOX_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://ofox.ai/docs",
)

poe = ProviderSpec(
    slug="poe",
    name="Poe",
    base_url="https://api.poe.com/v1",
    auth=Bearer("POE_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    balance=balances.POE,
    docs="https://creator.poe.com/docs/external-applications/openai-compatible-api",
)

requesty = ProviderSpec(
    slug="requesty",
    name="Requesty",
    base_url="https://router.requesty.ai/v1",
    auth=Bearer("REQUESTY_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://requesty.ai/solution/llm-routing/models",
)

zenmux = ProviderSpec(
    slug="zenmux",
    name="ZenMux",
    base_url="https://zenmux.ai/api/v1",
    auth=Bearer("ZENMUX_API_KEY"),
    endpoints=PLAIN,
    tier=Tier.DOCUMENTED,
    priority=85,
    docs="https://docs.zenmux.ai",
)

ROWS = (
    ai302,
    abacus,
    cortecs,
    kilo,
    llmgateway,
    nano_gpt,
    ofox,
    poe,
    requesty,
    zenmux,
)
