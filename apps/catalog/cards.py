"""Model cards: how the models routes show a model and its hosts. OpenAI's list shape with OpenRouter's extensions."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from apps.catalog.benchmarks import tell_results
from apps.catalog.providers.canonical import VARIANT
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot
from apps.common.money import NANO_PER_USD, TOKENS_PER_PRICE_UNIT
from apps.common.usage import Rates

DIGITS_PER_TOKEN = len(str(NANO_PER_USD * TOKENS_PER_PRICE_UNIT)) - 1
DIGITS_PER_UNIT = len(str(NANO_PER_USD)) - 1

PRICES: Mapping[str, tuple[str, int]] = {
    "prompt": ("input", DIGITS_PER_TOKEN),
    "completion": ("output", DIGITS_PER_TOKEN),
    "request": ("request", DIGITS_PER_UNIT),
    "image": ("images", DIGITS_PER_UNIT),
    "audio": ("audio_input", DIGITS_PER_TOKEN),
    "input_cache_read": ("cache_read", DIGITS_PER_TOKEN),
    "input_cache_write": ("cache_write_5m", DIGITS_PER_TOKEN),
    "internal_reasoning": ("reasoning", DIGITS_PER_TOKEN),
    "input_cache_write_1h": ("cache_write_1h", DIGITS_PER_TOKEN),
    "audio_output": ("audio_output", DIGITS_PER_TOKEN),
    "character": ("characters", DIGITS_PER_TOKEN),
    "second": ("seconds", DIGITS_PER_UNIT),
    "search": ("searches", DIGITS_PER_UNIT),
}
"""The public name of a price, its field of ``Rates`` and how many digits its unit has."""
ALWAYS_SHOWN = frozenset(list(PRICES)[:8])
"""OpenRouter's own, shown as "0" too; the others only where something is charged."""


def exact_usd(amount: int, *, digits: int) -> str:
    """``amount`` × 10^-``digits`` dollars as a decimal string without exponent and without trailing zeros."""
    whole, fraction = divmod(amount, 10**digits)
    decimals = f"{fraction:0{digits}d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def per_token(price: int) -> str:
    """A price in nano-USD per million tokens as dollars per token: 150_000_000 → ``0.00000015``."""
    return exact_usd(price, digits=DIGITS_PER_TOKEN)


def pricing(rates: Rates) -> dict[str, str]:
    """Dollars for one token, character, image, second, search or request."""
    return {
        name: exact_usd(amount, digits=digits)
        for name, (field, digits) in PRICES.items()
        if (amount := getattr(rates, field)) or name in ALWAYS_SHOWN
    }


def priced(rates: Rates) -> dict[str, Any]:
    """The prices of a card and, where long inputs cost something else, those with the input tokens that a request of theirs
    has more than."""
    tiers = [
        {"above_input_tokens": tier.above, "pricing": pricing(tier.rates)} for tier in rates.tiers
    ]
    return {"pricing": pricing(rates), **({"pricing_tiers": tiers} if tiers else {})}


def is_free(rates: Rates) -> bool:
    return not any(getattr(rates, field) for field, _ in PRICES.values())


def canonical_slug(model_id: str) -> str:
    """The id without the way it is offered: ``acme/large`` of ``acme/large:free``."""
    base, _, variant = model_id.rpartition(":")
    return base if base and VARIANT.match(variant) else model_id


def author_of(model: ModelSnapshot) -> str:
    return model.owner or model.offerings[0].provider.slug


def architecture(model: ModelSnapshot) -> dict[str, Any]:
    sides = (model.input_modalities, model.output_modalities)
    return {
        "input_modalities": model.input_modalities,
        "output_modalities": model.output_modalities,
        "modality": "->".join("+".join(side) for side in sides),
        "tokenizer": None,
    }


def model_card(model: ModelSnapshot) -> dict[str, Any]:
    """The card of a model with at least one offering; prices and limits are those of the offering asked first."""
    first = model.offerings[0]
    context_length = first.context_length or model.context_length
    return {
        "id": model.id,
        "canonical_slug": canonical_slug(model.id),
        "object": "model",
        "created": model.created,
        "owned_by": author_of(model),
        "name": model.name,
        "description": model.description,
        "context_length": model.context_length or context_length,
        "architecture": architecture(model),
        **priced(first.rates),
        "top_provider": {
            "context_length": context_length,
            "max_completion_tokens": first.max_output_tokens or model.max_output_tokens,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": model.supported_parameters,
        **_benchmarks(model),
        "providers": list(dict.fromkeys(offering.provider.slug for offering in model.offerings)),
        "endpoints": [_brief_endpoint(model, offering) for offering in model.offerings],
    }


def _benchmarks(model: ModelSnapshot) -> dict[str, Any]:
    """Published results, where there are some; ``:free`` is the same model."""
    told = tell_results(canonical_slug(model.id))
    return {"benchmarks": told} if told else {}


def _brief_endpoint(model: ModelSnapshot, offering: OfferingSnapshot) -> dict[str, Any]:
    """What differs between the hosts of a model."""
    return {
        "provider": offering.provider.slug,
        "upstream_model": offering.upstream_model,
        **priced(offering.rates),
        "context_length": offering.context_length or model.context_length,
        "max_completion_tokens": offering.max_output_tokens or model.max_output_tokens,
        "quantization": offering.quantization or None,
        "supported_parameters": model.capabilities_at(offering).parameters,
    }


def endpoint_card(model: ModelSnapshot, offering: OfferingSnapshot) -> dict[str, Any]:
    """One host of a model, in OpenRouter's words; what has been observed of it is not known here."""
    provider = offering.provider
    quantization = offering.quantization or None
    return {
        "name": f"{provider.name} | {model.id}",
        "model_id": model.id,
        "model_name": model.name,
        "provider": provider.slug,
        "provider_name": provider.name,
        "tag": f"{provider.slug}/{quantization}" if quantization else provider.slug,
        "upstream_model": offering.upstream_model,
        "context_length": offering.context_length or model.context_length,
        "max_completion_tokens": offering.max_output_tokens or model.max_output_tokens,
        "max_prompt_tokens": None,
        "quantization": quantization,
        **priced(offering.rates),
        "supported_parameters": model.capabilities_at(offering).parameters,
        "status": 0,
    }


def render_list(models: Iterable[ModelSnapshot]) -> bytes:
    """The body of GET /v1/models."""
    return orjson.dumps({"object": "list", "data": [model_card(model) for model in models]})
