"""More companies that host models, all with OpenAI's chat completions at a plain address.

Addresses and variables are those of other gateways (litellm 1.8x, MIT; Portkey's, MIT; read 2026-11-21). What
their APIs do beyond chat, and which parameters they refuse, was not read.
"""

from apps.catalog.providers.endpoints import CHAT, also, chat, chat_completions
from apps.catalog.providers.rows.claude_quirks import SAMPLING
from apps.catalog.providers.rows.openai_quirks import ONLY_OPENAIS
from apps.catalog.providers.spec import Bearer, DataPolicy, Operation, ProviderSpec

# Hearsay: address and variable are those of other gateways.
ai21 = ProviderSpec(
    slug="ai21",
    name="AI21 Labs",
    base_url="https://api.ai21.com/studio/v1",
    auth=Bearer("AI21_API_KEY"),
    endpoints=CHAT,
    priority=30,
    namespace="ai21",
    docs="https://docs.ai21.com/reference/jamba-1-6-api-ref",
)

# Hearsay: address and variable are those of other gateways.
baseten = ProviderSpec(
    slug="baseten",
    name="Baseten",
    base_url="https://inference.baseten.co/v1",
    auth=Bearer("BASETEN_API_KEY"),
    endpoints=chat(chat_completions(ONLY_OPENAIS)),
    priority=40,
    # Inputs and outputs are not stored by default, so nothing is there to be used (2026-11-21).
    data_policy=DataPolicy(
        page="https://docs.baseten.co/observability/security", collects=False, keeps_nothing=True
    ),
    docs="https://docs.baseten.co/quickstart",
)

# Hearsay: address and variable are those of other gateways.
crusoe = ProviderSpec(
    slug="crusoe",
    name="Crusoe",
    base_url="https://managed-inference-api-proxy.crusoecloud.com/v1",
    auth=Bearer("CRUSOE_API_KEY"),
    endpoints=CHAT,
    priority=40,
    docs="https://docs.crusoecloud.com/managed-inference/overview",
)

# Hearsay: address and variable are those of other gateways.
digitalocean = ProviderSpec(
    slug="digitalocean",
    name="DigitalOcean",
    base_url="https://inference.do-ai.run/v1",
    auth=Bearer("DIGITALOCEAN_INFERENCE_KEY"),
    endpoints=CHAT,
    quirks=(SAMPLING,),
    priority=40,
    docs="https://docs.digitalocean.com/products/gradient-ai-platform/",
)

# Hearsay: address and variable are those of other gateways.
friendli = ProviderSpec(
    slug="friendli",
    name="FriendliAI",
    base_url="https://api.friendli.ai/serverless/v1",
    auth=Bearer("FRIENDLI_TOKEN"),
    endpoints=CHAT,
    priority=40,
    docs="https://friendli.ai/docs/openapi/serverless/chat-completions",
)

# Hearsay: address and variable are those of other gateways.
gmi = ProviderSpec(
    slug="gmi",
    name="GMI Cloud",
    base_url="https://api.gmi-serving.com/v1",
    auth=Bearer("GMI_API_KEY"),
    endpoints=CHAT,
    quirks=(SAMPLING,),
    priority=40,
    docs="https://docs.gmicloud.ai",
)

# Hearsay: address and variable are those of other gateways.
hyperbolic = ProviderSpec(
    slug="hyperbolic",
    name="Hyperbolic",
    base_url="https://api.hyperbolic.xyz/v1",
    auth=Bearer("HYPERBOLIC_API_KEY"),
    endpoints=CHAT,
    priority=40,
    docs="https://docs.hyperbolic.xyz/docs/rest-api",
)

# Hearsay: address and variable are those of other gateways.
inception = ProviderSpec(
    slug="inception",
    name="Inception",
    base_url="https://api.inceptionlabs.ai/v1",
    auth=Bearer("INCEPTION_API_KEY"),
    endpoints=CHAT,
    priority=30,
    namespace="inception",
    docs="https://docs.inceptionlabs.ai/get-started/models",
)

# Hearsay: address and variable are those of other gateways.
morph = ProviderSpec(
    slug="morph",
    name="Morph",
    base_url="https://api.morphllm.com/v1",
    auth=Bearer("MORPH_API_KEY"),
    endpoints=CHAT,
    priority=30,
    namespace="morph",
    docs="https://docs.morphllm.com/quickstart",
)

# Hearsay: address and variable are those of other gateways.
nscale = ProviderSpec(
    slug="nscale",
    name="Nscale",
    base_url="https://inference.api.nscale.com/v1",
    auth=Bearer("NSCALE_API_KEY"),
    endpoints={**CHAT, **also(Operation.IMAGES)},
    priority=40,
    docs="https://docs.nscale.com/docs/inference/chat",
)

# Hearsay: address and variable are those of other gateways.
ovhcloud = ProviderSpec(
    slug="ovhcloud",
    name="OVHcloud AI Endpoints",
    base_url="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
    auth=Bearer("OVHCLOUD_API_KEY"),
    endpoints={**CHAT, **also(Operation.EMBEDDINGS)},
    priority=40,
    docs="https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/",
)

# Hearsay: address and variable are those of other gateways.
scaleway = ProviderSpec(
    slug="scaleway",
    name="Scaleway",
    base_url="https://api.scaleway.ai/v1",
    auth=Bearer("SCW_SECRET_KEY"),
    endpoints={**CHAT, **also(Operation.EMBEDDINGS, Operation.TRANSCRIPTION)},
    priority=40,
    docs="https://www.scaleway.com/en/developers/api/generative-apis/",
)

# Hearsay: address and variable are those of other gateways.
voyage = ProviderSpec(
    slug="voyage",
    name="Voyage AI",
    base_url="https://api.voyageai.com/v1",
    auth=Bearer("VOYAGE_API_KEY"),
    endpoints=also(Operation.EMBEDDINGS, Operation.RERANK),
    priority=20,
    namespace="voyage",
    docs="https://docs.voyageai.com/reference/embeddings-api",
)

# Hearsay: address and variable are those of other gateways.
wandb = ProviderSpec(
    slug="wandb",
    name="Weights & Biases Inference",
    base_url="https://api.inference.wandb.ai/v1",
    auth=Bearer("WANDB_API_KEY"),
    endpoints=CHAT,
    priority=40,
    docs="https://docs.wandb.ai/guides/inference/",
)

ROWS = (
    ai21, baseten, crusoe, digitalocean, friendli, gmi, hyperbolic, inception, morph, nscale, ovhcloud, scaleway, voyage,
    wandb,
)  # fmt: skip
