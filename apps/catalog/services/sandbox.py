"""The sandbox's models and prices."""

import dataclasses
from dataclasses import dataclass

from django.db import transaction

from apps.catalog.models import PriceSource
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano

CONTEXT_LENGTH = 128_000
MAX_OUTPUT_TOKENS = 16_384
PARAMETERS = ("max_tokens", "response_format", "stop", "stream", "structured_outputs", "temperature", "tool_choice", "tools", "top_p")  # fmt: skip

TEXT = offers.Amounts.of(
    input=usd_to_nano("0.15"), output=usd_to_nano("0.60"), cache_read=usd_to_nano("0.075")
)
SEARCHING = dataclasses.replace(TEXT, searches=usd_to_nano("0.01"))
PER_MILLION_TOKENS = offers.Amounts.of(input=usd_to_nano("0.02"), output=0)


def per_unit(**units: str) -> offers.Amounts:
    """Dollars for each image, search or second, or for a million characters."""
    return offers.Amounts.of(
        input=0, output=0, **{name: usd_to_nano(price) for name, price in units.items()}
    )


@dataclass(frozen=True, slots=True)
class SandboxModel:
    id: str
    provider: str
    upstream: str
    name: str
    description: str
    gives: str = "text"
    amounts: offers.Amounts = TEXT
    takes: tuple[str, ...] = ("text",)
    parameters: tuple[str, ...] = ()
    """Beside those that every model that converses takes."""


MODELS = (
    SandboxModel(
        "sandbox/echo", "sandbox", "echo", "Sandbox Echo", "Answers with what it was asked."
    ),
    SandboxModel("sandbox/long", "sandbox", "long", "Sandbox Long", "Streams a long answer."),
    SandboxModel(
        "sandbox/reasoner",
        "sandbox",
        "reasoner",
        "Sandbox Reasoner",
        "Reasons before it answers.",
        parameters=("include_reasoning", "reasoning"),
    ),
    SandboxModel(
        "sandbox/claude",
        "sandbox-anthropic",
        "echo",
        "Sandbox Claude",
        "Echo over the Anthropic wire.",
        amounts=SEARCHING,
    ),
    SandboxModel(
        "sandbox/gemini", "sandbox-gemini", "echo", "Sandbox Gemini", "Echo over Google's wire."
    ),
    SandboxModel(
        "sandbox/converse",
        "sandbox-bedrock",
        "echo",
        "Sandbox Converse",
        "Echo over Amazon's wire.",
    ),
    SandboxModel(
        "sandbox/responses",
        "sandbox-responses",
        "echo",
        "Sandbox Responses",
        "Echo over OpenAI's Responses.",
        amounts=SEARCHING,
    ),
    SandboxModel(
        "sandbox/embedding",
        "sandbox",
        "embedding",
        "Sandbox Embedding",
        "Turns texts into vectors.",
        "embeddings",
        PER_MILLION_TOKENS,
    ),
    SandboxModel(
        "sandbox/image",
        "sandbox",
        "image",
        "Sandbox Image",
        "Paints in one colour.",
        "image",
        per_unit(images="0.04"),
        takes=("text", "image"),
    ),
    SandboxModel(
        "sandbox/transcription",
        "sandbox",
        "transcription",
        "Sandbox Transcription",
        "Hears, by the second.",
        "transcription",
        per_unit(seconds="0.0001"),
        takes=("audio",),
    ),
    SandboxModel(
        "sandbox/transcription-tokens",
        "sandbox",
        "transcription-tokens",
        "Sandbox Transcription by Tokens",
        "Hears, by the token, and streams.",
        "transcription",
    ),
    SandboxModel(
        "sandbox/speech",
        "sandbox",
        "speech",
        "Sandbox Speech",
        "Speaks, by the character.",
        "speech",
        per_unit(characters="15"),
    ),
    SandboxModel(
        "sandbox/reranker",
        "sandbox",
        "reranker",
        "Sandbox Reranker",
        "Orders documents.",
        "rerank",
        per_unit(searches="0.002"),
    ),
    SandboxModel(
        "sandbox/moderation",
        "sandbox",
        "moderation",
        "Sandbox Moderation",
        "Classifies texts. Free.",
        "moderation",
        per_unit(),
    ),
)


@transaction.atomic
def sync_sandbox(base_url: str = "") -> int:
    """Offer the sandbox's models; how many there are. Safe to repeat.

    Without ``base_url`` the rows follow the setting SANDBOX_URL; with one (the server's root, without ``/v1``) they
    are pinned to it.
    """
    root = providers.check_base_url(base_url) if base_url else ""
    for model in MODELS:
        spec = PROVIDERS[model.provider]
        provider = providers.register(spec)
        pinned = spec.base_url.format(SANDBOX_URL=root) if root else provider.base_url
        if pinned != provider.base_url:
            provider.base_url = pinned
            provider.save(update_fields=["base_url", "updated_at"])
        is_text = model.gives == "text"
        offering = offers.offer(
            provider,
            model_id=model.id,
            upstream_model=model.upstream,
            name=model.name,
            description=model.description,
            context_length=CONTEXT_LENGTH if is_text else None,
            max_output_tokens=MAX_OUTPUT_TOKENS if is_text else None,
            parameters=tuple(sorted(PARAMETERS + model.parameters)) if is_text else (),
            takes=("text", "image") if is_text else model.takes,
            gives=(model.gives,),
        )
        offers.post_price(offering, model.amounts, source=PriceSource.SANDBOX)
    return len(MODELS)
