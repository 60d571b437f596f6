"""Which provider of a package is which of ours, and what is put before its ids there.

genai-prices: https://github.com/pydantic/genai-prices (MIT). litellm: https://github.com/BerriAI/litellm (MIT outside
its folder ``enterprise``). models.dev: https://github.com/anomalyco/models.dev (MIT). Left out on purpose: subscriptions
(Copilot, Cursor), hosts with an address of each customer's own (Databricks, Snowflake, SageMaker), hosts that speak none
of our wires (Replicate, Deepgram, Runway, fal's own formats), and routers that list one model once for every host behind it (Eden AI).
"""

TABLE: dict[str, tuple[str, str]] = {
    "ai21": ("ai21", ""), "aihubmix": ("aihubmix", "aihubmix/"), "anthropic": ("anthropic", ""),
    "azure": ("azure-openai", "azure/"), "baseten": ("baseten", "baseten/"),
    "bedrock": ("aws-bedrock", ""), "bedrock_converse": ("aws-bedrock", ""),
    "cerebras": ("cerebras", "cerebras/"), "cloudflare": ("cloudflare-workers-ai", "cloudflare/"),
    "cohere": ("cohere", "cohere/"), "cohere_chat": ("cohere", ""), "crusoe": ("crusoe", "crusoe/"),
    "dashscope": ("alibaba", "dashscope/"), "deepinfra": ("deepinfra", "deepinfra/"), "deepseek": ("deepseek", "deepseek/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "fireworks_ai-embedding-models": ("fireworks", "fireworks_ai/"), "friendliai": ("friendli", "friendliai/"),
    "gemini": ("google-ai-studio", "gemini/"), "gmi": ("gmi", "gmi/"), "gradient_ai": ("digitalocean", "gradient_ai/"),
    "groq": ("groq", "groq/"), "hyperbolic": ("hyperbolic", "hyperbolic/"), "inception": ("inception", "inception/"),
    "meta": ("meta", "meta/"), "minimax": ("minimax", "minimax/"), "mistral": ("mistral", "mistral/"),
    "moonshot": ("moonshot", "moonshot/"), "morph": ("morph", "morph/"), "nebius": ("nebius", "nebius/"),
    "novita": ("novita", "novita/"), "nscale": ("nscale", "nscale/"), "nvidia_nim": ("nvidia", "nvidia_nim/"),
    "openai": ("openai", ""), "ovhcloud": ("ovhcloud", "ovhcloud/"), "perplexity": ("perplexity", "perplexity/"),
    "publicai": ("publicai", "publicai/"), "sambanova": ("sambanova", "sambanova/"), "scaleway": ("scaleway", "scaleway/"),
    "tensormesh": ("tensormesh", "tensormesh/"), "together_ai": ("together", "together_ai/"), "v0": ("v0", "v0/"),
    "vercel_ai_gateway": ("vercel-ai-gateway", "vercel_ai_gateway/"),
    "vertex_ai-ai21_models": ("google-vertex", "vertex_ai/"), "vertex_ai-anthropic_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-deepseek_models": ("google-vertex", "vertex_ai/"), "vertex_ai-embedding-models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-image-models": ("google-vertex", "vertex_ai/"), "vertex_ai-language-models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-llama_models": ("google-vertex", "vertex_ai/"), "vertex_ai-minimax_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-mistral_models": ("google-vertex", "vertex_ai/"), "vertex_ai-moonshot_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-openai_models": ("google-vertex", "vertex_ai/"), "vertex_ai-qwen_models": ("google-vertex", "vertex_ai/"),
    "vertex_ai-zai_models": ("google-vertex", "vertex_ai/"),
    "volcengine": ("volcengine", "volcengine/"), "voyage": ("voyage", "voyage/"), "wandb": ("wandb", "wandb/"),
    "xai": ("xai", "xai/"), "xiaomi_mimo": ("xiaomi", "xiaomi_mimo/"), "zai": ("zai", "zai/"),
}  # fmt: skip
"""litellm's ``litellm_provider`` to our slug and the prefix of its keys."""

BOOK: dict[str, str] = {
    "arcee": "arcee", "avian": "avian", "baseten": "baseten", "cerebras": "cerebras", "cloudflare": "cloudflare-workers-ai",
    "cohere": "cohere", "deepseek": "deepseek", "doubleword": "doubleword", "meta": "meta", "minimax": "minimax",
    "mistral": "mistral", "modal": "modal", "moonshotai": "moonshot", "novita": "novita", "ovhcloud": "ovhcloud",
    "perplexity": "perplexity", "voyageai": "voyage", "x-ai": "xai", "zai": "zai",
}  # fmt: skip
"""genai-prices' providers whose ids are the ids that are asked for, to our slugs. The others are read at run time only."""

HUGGINGFACE = "huggingface_"
"""genai-prices keeps Hugging Face's hosts apart; its router asks for them as ``model:host``."""

MODELS_DEV: dict[str, str] = {
    slug: slug
    for slug in (
        "302ai", "abacus", "ai21", "aihubmix", "alibaba", "anthropic", "arcee", "baseten", "berget", "cerebras", "chutes",
        "clarifai", "cloudflare-workers-ai", "cohere", "cortecs", "crusoe", "deepinfra", "deepseek", "digitalocean", "evroc",
        "friendli", "google-vertex", "groq", "helicone", "hpc-ai", "huggingface", "inception", "io-net", "kilo", "llmgateway",
        "meganova", "meta", "minimax", "mistral", "modal", "morph", "nano-gpt", "nebius", "neuralwatt", "ofox", "openai",
        "openrouter", "ovhcloud", "perplexity", "pioneer", "poe", "requesty", "sakana", "scaleway", "siliconflow", "stackit",
        "synthetic", "tinfoil", "upstage", "venice", "volcengine", "vultr", "wandb", "xai", "xiaomi", "zai", "zenmux",
    )
} | {
    "alibaba-cn": "alibaba-china", "amazon-bedrock": "aws-bedrock", "azure": "azure-openai", "fireworks-ai": "fireworks",
    "gmicloud": "gmi", "google": "google-ai-studio", "inference": "inference-net", "moonshotai": "moonshot", "nearai": "near",
    "novita-ai": "novita", "regolo-ai": "regolo", "siliconflow-cn": "siliconflow-china", "stepfun-ai": "stepfun",
    "togetherai": "together", "vercel": "vercel-ai-gateway",
}  # fmt: skip
"""models.dev's providers to our slugs."""
