"""Putting a model on offer at a provider, and its price: one model at a time, for operators and the sandbox."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import transaction

from apps.catalog.models import (
    AMOUNTS,
    TIER_PRICES,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceSource,
    Provider,
)
from apps.catalog.selectors import prices_in_force
from apps.catalog.services.errors import CatalogError
from apps.common import clock
from apps.common.money import divide_half_up

CACHE_WRITES: Mapping[str, tuple[int, int]] = {"anthropic": (125, 200)}
"""What a vendor takes for five minutes and for an hour in its cache, in percent of the input price: hosts pass it on, and most name
the first alone or neither. https://platform.claude.com/docs/en/about-claude/pricing#prompt-caching, 2026-11-22."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierAmounts:
    """What a request costs whose input is longer than ``above`` tokens."""

    above: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int
    audio_input: int = 0
    audio_output: int = 0

    @property
    def numbers(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in TIER_PRICES}

    @classmethod
    def of(cls, *, above: int, **told: int) -> "TierAmounts":
        """What is not told is as in ``Amounts.of``."""
        amounts = Amounts.of(**told)
        return cls(above=above, **{name: getattr(amounts, name) for name in TIER_PRICES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """A price's numbers, as in ``models.price``."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int
    audio_input: int = 0
    audio_output: int = 0
    images: int = 0
    characters: int = 0
    seconds: int = 0
    searches: int = 0
    request: int = 0
    tiers: tuple[TierAmounts, ...] = ()
    """By rising thresholds."""

    @property
    def numbers(self) -> dict[str, int]:
        """Without the tiers."""
        return {name: getattr(self, name) for name in AMOUNTS}

    @property
    def base(self) -> "Amounts":
        """The same without tiers."""
        return replace(self, tiers=())

    def as_json(self) -> dict[str, Any]:
        """As a proposal keeps it and a price row takes it."""
        return {
            **self.numbers,
            **({"tiers": [asdict(tier) for tier in self.tiers]} if self.tiers else {}),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Amounts":
        tiers = tuple(TierAmounts(**tier) for tier in kept.get("tiers") or ())
        numbers: dict[str, Any] = {name: kept[name] for name in AMOUNTS if name in kept}
        return cls(**numbers, tiers=tiers)

    def with_tiers(self, tiers: Iterable[TierAmounts]) -> "Amounts":
        """Raises CatalogError for thresholds that do not rise, or an amount below zero."""
        found = tuple(tiers)
        for place, tier in enumerate(found):
            if tier.above <= (found[place - 1].above if place else 0):
                raise CatalogError(
                    "tiers", "must begin at rising numbers of input tokens, all above zero."
                )
            if min(tier.numbers.values()) < 0:
                raise CatalogError("tiers", "must not cost less than nothing.")
        return replace(self, tiers=found)

    @classmethod
    def of(
        cls,
        *,
        input: int,  # noqa: A002 - the bucket's name everywhere
        output: int,
        cache_read: int | None = None,
        cache_write_5m: int | None = None,
        cache_write_1h: int | None = None,
        reasoning: int | None = None,
        **units: int,
    ) -> "Amounts":
        """What is not known costs what it would cost without a cache, and reasoning costs what output costs."""
        write_5m = input if cache_write_5m is None else cache_write_5m
        others: dict[str, Any] = units
        return cls(
            input=input,
            output=output,
            cache_read=input if cache_read is None else cache_read,
            cache_write_5m=write_5m,
            cache_write_1h=write_5m if cache_write_1h is None else cache_write_1h,
            reasoning=output if reasoning is None else reasoning,
            **others,
        )

    @classmethod
    def of_model(cls, model_id: str, told: Mapping[str, int | None]) -> "Amounts":
        """The same of what a source tells of a model; writing to the cache, where it says nothing of that, costs what the
        model's vendor takes."""
        amounts: dict[str, int] = {
            "input": 0, "output": 0, **{name: amount for name, amount in told.items() if amount is not None}
        }  # fmt: skip
        if factors := CACHE_WRITES.get(model_id.partition("/")[0]):
            short, long = (divide_half_up(amounts["input"] * percent, 100) for percent in factors)
            amounts.setdefault("cache_write_5m", short)
            amounts.setdefault("cache_write_1h", max(long, amounts["cache_write_5m"]))
        return cls.of(**amounts)

    @classmethod
    def from_price(cls, price: Price) -> "Amounts":
        return cls.from_json({**price.amounts, "tiers": price.tiers})


@transaction.atomic
def offer(
    provider: Provider,
    *,
    model_id: str,
    upstream_model: str,
    name: str = "",
    description: str = "",
    context_length: int | None = None,
    max_output_tokens: int | None = None,
    priority: int | None = None,
    parameters: tuple[str, ...] = (),
    takes: tuple[str, ...] = ("text",),
    gives: tuple[str, ...] = ("text",),
) -> Offering:
    """Create the model and the offering, or change what is given of an offering that exists and put it on again."""
    model = Model.objects.filter(id__iexact=model_id).first() or Model(id=model_id)
    if model._state.adding:
        if ModelAlias.objects.filter(alias=model_id.lower()).exists():
            raise CatalogError(
                "model", f"must be new or a model's id, and {model_id} is an alias of a model."
            )
        model.name = name or model_id
        model.description = description
        model.context_length = context_length
        model.max_output_tokens = max_output_tokens
        model.supported_parameters = list(parameters)
        model.input_modalities = list(takes)
        model.output_modalities = list(gives)
        model.save(force_insert=True)
    given = {
        "context_length": context_length,
        "max_output_tokens": max_output_tokens,
        "priority": priority,
    }
    offering, _ = Offering.objects.update_or_create(
        provider=provider,
        upstream_model=upstream_model,
        model=model,
        defaults={"is_active": True}
        | {field: value for field, value in given.items() if value is not None},
    )
    return offering


def post_price(
    offering: Offering,
    amounts: Amounts,
    *,
    source: PriceSource,
    valid_from: datetime.datetime | None = None,
    note: str = "",
    by: str = "",
) -> Price | None:
    """Add a price, from now on unless ``valid_from`` says otherwise; None when the same numbers are in force already."""
    now = clock.now()
    if valid_from is None:
        current = prices_in_force(now).filter(offering=offering).first()
        if current is not None and Amounts.from_price(current) == amounts:
            return None
    return Price.objects.create(
        offering=offering, source=source, valid_from=valid_from or now, note=note, added_by=by, **amounts.as_json()
    )  # fmt: skip
