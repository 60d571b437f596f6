"""Clouds that host other companies' models under an account of one's own: deployments, projects, regions."""

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    CONVERSE,
    also,
    chat,
    chat_completions,
    generate_content,
    messages,
    responses,
)
from apps.catalog.providers.quirks import default, rename, stand_in_for_auto
from apps.catalog.providers.rows.anthropic_quirks import SIGNED_THINKING
from apps.catalog.providers.rows.claude_quirks import CLAUDE, CLAUDE_AT_CONVERSE
from apps.catalog.providers.rows.google_quirks import GEMINI_QUIRKS
from apps.catalog.providers.rows.openai_quirks import (
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    RESPONSES_ONLY,
    SYSTEM_ROLE,
)
from apps.catalog.providers.spec import (
    AwsSignature,
    Bearer,
    DataPolicy,
    Endpoint,
    GoogleServiceAccount,
    HeaderKey,
    Operation,
    ProviderSpec,
    Quirk,
    Tier,
    Wire,
)

AZURE_CLAUDE = ("claude-*",)

azure = ProviderSpec(
    slug="azure-openai",
    name="Azure OpenAI",
    # The v1 API, which needs no api-version. Models go by the name of their deployment, which is the model's own unless
    # whoever made it chose another. The seed offers the models' own names: what is not deployed answers with a 404, and
    # another host is asked. Deployments of other names: `manage.py provider add azure-openai --upstream-model …`.
    base_url="https://{AZURE_OPENAI_RESOURCE}.openai.azure.com/openai/v1",
    settings={"AZURE_OPENAI_RESOURCE": ""},
    # Claude's endpoint wants x-api-key (2026-11-22, anthropic 2.12.0, lib/foundry.py).
    auth=HeaderKey("api-key", "AZURE_OPENAI_API_KEY", also="x-api-key"),
    headers=ANTHROPIC_VERSION,
    endpoints={
        **chat(
            chat_completions(*OPENAI_CHAT, except_models=(*RESPONSES_ONLY, *AZURE_CLAUDE)),
            responses(*OPENAI_RESPONSES, except_models=AZURE_CLAUDE),
            # https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry, 2026-11-22
            messages(
                *CLAUDE,
                SIGNED_THINKING,
                base_url="https://{AZURE_OPENAI_RESOURCE}.services.ai.azure.com/anthropic/v1",
                models=AZURE_CLAUDE,
            ),
        ),
        **also(Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.IMAGES),
    },
    tier=Tier.DOCUMENTED,
    priority=15,
    docs="https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle",
)

bedrock = ProviderSpec(
    slug="aws-bedrock",
    name="AWS Bedrock",
    base_url="https://bedrock-runtime.{AWS_REGION}.amazonaws.com",
    settings={"AWS_REGION": "us-east-1"},
    auth=AwsSignature("AWS_BEDROCK_API_KEY", service="bedrock", region_env="AWS_REGION"),
    endpoints=CONVERSE,
    quirks=CLAUDE_AT_CONVERSE,
    tier=Tier.DOCUMENTED,
    priority=15,
    namespace="bedrock",
    price_book="aws",
    # "regional." is the book's own word for us., eu. and apac.; sound and vectors are no chat; GPT-5 and later are not
    # on Converse; Llama, DeepSeek and Palmyra are sold through regional profiles only. All of them by hand.
    price_book_skip=(
        "regional.*", "*sonic*", "*embed*", "*titan*", "mistral.voxtral*", "*openai.gpt-[5-9]*", "meta.*",
        "deepseek.*", "writer.*", "amazon.nova-premier*",
    ),
    docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
)  # fmt: skip

cloudflare = ProviderSpec(
    slug="cloudflare-workers-ai",
    name="Cloudflare Workers AI",
    base_url="https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
    settings={"CLOUDFLARE_ACCOUNT_ID": ""},
    auth=Bearer("CLOUDFLARE_API_TOKEN"),
    endpoints={
        # Responses are documented for OpenAI's open models only.
        **chat(chat_completions(SYSTEM_ROLE), responses(models=("@cf/openai/*",))),
        **also(Operation.EMBEDDINGS),
    },
    quirks=(
        rename(
            "max_completion_tokens",
            "max_tokens",
            reason="The models' schemas know only max_tokens "
            "(2026-11-21, https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility).",
        ),
    ),
    tier=Tier.DOCUMENTED,
    priority=30,
    price_book="cloudflare",
    # Translation, classifiers, vectors and moderation.
    price_book_skip=(
        "*indictrans*", "*m2m100*", "*distilbert*", "*bge-*", "*embedding*", "*guard*", "*moondream*", "*clef*",
        "*clairic*", "*phonellm*",
    ),
    docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
)  # fmt: skip

VERTEX_GLOBAL = "https://aiplatform.googleapis.com/v1/projects/{GOOGLE_PROJECT_ID}/locations/global"
GLOBAL_ONLY = ("gemini-[3-9]*", "gemini-*preview*", "gemini-*-exp*")
"""A regional address answered about a fifth of the requests for these with a 404."""

CLAUDE_VERSION = default(
    "anthropic_version",
    "vertex-2023-10-16",
    reason="The version stands in the body, not in a header "
    "(2026-11-21, https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai).",
)

AUTO = "gemini-2.5-flash"
"""What is asked in the place of OpenRouter's automatic router. The address names it, and not the offering's own name."""
NAMED_IN_ADDRESS = Quirk(
    "the model stands in the address",
    lambda body: {name: value for name, value in body.items() if name != "model"},
    reason="The body has no such field "
    "(2026-11-22, https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference).",
)

google_vertex = ProviderSpec(
    slug="google-vertex",
    name="Google Vertex AI",
    base_url="https://{GOOGLE_VERTEX_LOCATION}-aiplatform.googleapis.com/v1/projects/{GOOGLE_PROJECT_ID}"
    "/locations/{GOOGLE_VERTEX_LOCATION}",
    settings={"GOOGLE_PROJECT_ID": "", "GOOGLE_VERTEX_LOCATION": "us-central1"},
    auth=GoogleServiceAccount("GOOGLE_APPLICATION_CREDENTIALS"),
    endpoints={
        Operation.CHAT: (
            generate_content(
                prefix="/publishers/google", base_url=VERTEX_GLOBAL, models=GLOBAL_ONLY
            ),
            generate_content(prefix="/publishers/google", models=("gemini-*",)),
            Endpoint(
                Wire.GEMINI,
                f"/publishers/google/models/{AUTO}:generateContent",
                stream_path=f"/publishers/google/models/{AUTO}:streamGenerateContent?alt=sse",
                models=("openrouter/auto",),
                quirks=(NAMED_IN_ADDRESS,),
            ),
            Endpoint(
                Wire.ANTHROPIC_MESSAGES,
                "/publishers/anthropic/models/{model}:rawPredict",
                stream_path="/publishers/anthropic/models/{model}:streamRawPredict",
                models=("claude-*",),
                quirks=(CLAUDE_VERSION, *CLAUDE, SIGNED_THINKING),
            ),
            # Open models as a service: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/use-open-models
            Endpoint(
                Wire.OPENAI_CHAT,
                "/endpoints/openapi/chat/completions",
                models=("*-maas",),
                quirks=(SYSTEM_ROLE,),
            ),
        ),
        Operation.COUNT_TOKENS: (
            Endpoint(
                Wire.ANTHROPIC_MESSAGES,
                "/publishers/anthropic/models/count-tokens:rawPredict",
                models=("claude-*",),
                quirks=(*CLAUDE, SIGNED_THINKING),
            ),
        ),
    },
    quirks=(stand_in_for_auto(AUTO), *GEMINI_QUIRKS),
    tier=Tier.DOCUMENTED,
    priority=15,
    namespace="google",
    price_book="google",
    # Sound, images and vectors; retired; Gemma, which is not published by "google" here; and Claude, whose name at
    # Vertex ends with "@" and a date that the book does not know.
    price_book_skip=(
        "claude-*", "gemma*", "gemini-1*", "gemini-2.0*", "gemini-flash-*", "gemini-pro*", "*-tts*", "*live*",
        "*image*", "*embedding*", "*banana*", "*omni*", "*robotics*", "*-maas",
    ),
    # No training, for all managed models; prompts are cached and may be logged until one asks otherwise (2026-11-21).
    data_policy=DataPolicy(
        page="https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/zero-data-retention", collects=False, keeps_nothing=False
    ),
    docs="https://docs.cloud.google.com/vertex-ai/docs/generative-ai/learn/locations-genai",
)  # fmt: skip

ROWS = (azure, bedrock, cloudflare, google_vertex)
