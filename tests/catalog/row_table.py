"""What every row sends, as text: ``rows.txt`` is what was last read and found right, this makes what is true now.

    .venv/bin/python manage.py shell -c "from tests.catalog import row_table; row_table.write()"

writes rows.txt anew; the difference is to be read before it is committed.
"""

from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from apps.catalog.models import Provider
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import (
    AwsSignature,
    Endpoint,
    GoogleServiceAccount,
    Operation,
    ProviderSpec,
    Wire,
    auth_env,
    endpoint_of,
)
from apps.catalog.reach import read_provider
from apps.catalog.services.providers import registered_facts
from apps.catalog.snapshots import ProviderSnapshot
from apps.inference.relay import outgoing_json

TABLE = Path(__file__).with_name("rows.txt")

MODELS: dict[str, tuple[str, ...]] = {
    "aimo": ("9wzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM:Some/Model",),
    "azure-openai": ("gpt-4o", "gpt-5-pro", "claude-opus-4-7"),
    "aws-bedrock": ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "arn:aws:bedrock:us-east-1:1:inference-profile/p"),
    "cerebras": ("gpt-oss-120b", "qwen-3.8-27b"),
    "clarifai": ("https://clarifai.com/openai/chat-completion/models/gpt-oss-120b",),
    "cloudflare-workers-ai": ("@cf/openai/gpt-oss-120b", "@cf/meta/llama-3.3-70b-instruct-fp8-fast"),
    "fireworks": ("accounts/fireworks/models/GLM-5p3",),
    "google-ai-studio": ("gemini-3.5-flash",),
    "google-vertex": ("gemini-2.5-flash", "openrouter/auto", "gemini-3.5-flash", "meta/llama-4-scout-maas", "claude-sonnet-4-5@20250929"),
    "huggingface": ("Qwen/Qwen3-32B",),
    "meta": ("meta/muse-spark-1.3",),
    "moonshot": ("kimi-k3",),
    "onerouter": ("gpt-4o@2024-08-06",),
    "openai": ("gpt-4o", "gpt-5", "o3", "gpt-5-pro"),
    "openrouter": ("openrouter/auto", "openrouter/openai/gpt-4o"),
    "perplexity": ("perplexity/sonar",),
    "portkey": ("@openai-prod/gpt-4o",),
    "xai": ("x-ai/grok-4.7", "grok-4.20-non-reasoning"),
    "zai": ("GLM-5.3",),
}  # fmt: skip
"""Names with something to show; any other row is asked for ``Org/Model-1``."""

SAID = [
    {"role": "developer", "content": "Be brief"},
    {"role": "user", "content": "Hello", "name": "Ann"},
    {"role": "assistant", "content": "Hi", "tool_calls": None},
]
REQUESTS: dict[Wire | Operation, dict[str, Any]] = {
    Wire.OPENAI_CHAT: {
        "messages": SAID, "max_completion_tokens": 100, "temperature": 1.5, "seed": 1, "stop": ["."], "n": 1,
        "logprobs": True, "logit_bias": {}, "presence_penalty": 0.5, "parallel_tool_calls": True, "reasoning_effort": "minimal",
    },
    Wire.OPENAI_RESPONSES: {"input": "Hello", "max_output_tokens": 100, "reasoning": {"effort": "low"}},
    Wire.ANTHROPIC_MESSAGES: {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100, "stop_sequences": ["."]},
    Wire.GEMINI: {"contents": [{"parts": [{"text": "Hello"}]}], "generationConfig": {"maxOutputTokens": 100000}},
    Wire.BEDROCK_CONVERSE: {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
    Operation.COUNT_TOKENS: {"messages": [{"role": "user", "content": "Hello"}]},
    Operation.COMPLETIONS: {"prompt": "Once", "max_tokens": 100},
    Operation.EMBEDDINGS: {"input": ["Hello"], "dimensions": 256},
    Operation.IMAGES: {"prompt": "A cat", "size": "1024x1024"},
    Operation.SPEECH: {"input": "Hello", "voice": "alloy"},
    Operation.RERANK: {"query": "cats", "documents": ["a", "b"]},
    Operation.MODERATION: {"input": "Hello"},
}  # fmt: skip
REGIONS = {"AWS_REGION": "eu-west-1", "GOOGLE_VERTEX_LOCATION": "europe-west1"}
FORMS = (Operation.TRANSCRIPTION, Operation.IMAGE_EDITS)
STREAMED = (Operation.CHAT, Operation.COMPLETIONS)


def variable(name: str) -> str:
    """What the environment holds, for the table: keys are marked, addresses are somebody's own."""
    if name in REGIONS:
        return REGIONS[name]
    if name.endswith("_BASE_URL"):
        return f"http://{name.removesuffix('_BASE_URL').lower().replace('_', '-')}.test/v1/"
    if name == "GOOGLE_APPLICATION_CREDENTIALS":
        return "{}"  # what is no JSON is taken for a path
    return f"<{name}>"


def section(spec: ProviderSpec, provider: ProviderSnapshot) -> str:
    lines = [f"== {spec.slug}", *_headers(provider)]
    for operation in provider.endpoints:
        for endpoint, model in _asked(provider, operation):
            for stream in (False, True) if operation in STREAMED else (False,):
                lines += _request(provider, operation, endpoint, model, stream=stream)
    return "\n".join(lines) + "\n"


def _asked(provider: ProviderSnapshot, operation: Operation) -> list[tuple[Endpoint, str]]:
    """Where clients of any wire end up, for conversations with every model of the row's, else with one."""
    models = MODELS.get(provider.slug, ("Org/Model-1",))
    found = [
        (endpoint, model)
        for model in (models if operation is Operation.CHAT else models[-1:])
        for wire in Wire
        if (endpoint := endpoint_of(provider.endpoints, operation, model, wire)) is not None
    ]
    return list(dict.fromkeys(found))


def _headers(provider: ProviderSnapshot) -> list[str]:
    found = provider.request_headers()
    match provider.auth:
        case GoogleServiceAccount():
            found["authorization"] = f"Bearer (a token for <{auth_env(provider.auth)}>)"
        case AwsSignature(service=service, region_env=region):
            scope = f"{provider.settings[region]}/{service}"
            found["authorization"] = f"(signed with <{auth_env(provider.auth)}> for {scope})"
    return [f"   {name}: {value}" for name, value in sorted(found.items())]


def _request(
    provider: ProviderSnapshot,
    operation: Operation,
    endpoint: Endpoint,
    model: str,
    *,
    stream: bool,
) -> list[str]:
    kind = f"{operation.value}{' streamed' if stream else ''} on {endpoint.wire.value}"
    path = endpoint.path_for(model, stream=stream)
    if operation in FORMS:
        body, lost = f"(form) model={model}", ""
    else:
        key = endpoint.wire if operation is Operation.CHAT else operation
        asked = {"model": model, **REQUESTS[key], **_streaming(endpoint.wire, stream=stream)}
        sent = outgoing_json(asked, endpoint, (*provider.quirks, *endpoint.quirks))
        body = orjson.dumps(orjson.loads(sent.body), option=orjson.OPT_SORT_KEYS).decode()
        lost = f"   lost: {', '.join(sent.dropped)}" if sent.dropped else ""
    url = (endpoint.base_url or provider.base_url) + path
    return [f"-- {kind}", f"   {url}", f"   {body}", *([lost] if lost else [])]


def _streaming(wire: Wire, *, stream: bool) -> dict[str, Any]:
    if not stream or wire in {Wire.GEMINI, Wire.BEDROCK_CONVERSE}:
        return {}
    if wire in {Wire.OPENAI_CHAT, Wire.OPENAI_JSON}:
        return {"stream": True, "stream_options": {"include_usage": True}}
    return {"stream": True}


def committed() -> dict[str, str]:
    """The sections of the file, by slug."""
    parts = TABLE.read_text().split("== ")[1:]
    return {part.partition("\n")[0]: f"== {part.rstrip()}\n" for part in parts}


def render() -> dict[str, str]:
    """All sections as they are now. Reads no database."""
    before = settings.PROVIDER_SECRET, settings.SANDBOX_URL, settings.SANDBOX_ENABLED
    settings.PROVIDER_SECRET = variable
    settings.SANDBOX_URL, settings.SANDBOX_ENABLED = "http://sandbox.test", True
    try:
        found = {}
        for slug, spec in PROVIDERS.items():
            provider = read_provider(Provider(slug=slug, **registered_facts(spec)))
            assert provider is not None, slug
            found[slug] = section(spec, provider)
    finally:
        settings.PROVIDER_SECRET, settings.SANDBOX_URL, settings.SANDBOX_ENABLED = before
    return found


def write() -> None:
    TABLE.write_text("\n".join(render().values()))
