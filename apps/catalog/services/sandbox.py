"""The sandbox's models and prices."""

from dataclasses import dataclass

from django.db import transaction

from apps.catalog.models import PriceSource
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano

CONTEXT_LENGTH = 128_000
MAX_OUTPUT_TOKENS = 16_384
PARAMETERS = ("max_tokens", "stop", "stream", "temperature", "tool_choice", "tools", "top_p")

AMOUNTS = offers.Amounts.of(
    input=usd_to_nano("0.15"), output=usd_to_nano("0.60"), cache_read=usd_to_nano("0.075")
)


@dataclass(frozen=True, slots=True)
class SandboxModel:
    id: str
    provider: str
    upstream: str
    name: str
    description: str


MODELS = (
    SandboxModel(
        "sandbox/echo", "sandbox", "echo", "Sandbox Echo", "Answers with what it was asked."
    ),
    SandboxModel("sandbox/long", "sandbox", "long", "Sandbox Long", "Streams a long answer."),
    SandboxModel(
        "sandbox/reasoner", "sandbox", "reasoner", "Sandbox Reasoner", "Reasons before it answers."
    ),
    SandboxModel(
        "sandbox/claude",
        "sandbox-anthropic",
        "echo",
        "Sandbox Claude",
        "Echo over the Anthropic wire.",
    ),
)


@transaction.atomic
def sync_sandbox(base_url: str = "") -> int:
    """Offer the sandbox's models; how many there are. Safe to repeat.

    Without ``base_url`` the rows follow the setting SANDBOX_URL; with one (the server's root, without ``/v1``) they
    are pinned to it.
    """
    for model in MODELS:
        provider = providers.register(PROVIDERS[model.provider])
        pinned = providers.check_base_url(base_url) + "/v1" if base_url else provider.base_url
        if pinned != provider.base_url:
            provider.base_url = pinned
            provider.save(update_fields=["base_url", "updated_at"])
        offering = offers.offer(
            provider,
            model_id=model.id,
            upstream_model=model.upstream,
            name=model.name,
            description=model.description,
            context_length=CONTEXT_LENGTH,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            parameters=PARAMETERS,
        )
        offers.post_price(offering, AMOUNTS, source=PriceSource.SANDBOX)
    return len(MODELS)
