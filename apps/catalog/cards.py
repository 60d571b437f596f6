"""Model cards: how GET /v1/models shows a model. OpenAI's list shape with OpenRouter's extensions."""

from collections.abc import Iterable
from typing import Any

import orjson

from apps.catalog.snapshots import ModelSnapshot
from apps.common.money import NANO_PER_USD, TOKENS_PER_PRICE_UNIT

DIGITS_PER_TOKEN = len(str(NANO_PER_USD * TOKENS_PER_PRICE_UNIT)) - 1


def exact_usd(amount: int, *, digits: int) -> str:
    """``amount`` × 10^-``digits`` dollars as a decimal string without exponent and without trailing zeros."""
    whole, fraction = divmod(amount, 10**digits)
    decimals = f"{fraction:0{digits}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def per_token(price: int) -> str:
    """A price in nano-USD per million tokens as dollars per token: 150_000_000 → ``0.00000015``."""
    return exact_usd(price, digits=DIGITS_PER_TOKEN)


def model_card(model: ModelSnapshot) -> dict[str, Any]:
    """The card of a model with at least one offering; prices and limits are those of the offering asked first."""
    first = model.offerings[0]
    context_length = first.context_length or model.context_length
    return {
        "id": model.id,
        "object": "model",
        "created": int(model.created.timestamp()),
        "owned_by": model.owner or first.provider.slug,
        "name": model.name,
        "description": model.description,
        "context_length": model.context_length or context_length,
        "architecture": {
            "input_modalities": model.input_modalities,
            "output_modalities": model.output_modalities,
        },
        "pricing": {
            "prompt": per_token(first.rates.input),
            "completion": per_token(first.rates.output),
            "input_cache_read": per_token(first.rates.cache_read),
            "input_cache_write": per_token(first.rates.cache_write_5m),
            "request": exact_usd(first.rates.request, digits=9),
        },
        "top_provider": {
            "context_length": context_length,
            "max_completion_tokens": first.max_output_tokens or model.max_output_tokens,
        },
        "supported_parameters": model.supported_parameters,
        "providers": list(dict.fromkeys(offering.provider.slug for offering in model.offerings)),
    }


def render_list(models: Iterable[ModelSnapshot]) -> bytes:
    """The body of GET /v1/models."""
    return orjson.dumps({"object": "list", "data": [model_card(model) for model in models]})
