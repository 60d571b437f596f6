"""The table of all environment variables. ``gatewayz.env`` reads them, and nobody else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    default: str
    help: str


VARIABLES: dict[str, Variable] = {
    "GATEWAYZ_DATA_DIR": Variable("var", "Where the embedded database, secrets and demo.json live"),
    "PORT": Variable("8000", "TCP port of the web process"),
    "HOST": Variable("127.0.0.1", "Address the web process listens on"),
    "WEB_CONCURRENCY": Variable(
        "1", "Web processes; more than one needs REDIS_URL and DATABASE_URL"
    ),
    "DEBUG": Variable("false", "Django debug pages, and daphne behind `manage.py runserver`"),
    "ALLOWED_HOSTS": Variable(
        "localhost,127.0.0.1,[::1]", "Host names that the gateway answers to, comma separated"
    ),
    "CSRF_TRUSTED_ORIGINS": Variable(
        "", "Origins (https://host) allowed to post forms, comma separated"
    ),
    "BEHIND_TLS": Variable(
        "false", "A proxy terminates TLS: secure cookies, HSTS, X-Forwarded-Proto is trusted"
    ),
    "SECRET_KEY": Variable(
        "", "Django's signing key; made and kept in the data directory when embedded"
    ),
    "KEY_PEPPER": Variable(
        "", "Pepper of the API key hashes; made and kept in the data directory when embedded"
    ),
    "KEYRING": Variable(
        "", "Fernet keys, newest first, comma separated; made and kept when embedded"
    ),
    "RECEIPT_KEYS": Variable(
        "",
        "Seeds of the Ed25519 keys that sign receipts, newest first, comma separated; made and kept when embedded",
    ),
    "DATABASE_URL": Variable(
        "", "postgres://user:password@host:port/name; empty means embedded SQLite"
    ),
    "DATABASE_POOL_SIZE": Variable("10", "Most PostgreSQL connections per process"),
    "REDIS_URL": Variable(
        "",
        "redis://host:port/db for limits, cache, channel layer and Celery; empty means in-process",
    ),
    "SANDBOX": Variable(
        "", "true lists the sandbox provider's models; default: on when embedded, off otherwise"
    ),
    "SANDBOX_URL": Variable(
        "", "Base URL of a running sandbox provider; `serve` starts its own when empty"
    ),
    "LOG_LEVEL": Variable("INFO", "Lowest level that is logged"),
    "SENTRY_DSN": Variable("", "Report errors to this Sentry project"),
    "METRICS_TOKEN": Variable(
        "", "Bearer token for /metrics from elsewhere; loopback may always read it"
    ),
    "MAX_IN_FLIGHT": Variable(
        "1000", "Requests that one web process serves at a time; more get a 503 at once"
    ),
    "HOLD_LEASE_SECONDS": Variable(
        "60", "A hold whose process has not renewed it for this long is released"
    ),
    "IDEMPOTENCY_KEPT_SECONDS": Variable(
        "86400", "How long the answer to an Idempotency-Key is kept"
    ),
    "KEPT_ANSWERS": Variable(
        "20000",
        "Answers that the process keeps at most for Idempotency-Key, and as many for the response cache; without REDIS_URL",
    ),
    "KEPT_ANSWERS_MEGABYTES": Variable(
        "256", "Memory for each of the two, compressed; without REDIS_URL"
    ),
    "SEMANTIC_CACHE_MODEL": Variable(
        "",
        "Embedding model that finds similar questions for `x-gatewayz-cache: semantic`; default: the sandbox's where it is listed",
    ),
    "BYOK_FEE_PERCENT": Variable(
        "5",
        "Routing fee where a customer's own key at the provider is used, in percent of the price; 0 to 100, two decimals",
    ),
    "PRICE_CHANGE_PERCENT": Variable(
        "25",
        "How far a found price may be from the one in force without waiting for staff; 0 to 100, two decimals",
    ),
    "PROBE_MONTHLY_USD": Variable(
        "5", "What probes of providers may cost in a month, in dollars; 0 turns them off"
    ),
    "PROBES_KEPT_DAYS": Variable("90", "How long the results of probes are kept; at least 31"),
    "LOW_UPSTREAM_BALANCE_USD": Variable(
        "10", "Warn when less than so many dollars are left at a provider that tells its balance"
    ),
    "PUBLIC_URL": Variable(
        "http://127.0.0.1:8000", "Where people find this gateway; for the links in e-mails"
    ),
    "MAIL_FROM": Variable("Gatewayz <noreply@localhost>", "Sender of e-mails"),
    "RESEND_API_KEY": Variable(
        "", "Sends e-mails through Resend; without it they are printed to the console"
    ),
    "LOW_CREDIT_USD": Variable(
        "10", "Organisations that have paid are told when they have less credit, in dollars"
    ),
    "STRIPE_SECRET_KEY": Variable("", "Stripe's secret key; empty: no payments"),
    "STRIPE_PUBLISHABLE_KEY": Variable(
        "", "Stripe's publishable key, handed to pages that take cards themselves"
    ),
    "STRIPE_WEBHOOK_SECRET": Variable(
        "",
        "Signing secret of the webhook /api/stripe/webhook; several, comma separated, while it is changed",
    ),
    "STRIPE_API_BASE": Variable("https://api.stripe.com", "Where Stripe's API is asked"),
    "TOP_UP_FEE_PERCENT": Variable(
        "5", "Fee on top of bought credit, in percent of its price; 0 to 100, two decimals"
    ),
    "REFUND_DAYS": Variable(
        "14", "How many days after a payment its customer may take unspent credit back"
    ),
    "OPENAI_API_KEY": Variable("", "House key for OpenAI"),
    "ANTHROPIC_API_KEY": Variable("", "House key for Anthropic"),
    "OPENROUTER_API_KEY": Variable("", "House key for OpenRouter"),
    "GROQ_API_KEY": Variable("", "House key for Groq"),
    "DEEPINFRA_API_KEY": Variable("", "House key for DeepInfra"),
    "TOGETHER_API_KEY": Variable("", "House key for Together AI"),
    "AIHUBMIX_API_KEY": Variable("", "House key for AiHubMix"),
    "AIMO_API_KEY": Variable("", "House key for AIMO"),
    "AKASH_API_KEY": Variable("", "House key for AkashML"),
    "ALIBABA_CLOUD_API_KEY": Variable("", "House key for Alibaba Cloud (international)"),
    "ALIBABA_CLOUD_API_KEY_CHINA": Variable("", "House key for Alibaba Cloud (China)"),
    "ALPACA_NETWORK_API_KEY": Variable("", "House key for Alpaca Network"),
    "ANANNAS_API_KEY": Variable("", "House key for Anannas"),
    "AWS_BEDROCK_API_KEY": Variable(
        "",
        "House key for AWS Bedrock: an API key, or <access key id>:<secret access key>, with :<session token> if there is one",
    ),
    "AZURE_OPENAI_API_KEY": Variable("", "House key for Azure OpenAI"),
    "CANOPYWAVE_API_KEY": Variable("", "House key for Canopy Wave"),
    "CEREBRAS_API_KEY": Variable("", "House key for Cerebras"),
    "CHUTES_API_KEY": Variable("", "House key for Chutes"),
    "CLARIFAI_API_KEY": Variable("", "House key for Clarifai"),
    "CLOUDFLARE_API_TOKEN": Variable("", "House key for Cloudflare Workers AI"),
    "COHERE_API_KEY": Variable("", "House key for Cohere"),
    "DEEPSEEK_API_KEY": Variable("", "House key for DeepSeek"),
    "FAL_API_KEY": Variable("", "House key for fal"),
    "FEATHERLESS_API_KEY": Variable("", "House key for Featherless"),
    "FIREWORKS_API_KEY": Variable("", "House key for Fireworks AI"),
    "GEMINI_API_KEY": Variable("", "House key for Google AI Studio"),
    "GOOGLE_APPLICATION_CREDENTIALS": Variable(
        "", "House key for Google Vertex AI: a service account's JSON, or the path to it"
    ),
    "HELICONE_API_KEY": Variable("", "House key for Helicone AI Gateway"),
    "HUG_API_KEY": Variable("", "House key for Hugging Face"),
    "LM_STUDIO_API_KEY": Variable("", "House key for LM Studio; optional"),
    "META_API_KEY": Variable("", "House key for Meta Model API"),
    "MINIMAX_API_KEY": Variable("", "House key for MiniMax"),
    "MISTRAL_API_KEY": Variable("", "House key for Mistral AI"),
    "MODELZ_API_KEY": Variable("", "House key for Modelz"),
    "MOONSHOT_API_KEY": Variable("", "House key for Moonshot AI"),
    "MORPHEUS_API_KEY": Variable("", "House key for Morpheus"),
    "NEAR_API_KEY": Variable("", "House key for NEAR AI"),
    "NEBIUS_API_KEY": Variable("", "House key for Nebius Token Factory"),
    "NOSANA_API_KEY": Variable("", "House key for Nosana"),
    "NOVITA_API_KEY": Variable("", "House key for Novita AI"),
    "NVIDIA_API_KEY": Variable("", "House key for NVIDIA NIM"),
    "OLLAMA_API_KEY": Variable("", "House key for Ollama; optional"),
    "ONEROUTER_API_KEY": Variable("", "House key for Infron AI"),
    "PERPLEXITY_API_KEY": Variable("", "House key for Perplexity"),
    "PORTKEY_API_KEY": Variable("", "House key for Portkey"),
    "SAMBANOVA_API_KEY": Variable("", "House key for SambaNova"),
    "SIMPLISMART_API_KEY": Variable("", "House key for Simplismart"),
    "SOUNDSGOOD_API_KEY": Variable("", "House key for Soundsgood"),
    "SYBIL_API_KEY": Variable("", "House key for Sybil"),
    "VERCEL_AI_GATEWAY_API_KEY": Variable("", "House key for Vercel AI Gateway"),
    "VLLM_API_KEY": Variable("", "House key for vLLM; optional"),
    "XAI_API_KEY": Variable("", "House key for xAI"),
    "XIAOMI_API_KEY": Variable("", "House key for Xiaomi MiMo"),
    "ZAI_API_KEY": Variable("", "House key for Z.AI"),
    "AI21_API_KEY": Variable("", "House key for AI21 Labs"),
    "BASETEN_API_KEY": Variable("", "House key for Baseten"),
    "CRUSOE_API_KEY": Variable("", "House key for Crusoe"),
    "DIGITALOCEAN_INFERENCE_KEY": Variable("", "House key for DigitalOcean"),
    "FRIENDLI_TOKEN": Variable("", "House key for FriendliAI"),
    "GMI_API_KEY": Variable("", "House key for GMI Cloud"),
    "HYPERBOLIC_API_KEY": Variable("", "House key for Hyperbolic"),
    "INCEPTION_API_KEY": Variable("", "House key for Inception"),
    "MORPH_API_KEY": Variable("", "House key for Morph"),
    "NSCALE_API_KEY": Variable("", "House key for Nscale"),
    "OVHCLOUD_API_KEY": Variable("", "House key for OVHcloud AI Endpoints"),
    "SCW_SECRET_KEY": Variable("", "House key for Scaleway"),
    "VOYAGE_API_KEY": Variable("", "House key for Voyage AI"),
    "WANDB_API_KEY": Variable("", "House key for Weights & Biases Inference"),
    "ARCEE_API_KEY": Variable("", "House key for Arcee AI"),
    "AVIAN_API_KEY": Variable("", "House key for Avian"),
    "BERGET_API_KEY": Variable("", "House key for Berget AI"),
    "DOUBLEWORD_API_KEY": Variable("", "House key for Doubleword"),
    "EVROC_API_KEY": Variable("", "House key for evroc"),
    "HPC_AI_API_KEY": Variable("", "House key for HPC-AI"),
    "INFERENCE_API_KEY": Variable("", "House key for Inference.net"),
    "IOINTELLIGENCE_API_KEY": Variable("", "House key for io.net"),
    "MEGANOVA_API_KEY": Variable("", "House key for MegaNova"),
    "MODAL_PROXY_TOKEN": Variable("", "House key for Modal"),
    "NEURALWATT_API_KEY": Variable("", "House key for Neuralwatt"),
    "PIONEER_API_KEY": Variable("", "House key for Pioneer"),
    "REGOLO_API_KEY": Variable("", "House key for Regolo AI"),
    "SAKANA_API_KEY": Variable("", "House key for Sakana AI"),
    "SILICONFLOW_API_KEY": Variable("", "House key for SiliconFlow"),
    "SILICONFLOW_CN_API_KEY": Variable("", "House key for SiliconFlow (China)"),
    "STACKIT_API_KEY": Variable("", "House key for STACKIT"),
    "STEPFUN_API_KEY": Variable("", "House key for StepFun"),
    "SYNTHETIC_API_KEY": Variable("", "House key for Synthetic"),
    "TENSORMESH_INFERENCE_API_KEY": Variable("", "House key for Tensormesh"),
    "TINFOIL_API_KEY": Variable("", "House key for Tinfoil"),
    "UPSTAGE_API_KEY": Variable("", "House key for Upstage"),
    "VENICE_API_KEY": Variable("", "House key for Venice AI"),
    "ARK_API_KEY": Variable("", "House key for Volcengine Ark"),
    "VULTR_API_KEY": Variable("", "House key for Vultr Inference"),
    "AI302_API_KEY": Variable("", "House key for 302.AI"),
    "ABACUS_API_KEY": Variable("", "House key for Abacus.AI RouteLLM"),
    "CORTECS_API_KEY": Variable("", "House key for Cortecs"),
    "KILO_API_KEY": Variable("", "House key for Kilo Gateway"),
    "LLMGATEWAY_API_KEY": Variable("", "House key for LLM Gateway"),
    "NANO_GPT_API_KEY": Variable("", "House key for NanoGPT"),
    "OFOX_API_KEY": Variable("", "House key for Ofox"),
    "POE_API_KEY": Variable("", "House key for Poe"),
    "REQUESTY_API_KEY": Variable("", "House key for Requesty"),
    "ZENMUX_API_KEY": Variable("", "House key for ZenMux"),
    "AIHUBMIX_APP_CODE": Variable(
        "", "Provider setting: the application that AiHubMix gives a discount; optional"
    ),
    "ALPACA_NETWORK_BASE_URL": Variable(
        "", "Provider setting: Alpaca Network's address, up to and with the version"
    ),
    "AWS_REGION": Variable("us-east-1", "Provider setting: the region of AWS Bedrock"),
    "AZURE_OPENAI_RESOURCE": Variable(
        "", "Provider setting: the resource's name, before .openai.azure.com"
    ),
    "CLOUDFLARE_ACCOUNT_ID": Variable("", "Provider setting: the account at Cloudflare"),
    "GOOGLE_PROJECT_ID": Variable("", "Provider setting: the project at Google Cloud"),
    "GOOGLE_VERTEX_LOCATION": Variable(
        "us-central1", "Provider setting: the region of Vertex AI, for models that are not global"
    ),
    "LM_STUDIO_BASE_URL": Variable(
        "", "Provider setting: LM Studio's address, for example http://localhost:1234/v1"
    ),
    "MODELZ_BASE_URL": Variable(
        "", "Provider setting: Modelz's address, up to and with the version"
    ),
    "OLLAMA_BASE_URL": Variable(
        "", "Provider setting: Ollama's address, for example http://localhost:11434/v1"
    ),
    "OPENROUTER_APP_NAME": Variable(
        "Gatewayz", "Provider setting: the name that OpenRouter shows for this gateway"
    ),
    "OPENROUTER_SITE_URL": Variable(
        "", "Provider setting: the site that OpenRouter links to; optional"
    ),
    "SOUNDSGOOD_BASE_URL": Variable(
        "", "Provider setting: Soundsgood's address, up to and with the version"
    ),
    "VLLM_BASE_URL": Variable(
        "", "Provider setting: vLLM's address, for example http://localhost:8000/v1"
    ),
}
