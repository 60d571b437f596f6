"""Networks that spread open models over other people's machines."""

from apps.catalog.providers.endpoints import also, chat, chat_completions
from apps.catalog.providers.quirks import drop
from apps.catalog.providers.rows.claude_quirks import SAMPLING
from apps.catalog.providers.rows.hosts import COLD_START
from apps.catalog.providers.rows.openai_quirks import SYSTEM_ROLE
from apps.catalog.providers.spec import Bearer, Operation, ProviderSpec, Tier

akash = ProviderSpec(
    slug="akash",
    name="AkashML",
    base_url="https://api.akashml.com/v1",
    auth=Bearer("AKASH_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    tier=Tier.DOCUMENTED,
    priority=40,
    docs="https://github.com/anomalyco/models.dev/pull/1308",
)

# Hearsay: that it exists. The one address that was known belonged to a single deployment and is not printed.
alpaca_network = ProviderSpec(
    slug="alpaca-network",
    name="Alpaca Network",
    base_url="{ALPACA_NETWORK_BASE_URL}",
    settings={"ALPACA_NETWORK_BASE_URL": ""},
    auth=Bearer("ALPACA_NETWORK_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    priority=60,
    docs="https://www.alpacanetwork.ai/",
)

chutes = ProviderSpec(
    slug="chutes",
    name="Chutes",
    base_url="https://llm.chutes.ai/v1",
    auth=Bearer("CHUTES_API_KEY"),
    endpoints={**chat(chat_completions(SYSTEM_ROLE)), **also(Operation.COMPLETIONS)},
    timeouts=COLD_START,
    tier=Tier.DOCUMENTED,
    priority=40,
    docs="https://chutes.ai/agents/connect",
)

morpheus = ProviderSpec(
    slug="morpheus",
    name="Morpheus",
    base_url="https://api.mor.org/api/v1",
    auth=Bearer("MORPHEUS_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    tier=Tier.DOCUMENTED,
    priority=50,
    docs="https://apidocs.mor.org",
)

near = ProviderSpec(
    slug="near",
    name="NEAR AI",
    base_url="https://cloud-api.near.ai/v1",
    auth=Bearer("NEAR_API_KEY"),
    endpoints=chat(
        chat_completions(
            SYSTEM_ROLE,
            drop(
                "reasoning_effort",
                reason="Its own example takes it out "
                "(2026-11-21, https://ai-sdk.dev/providers/openai-compatible-providers/nearai).",
            ),
        )
    ),
    quirks=(SAMPLING,),
    tier=Tier.DOCUMENTED,
    priority=50,
    docs="https://docs.near.ai/",
)

# Hearsay: the address, and that it serves models and not only machines.
nosana = ProviderSpec(
    slug="nosana",
    name="Nosana",
    base_url="https://dashboard.k8s.prd.nos.ci/api/v1",
    auth=Bearer("NOSANA_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    timeouts=COLD_START,
    priority=60,
    docs="https://docs.nosana.com/",
)

# Hearsay: that it exists, with a distilled GLM-4.5-Air. It publishes neither an address nor a price.
soundsgood = ProviderSpec(
    slug="soundsgood",
    name="Soundsgood",
    base_url="{SOUNDSGOOD_BASE_URL}",
    settings={"SOUNDSGOOD_BASE_URL": ""},
    auth=Bearer("SOUNDSGOOD_API_KEY"),
    endpoints=chat(chat_completions(SYSTEM_ROLE)),
    priority=95,
    docs="https://huggingface.co/zai-org/GLM-4.5-Air",
)

ROWS = (akash, alpaca_network, chutes, morpheus, near, nosana, soundsgood)
