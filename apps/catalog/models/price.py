"""Prices: effective-dated rows of an offering. Never updated or deleted; the database refuses both.

All amounts are nano-USD: per million tokens or characters, else per image, second, search or request. The row in force is the one with the latest
``valid_from`` that has passed.
"""

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


class PriceSource(models.TextChoices):
    SEED = "seed", "Seed: shipped with the release"
    GENAI_PRICES = "genai-prices", "genai-prices: the price book"
    PROVIDER = "provider", "Provider: its own list"
    MANUAL = "manual", "Manual: manage.py provider"
    SANDBOX = "sandbox", "Sandbox"
    STAFF = "staff", "Staff: the admin"


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
    source = models.CharField(max_length=16, choices=PriceSource.choices)
    note = models.CharField(max_length=200, blank=True)
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
        return f"{format_usd(self.input)} in, {format_usd(self.output)} out"
