"""The lists of models that providers publish: one row each, alphabetical by slug, each with the unit of its prices.

A provider without a list of its own says why; its models come from the price book and the seed. A list that names no
prices tells which models are still served, their context and their kinds. Addresses, shapes and units were collected
on 2026-11-21 from the page under ``docs``; lists of OpenAI's plain form, which name models alone, are those that other
gateways read (2026-11-22). A unit that no page tells is not guessed: then the row takes the names.
"""

from collections.abc import Mapping
from types import MappingProxyType

from apps.catalog.providers import odd_items
from apps.catalog.providers.amounts import Unit
from apps.catalog.providers.listed import Listing, Pages, Paging, prices

JUNK = (
    "*gguf*", "*imatrix*", "*-q[2-8]_*", "*-i[1q][0-9]*", "*bpw*", "*gptq*", "*-awq*", "*exl[23]*", "*-int[48]*",
    "*[-_]merge*", "*roleplay*", "*-lora*",
)  # fmt: skip
"""Somebody's own quantisations and merges, of which open hosts have thousands."""

PROMPT_AND_COMPLETION = {"input": "pricing.prompt", "output": "pricing.completion"}
INPUT_AND_OUTPUT = {"input": "pricing.input", "output": "pricing.output"}
OPENROUTER_STYLE = prices(
    Unit.PER_TOKEN,
    **PROMPT_AND_COMPLETION,
    cache_read="pricing.input_cache_read",
    cache_write_5m="pricing.input_cache_write",
) + prices(Unit.PER_REQUEST, request="pricing.request")
ANY_LIST = ("data.item", "models.item", "items.item", "item")

LISTINGS: Mapping[str, Listing] = MappingProxyType({
    "302ai": Listing(expected=20, docs="https://doc.302.ai"),
    "abacus": Listing(expected=10, docs="https://abacus.ai/help/developer-platform/route-llm/api"),
    "ai21": Listing(why_none="documents no list", docs="https://docs.ai21.com/reference/jamba-1-6-api-ref"),
    "aihubmix": Listing(
        # The fact sheet says per 1K; gpt-image-2 at 5 and 30 there is its price per 1M.
        url="https://aihubmix.com/api/v1/models", public=True, ids=("id", "model_id"), name=("model_name", "name"),
        description=("desc",), max_output_tokens=("max_output",), kind=("types", "type"),
        prices=prices(Unit.PER_1M, **INPUT_AND_OUTPUT, cache_read="pricing.cache_read", cache_write_5m="pricing.cache_write"),
        skip=("*-free",), expected=5, docs="https://docs.aihubmix.com/en/api/Models-API",
    ),
    "aimo": Listing(
        expand=odd_items.each_seller, name=("display_name",), expected=5,
        prices=prices(Unit.PER_1M, input=("pricing.prompt", "pricing.input"), output=("pricing.completion", "pricing.output")),
        docs="https://docs.aimo.network/",
    ),
    "akash": Listing(why_none="publishes no list", docs="https://akashml.com/"),
    "alibaba": Listing(expected=5, complete=False, docs="https://www.alibabacloud.com/help/en/model-studio/models"),
    "alibaba-china": Listing(complete=False, expected=5, docs="https://help.aliyun.com/zh/model-studio/models"),
    "alpaca-network": Listing(why_none="publishes no list", docs="https://alpacanetwork.ai/"),
    "anannas": Listing(expected=5, docs="https://docs.anannas.ai/"),
    "anthropic": Listing(
        pages=Pages(style=Paging.AFTER_ID, size=100, parameter="after_id"), keep=("claude-*",), name=("display_name",),
        context_length=("max_input_tokens",), max_output_tokens=("max_tokens",), kind=(), expected=3,
        docs="https://platform.claude.com/docs/en/api/models-list",
    ),
    "arcee": Listing(docs="https://docs.arcee.ai"),
    "avian": Listing(docs="https://avian.io/docs"),
    "aws-bedrock": Listing(
        why_none="its list wants a signed request of another service",
        docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html",
    ),
    "azure-openai": Listing(
        why_none="what can be asked are the operator's own deployments",
        docs="https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/create-resource",
    ),
    "baseten": Listing(expected=2, docs="https://docs.baseten.co/development/model-apis/overview"),
    "berget": Listing(docs="https://docs.berget.ai"),
    "canopywave": Listing(
        prices=prices(Unit.PER_TOKEN, input=("pricing.prompt", "pricing.input"), output=("pricing.completion", "pricing.output")),
        context_length=("context_length", "capabilities.context_length"), expected=5, docs="https://canopywave.com/docs",
    ),
    "cerebras": Listing(
        items=ANY_LIST, prices=prices(Unit.PER_1M, **INPUT_AND_OUTPUT), expected=2,
        docs="https://inference-docs.cerebras.ai/api-reference/models",
    ),
    "chutes": Listing(
        public=True, prices=prices(Unit.PER_1M, input=("pricing.prompt", "price.input.usd"), output=("pricing.completion", "price.output.usd"))
        + prices(Unit.PER_HOUR, request="pricing_per_hour"),
        max_output_tokens=("max_output_length",), parameters=("supported_sampling_parameters",), expected=5,
        docs="https://chutes.ai/docs",
    ),
    "clarifai": Listing(expected=5, complete=False, docs="https://docs.clarifai.com/compute/inference/open-ai/"),
    "cloudflare-workers-ai": Listing(
        url="https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/models/search?task=Text+Generation",
        pages=Pages(style=Paging.NUMBERED, size=100, size_parameter="per_page", parameter="page"), items=("result.item",),
        expand=odd_items.by_property, ids=("name",), name=(), complete=False,
        prices=prices(Unit.PER_1M, **INPUT_AND_OUTPUT, cache_read="pricing.cache_read")
        + prices(Unit.PER_MINUTE, seconds="pricing.minute"),
        expected=10, docs="https://developers.cloudflare.com/api/resources/ai/subresources/models/methods/list/",
    ),
    "cohere": Listing(
        url="https://api.cohere.com/v1/models", items=("models.item",), ids=("name",), name=(), kind=("endpoints",),
        pages=Pages(style=Paging.TOKEN, size=1000, size_parameter="page_size", parameter="page_token", token="next_page_token"),  # noqa: S106
        docs="https://docs.cohere.com/reference/list-models",
    ),
    "cortecs": Listing(
        # Names only: its prices are in euros.
        expected=20, docs="https://docs.cortecs.ai/api-reference/models",
    ),
    "crusoe": Listing(expected=2, docs="https://docs.crusoecloud.com/managed-inference/overview"),
    "deepinfra": Listing(
        url="https://api.deepinfra.com/models/list", public=True, items=("item",), ids=("model_name",), name=(),
        kind=("reported_type", "type"), context_length=("max_tokens",), max_output_tokens=(),
        prices=prices(Unit.CENTS_PER_TOKEN, input="pricing.cents_per_input_token", output="pricing.cents_per_output_token")
        + prices(Unit.CENTS_PER_IMAGE, images="pricing.cents_per_image_unit")
        + prices(Unit.CENTS_PER_SECOND, seconds="pricing.cents_per_input_sec"),
        expected=50, docs="https://deepinfra.com/docs/models",
    ),
    "deepseek": Listing(docs="https://api-docs.deepseek.com/api/list-models"),
    "digitalocean": Listing(expected=10, docs="https://docs.digitalocean.com/reference/api/digitalocean/#tag/Serverless-Inference"),
    "doubleword": Listing(expected=2, docs="https://docs.doubleword.ai"),
    "evroc": Listing(expected=2, docs="https://docs.evroc.com/products/think/overview.html"),
    "fal": Listing(
        url="https://api.fal.ai/v1/models", items=("models.item",), ids=("endpoint_id",), name=("metadata.display_name",),
        description=("metadata.description",), kind=("metadata.category",), only={"metadata.status": ("active",)},
        pages=Pages(style=Paging.TOKEN, size=100, parameter="cursor", token="next_cursor"),  # noqa: S106
        expected=50, docs="https://docs.fal.ai/platform-apis/v1/models",
    ),
    "featherless": Listing(
        url="/models?limit=10000", skip=JUNK, expected=10, docs="https://featherless.ai/docs/api-reference-models",
    ),
    "fireworks": Listing(
        keep=("accounts/*/models/*", "accounts/*/routers/*"), name=(), complete=False,
        prices=prices(Unit.CENTS_PER_TOKEN, input="pricing.cents_per_input_token", output="pricing.cents_per_output_token"),
        expected=10, docs="https://docs.fireworks.ai/api-reference/list-models",
    ),
    "friendli": Listing(expected=2, docs="https://friendli.ai/docs/openapi/serverless/chat-completions"),
    "gmi": Listing(expected=5, docs="https://docs.gmicloud.ai"),
    "google-ai-studio": Listing(
        url="https://generativelanguage.googleapis.com/v1beta/models", items=("models.item",), ids=("name",),
        prefix=("models/",), name=("displayName",), context_length=("inputTokenLimit",), max_output_tokens=("outputTokenLimit",),
        only={"supportedGenerationMethods": ("generatecontent", "embedcontent", "predict")}, kind=(),
        pages=Pages(style=Paging.TOKEN, size=1000, size_parameter="pageSize", parameter="pageToken", token="nextPageToken"),  # noqa: S106
        expected=10, docs="https://ai.google.dev/api/models",
    ),
    "google-vertex": Listing(
        why_none="its list wants a token that only the hot path fetches",
        docs="https://cloud.google.com/vertex-ai/generative-ai/docs/models",
    ),
    "groq": Listing(
        context_length=("context_window", "metadata.context_length"), only={"active": ("true",)}, name=(),
        prices=prices(Unit.CENTS_PER_TOKEN, input="pricing.cents_per_input_token", output="pricing.cents_per_output_token")
        + prices(Unit.PER_1M, **INPUT_AND_OUTPUT),
        expected=5, docs="https://console.groq.com/docs/api-reference#models-list",
    ),
    "helicone": Listing(
        url="https://api.helicone.ai/v1/public/model-registry/models", public=True, items=("data.models.item",),
        expand=odd_items.dearest_endpoint, context_length=("contextLength",), max_output_tokens=("maxOutput",),
        input_modalities=("inputModalities",), output_modalities=("outputModalities",), parameters=("supportedParameters",),
        prices=prices(Unit.PER_1M, **PROMPT_AND_COMPLETION, cache_read="pricing.cacheRead", cache_write_5m="pricing.cacheWrite"),
        expected=5, docs="https://docs.helicone.ai/gateway/overview",
    ),
    "hpc-ai": Listing(docs="https://www.hpc-ai.com/doc/docs/quickstart/"),
    "huggingface": Listing(
        public=True, expand=odd_items.each_host, skip=JUNK, prices=prices(Unit.PER_1M, **INPUT_AND_OUTPUT), expected=50,
        docs="https://huggingface.co/docs/inference-providers/index",
    ),
    "hyperbolic": Listing(expected=3, docs="https://docs.hyperbolic.xyz/docs/rest-api"),
    "inception": Listing(docs="https://docs.inceptionlabs.ai/get-started/models"),
    "inference-net": Listing(expected=2, docs="https://docs.inference.net"),
    "io-net": Listing(expected=3, docs="https://io.net/docs/guides/intelligence/io-intelligence"),
    "kilo": Listing(
        public=True, prices=OPENROUTER_STYLE, skip=("kilo-auto/*",), max_output_tokens=("top_provider.max_completion_tokens",),
        expected=50, docs="https://kilo.ai/docs/gateway/models-and-providers",
    ),
    "llmgateway": Listing(
        url="/models?exclude_deprecated=true", public=True, prices=OPENROUTER_STYLE, skip=("auto", "custom"),
        max_output_tokens=("top_provider.max_completion_tokens",), expected=50, docs="https://docs.llmgateway.io/v1_models",
    ),
    "lmstudio": Listing(free=True, docs="https://lmstudio.ai/docs/developer/openai-compat"),
    "meganova": Listing(expected=3, docs="https://docs.meganova.ai"),
    "meta": Listing(docs="https://www.meta.ai/"),
    "minimax": Listing(complete=False, docs="https://platform.minimax.io/docs/api-reference/text-openai-api"),
    "mistral": Listing(
        context_length=("max_context_length",), also="aliases", deprecated=("deprecation",),
        replaced_by=("deprecation_replacement_model",), docs="https://docs.mistral.ai/api/endpoint/models",
    ),
    "modal": Listing(why_none="documents no list", docs="https://modal.com/docs/guide"),
    "modelz": Listing(
        url="https://backend.alpacanetwork.ai/api/tokens?isGraduated=true", public=True, items=("item", "data.item"),
        expand=odd_items.graduated_token, ids=("model_id", "modelId", "id", "name", "model"), expected=1,
        docs="https://alpacanetwork.ai/",
    ),
    "moonshot": Listing(expand=odd_items.by_capability, docs="https://platform.moonshot.ai/docs/api/list-models"),
    "morph": Listing(why_none="documents no list", docs="https://docs.morphllm.com/quickstart"),
    "morpheus": Listing(expected=3, docs="https://apidocs.mor.org/"),
    "nano-gpt": Listing(public=True, expected=50, docs="https://docs.nano-gpt.com/api-reference/endpoint/models"),
    "near": Listing(
        url="/model/list", public=True, items=("models.item",), ids=("modelId",), name=("metadata.modelDisplayName",),
        description=("metadata.modelDescription",), context_length=("metadata.contextLength",),
        input_modalities=("metadata.architecture.inputModalities",), output_modalities=("metadata.architecture.outputModalities",),
        prices=prices(Unit.PER_TOKEN, input="inputCostPerToken", output="outputCostPerToken", cache_read="cacheReadCostPerToken"),
        expected=4, docs="https://docs.near.ai/cloud/models/",
    ),
    "nebius": Listing(
        url="/models?verbose=true", prices=prices(Unit.PER_TOKEN, **PROMPT_AND_COMPLETION), expected=5,
        docs="https://docs.tokenfactory.nebius.com/api-reference/models/list-models",
    ),
    "neuralwatt": Listing(expected=3, docs="https://portal.neuralwatt.com/docs"),
    "nosana": Listing(docs="https://learn.nosana.com/"),
    "novita": Listing(
        public=True, prefix=("novita/", "models/", "api/"), name=("display_name", "title"), context_length=("context_size",),
        kind=("model_type",),
        prices=prices(Unit.BASIS_POINTS_PER_1M, input="input_token_price_per_m", output="output_token_price_per_m"),
        expected=5, docs="https://novita.ai/docs/api-reference/model-apis-llm-list-models",
    ),
    "nscale": Listing(expected=3, docs="https://docs.nscale.com/docs/inference/chat"),
    "nvidia": Listing(complete=False, docs="https://docs.api.nvidia.com/nim/reference/llm-apis"),
    "ofox": Listing(expected=20, docs="https://ofox.ai/docs"),
    "ollama": Listing(free=True, docs="https://docs.ollama.com/api/openai-compatibility"),
    "onerouter": Listing(
        url="https://app.infron.ai/api/display_models/", public=True, items=ANY_LIST, ids=("invoke_name",),
        context_length=("input_token_limit", "context_length"), max_output_tokens=("output_token_limit",),
        prices=prices(Unit.PER_1M, input=("sale_input_cost", "retail_input_cost"), output=("sale_output_cost", "retail_output_cost")),
        expected=100, docs="https://docs.infron.ai/",
    ),
    "openai": Listing(
        keep=("gpt-*", "o[0-9]*", "chatgpt-*", "text-embedding*", "whisper*", "tts*", "dall-e*", "*moderation*"), kind=(),
        expected=10, docs="https://platform.openai.com/docs/api-reference/models/list",
    ),
    "openrouter": Listing(
        public=True, prices=OPENROUTER_STYLE, zero_is_free=True, skip=("openrouter/*", "*:batch", "~*"),
        max_output_tokens=("top_provider.max_completion_tokens",), expected=100,
        docs="https://openrouter.ai/docs/api-reference/list-available-models",
    ),
    "ovhcloud": Listing(expected=5, docs="https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/"),
    "perplexity": Listing(why_none="publishes no list", docs="https://docs.perplexity.ai/getting-started/models"),
    "pioneer": Listing(expected=5, docs="https://docs.pioneer.ai"),
    "poe": Listing(
        # It lists bots by the names of their pages, and answers to others besides.
        public=True, complete=False, expected=20, docs="https://creator.poe.com/api-reference/listModels",
    ),
    "portkey": Listing(why_none="routes with its user's own keys and prices", docs="https://portkey.ai/docs"),
    "regolo": Listing(expected=2, docs="https://docs.regolo.ai"),
    "requesty": Listing(
        prices=prices(Unit.PER_TOKEN, input="input_price", output="output_price", cache_read="cached_price", cache_write_5m="caching_price"),
        context_length=("context_window",), expected=50, docs="https://docs.requesty.ai/api-reference/endpoint/models-list",
    ),
    "sakana": Listing(why_none="documents no list", docs="https://sakana.ai"),
    "sambanova": Listing(prices=OPENROUTER_STYLE, docs="https://docs.sambanova.ai/docs/en/models/sambacloud-models"),
    "scaleway": Listing(expected=3, docs="https://www.scaleway.com/en/developers/api/generative-apis/"),
    "siliconflow": Listing(expected=10, docs="https://docs.siliconflow.com/en/api-reference/models/get-model-list"),
    "siliconflow-china": Listing(expected=10, docs="https://docs.siliconflow.cn/cn/api-reference/models/get-model-list"),
    "simplismart": Listing(why_none="publishes no list", docs="https://docs.simplismart.ai/"),
    "soundsgood": Listing(why_none="publishes no list", docs="https://huggingface.co/zai-org/GLM-4.5-Air"),
    "stackit": Listing(expected=2, docs="https://docs.stackit.cloud/products/data-and-ai/ai-model-serving/"),
    "stepfun": Listing(expected=2, docs="https://platform.stepfun.ai/docs/en/api-reference/models/list"),
    "sybil": Listing(
        prices=prices(Unit.PER_TOKEN, input=("pricing.prompt", "pricing.input"), output=("pricing.completion", "pricing.output")),
        context_length=("capabilities.context_length", "context_length"), expected=3, docs="https://sybil.com/docs",
    ),
    "synthetic": Listing(public=True, expected=3, docs="https://dev.synthetic.new/docs/openai/models"),
    "tensormesh": Listing(why_none="documents no list", docs="https://docs.tensormesh.ai"),
    "tinfoil": Listing(expected=2, docs="https://docs.tinfoil.sh/models/catalog"),
    "together": Listing(
        items=("item", "data.item"), name=("display_name",),
        prices=prices(Unit.PER_1M, **INPUT_AND_OUTPUT, cache_read="pricing.cached_input"),
        expected=20, docs="https://docs.together.ai/reference/models-1",
    ),
    "upstage": Listing(why_none="documents no list", docs="https://console.upstage.ai/api/docs"),
    "venice": Listing(
        url="/models?type=text", public=True, name=("model_spec.name",), description=("model_spec.description",),
        context_length=("model_spec.availableContextTokens",), max_output_tokens=("model_spec.maxCompletionTokens",),
        only={"model_spec.offline": ("false",)},
        prices=prices(Unit.PER_1M, input="model_spec.pricing.input.usd", output="model_spec.pricing.output.usd",
                      cache_read="model_spec.pricing.cache_input.usd", cache_write_5m="model_spec.pricing.cache_write.usd"),
        expected=10, docs="https://docs.venice.ai/api-reference/endpoint/models/list",
    ),
    "vercel-ai-gateway": Listing(
        public=True, context_length=("context_window",), max_output_tokens=("max_tokens",),
        prices=prices(Unit.PER_TOKEN, **INPUT_AND_OUTPUT, cache_read="pricing.input_cache_read", cache_write_5m="pricing.input_cache_write")
        + prices(Unit.PER_IMAGE, images="pricing.image"),
        expected=5, docs="https://vercel.com/docs/ai-gateway/models-and-providers",
    ),
    "vllm": Listing(free=True, context_length=("max_model_len",), docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server/"),
    "volcengine": Listing(why_none="its list wants a signed request of another service", docs="https://www.volcengine.com/docs/82379/1330310"),
    "voyage": Listing(why_none="publishes no list", docs="https://docs.voyageai.com/reference"),
    "vultr": Listing(expected=2, docs="https://api.vultrinference.com/"),
    "wandb": Listing(expected=5, docs="https://docs.wandb.ai/inference/api-reference"),
    "xai": Listing(
        url="/language-models", items=("models.item",), also="aliases", name=(), complete=False,
        prices=prices(Unit.CENTS_PER_100M, input="prompt_text_token_price", output="completion_text_token_price",
                      cache_read="cached_prompt_text_token_price"),
        expected=2, docs="https://docs.x.ai/docs/api-reference#list-language-models",
    ),
    "xiaomi": Listing(docs="https://platform.xiaomimimo.com/docs"),
    "zai": Listing(complete=False, docs="https://docs.z.ai/api-reference/introduction"),
    "zenmux": Listing(
        # Names only: a price there is a list of tiers, each under conditions.
        public=True, expected=20, docs="https://docs.zenmux.ai/api/openai/openai-list-models",
    ),
})  # fmt: skip


def listing_of(slug: str) -> Listing | None:
    """The provider's list; None when it has none that we can read. A provider of an operator's own is asked for none."""
    listing = LISTINGS.get(slug)
    return None if listing is None or listing.why_none else listing
