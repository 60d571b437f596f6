"""The ``provider`` object: what a request wishes of its hosts, and what the policy of a key says. Only its shape is decided here.

https://openrouter.ai/docs/guides/routing/provider-selection. A field that nobody here knows is refused.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

Sort = Literal["price", "throughput", "latency"]
Price = Annotated[float, Meta(ge=0, le=10**6)]
Name = Annotated[str, Meta(min_length=1)]
Names = Annotated[tuple[Name, ...], Meta(max_length=100)]


class MaxPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dollars: for a million tokens, for a request, for an image."""

    prompt: Price | None = None
    completion: Price | None = None
    request: Price | None = None
    image: Price | None = None


class Preferences(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``provider`` object."""

    order: Names | None = None
    """Providers to ask first, in this order: ``deepinfra``, or ``deepinfra/fp8`` for one of its quantisations."""
    only: Names | None = None
    ignore: Names | None = None
    allow_fallbacks: bool | None = None
    """False: nobody but the first host of the plan, or those of ``order``."""
    require_parameters: bool | None = None
    """Only models that are known to take every parameter of the request."""
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    """Only hosts that keep nothing (zero data retention)."""
    quantizations: Names | None = None
    regions: Names | None = None
    """Only hosts that are known to process prompts in one of these: ``eu``."""
    sort: Sort | None = None
    max_price: MaxPrice | None = None


DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

NOBODY = Preferences(only=())
"""They leave no host."""


def read_preferences(value: Any) -> Preferences:
    """Raises msgspec.ValidationError, whose text names the field."""
    return settle(msgspec.convert(simplify(value), Preferences))


def simplify(told: Any) -> Any:
    """OpenRouter's longer ways to say the same in the short one; what is neither stays, to be refused by its field.

    ``sort: {"by": …}`` (models are never sorted among each other, so ``partition`` may only be ``model``), prices as
    decimal strings, and ``enforce_distillable_text`` where it asks for nothing: of no model is known who may learn from it.
    """
    if not isinstance(told, dict):
        return told
    plain = dict(told)
    match plain.get("sort"):
        case {"by": str(by), **rest} if rest in ({}, {"partition": "model"}, {"partition": None}):
            plain["sort"] = by
    if isinstance(prices := plain.get("max_price"), dict):
        plain["max_price"] = {name: _number(price) for name, price in prices.items()}
    if plain.get("enforce_distillable_text", "") in (None, False):
        del plain["enforce_distillable_text"]
    return plain


def _number(price: Any) -> Any:
    return float(price) if isinstance(price, str) and DECIMAL.fullmatch(price) else price


def settle(found: Preferences) -> Preferences:
    """No quantisation named is none asked for."""
    return replace(found, quantizations=None) if found.quantizations == () else found
