"""Prices: effective-dated rows of an offering. Never updated or deleted; the database refuses both.

All amounts are nano-USD: per million tokens or characters, else per image, second, search or request. The row in force is the one with the latest
``valid_from`` that has passed. ``tiers`` are what long inputs cost: see ``tier_words`` for their shape.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.db.models import Q
from typing_extensions import override

from apps.catalog.models.offering import Offering
from apps.common import clock
from apps.common.money import format_usd

TOKEN_PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning")
UNIT_PRICES = (
    "audio_input", "audio_output", "images", "characters", "seconds", "searches", "request",
)  # fmt: skip
"""Nothing for what a model does not do."""
AMOUNTS = TOKEN_PRICES + UNIT_PRICES
TIER_PRICES = (*TOKEN_PRICES, "audio_input", "audio_output")
"""What a tier has amounts of its own for: tokens."""
WORDS: Mapping[str, str] = {
    "input": "in", "output": "out", "cache_read": "cache read", "cache_write_5m": "cache write 5 min",
    "cache_write_1h": "cache write 1 h", "reasoning": "reasoning", "audio_input": "audio in", "audio_output": "audio out",
    "images": "an image", "characters": "a million characters", "seconds": "a second", "searches": "a search",
    "request": "a request",
}  # fmt: skip
"""What an amount is for, after its dollars; of tokens for a million."""
ASSUMED: Mapping[str, str] = {
    "cache_read": "input", "cache_write_5m": "input", "cache_write_1h": "cache_write_5m", "reasoning": "output",
}  # fmt: skip
"""What costs as much as something else unless it is told."""


def in_words(amounts: Mapping[str, int], *, is_whole: bool = False) -> str:
    """Dollars of nano-USD by name: those that are something, and, unless it is to be whole, not what is assumed anyway."""
    told = [
        f"{format_usd(amounts[name])} {words}"
        for name, words in WORDS.items()
        if amounts.get(name) and (is_whole or amounts[name] != amounts.get(ASSUMED.get(name, "")))
    ]
    return ", ".join(told) or "free"


def tier_words(tiers: Iterable[Mapping[str, int]]) -> str:
    """Of tiers as rows have them: ``above`` (input tokens of a request that is still below), and an amount for each of
    ``TIER_PRICES``."""
    return "".join(f"; above {tier['above']:,} input tokens {in_words(tier)}" for tier in tiers)


class PriceSource(models.TextChoices):
    SEED = "seed", "Seed: shipped with the release"
    GENAI_PRICES = "genai-prices", "genai-prices: the price book"
    PROVIDER = "provider", "Provider: its own list"
    MANUAL = "manual", "Manual: manage.py provider"
    SANDBOX = "sandbox", "Sandbox"
    STAFF = "staff", "Staff: the admin"


RANKS: Mapping[str, int] = {
    PriceSource.SEED: 0,
    PriceSource.GENAI_PRICES: 1,
    PriceSource.PROVIDER: 2,
    PriceSource.MANUAL: 3,
    PriceSource.STAFF: 3,
    PriceSource.SANDBOX: 3,
}
"""The higher beats the lower."""
OVERRIDE = 3
"""The rank of what a human has said."""


class Price(models.Model):
    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="prices")
    valid_from = models.DateTimeField(default=clock.now, db_index=True)
    input = models.BigIntegerField()
    output = models.BigIntegerField()
    cache_read = models.BigIntegerField()
    cache_write_5m = models.BigIntegerField()
    cache_write_1h = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    audio_input = models.BigIntegerField(default=0)
    audio_output = models.BigIntegerField(default=0)
    images = models.BigIntegerField("per image", default=0)
    characters = models.BigIntegerField("per million characters", default=0)
    seconds = models.BigIntegerField("per second", default=0)
    searches = models.BigIntegerField("per search", default=0)
    request = models.BigIntegerField("per request", default=0)
    tiers: Any = models.JSONField(
        null=True,
        blank=True,
        help_text="What long inputs cost; empty when their length does not matter.",
    )
    source = models.CharField(max_length=16, choices=PriceSource.choices)
    note = models.CharField(max_length=200, blank=True)
    added_by = models.CharField(
        max_length=254, blank=True, help_text="Who of staff; empty for what a source told."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["offering", "valid_from"], name="catalog_price_once_per_moment"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__gte": 0}), name=f"catalog_price_{name}_not_negative"
                )
                for name in AMOUNTS
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.offering}: {self.words}"

    @property
    def words(self) -> str:
        return in_words(self.amounts) + tier_words(self.tiers or ())

    @property
    def is_override(self) -> bool:
        return RANKS[self.source] >= OVERRIDE

    @property
    def amounts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in AMOUNTS}
