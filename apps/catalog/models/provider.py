"""Providers: what an operator decides about them while the gateway runs.

Facts that ship with a release (paths, headers, quirks, authentication) stand in ``apps.catalog.providers.registry``;
a row whose slug is not there follows the template of its wire.
"""

from django.db import models
from django.db.models import Q
from typing_extensions import override

from apps.catalog.providers.spec import UsageConvention, Wire
from apps.common.db import Timestamped

TIMEOUT_FIELDS = ("connect", "first_content", "first_content_last", "idle", "reasoning", "total")
"""Fields of ``spec.Timeouts``; each has a column of that name plus ``_seconds``, empty for the code's default."""


def wire_choices() -> list[tuple[str, str]]:
    return [(wire.value, wire.value) for wire in Wire]


def usage_choices() -> list[tuple[str, str]]:
    return [(convention.value, convention.value) for convention in UsageConvention]


class Provider(Timestamped):
    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=True)
    wire = models.CharField(max_length=40, choices=wire_choices)
    base_url = models.CharField(
        "base URL",
        max_length=300,
        blank=True,
        help_text="Empty: the address that ships with the release.",
    )
    api_key_env = models.CharField(
        "API key variable",
        max_length=80,
        blank=True,
        help_text="Environment variable that holds the key. Empty: the one that ships with the release, or no key.",
    )
    api_key_ciphertext = models.TextField(
        blank=True, editable=False, help_text="Fernet; wins over the environment."
    )
    priority = models.PositiveIntegerField(default=50, help_text="Lower is asked first.")
    markup_ppm = models.PositiveIntegerField(
        "mark-up", default=0, help_text="Added to every price, in parts per million: 50000 is 5 %."
    )
    usage = models.CharField(
        "usage convention",
        max_length=40,
        choices=usage_choices,
        default=UsageConvention.CACHE_INSIDE_INPUT,
        help_text="Whether the reported input tokens already contain those served from the prompt cache.",
    )
    is_sandbox = models.BooleanField(
        default=False,
        help_text="Stands in for a provider: test keys may use it, and `+options` after a model's name reach it.",
    )
    collects_data = models.BooleanField(
        "collects data",
        null=True,
        blank=True,
        help_text="Whether it may use prompts for its own ends, such as training. Unknown: what ships with the release, else it counts as yes.",
    )
    keeps_nothing = models.BooleanField(
        "zero data retention",
        null=True,
        blank=True,
        help_text="Whether it stores neither prompts nor answers. Unknown: what ships with the release, else it counts as no.",
    )
    region = models.CharField(
        max_length=20,
        blank=True,
        help_text="Where prompts are processed: eu, us, … Empty when unknown, which passes no `provider.regions`.",
    )
    prefill = models.CharField(
        max_length=300,
        blank=True,
        help_text="Its models, as patterns with spaces between, that go on from a message of the assistant at the end. "
        "Empty: those that the release knows of.",
    )
    is_spent = models.BooleanField(
        default=False,
        editable=False,
        help_text="The house's account there is known to be empty: it is asked after all others.",
    )
    connect_seconds = models.FloatField(null=True, blank=True)
    first_content_seconds = models.FloatField(null=True, blank=True)
    first_content_last_seconds = models.FloatField(null=True, blank=True)
    idle_seconds = models.FloatField(null=True, blank=True)
    reasoning_seconds = models.FloatField(null=True, blank=True)
    total_seconds = models.FloatField(null=True, blank=True)
    docs = models.CharField(
        max_length=300, blank=True, help_text="The page that describes its API."
    )

    class Meta:
        ordering = ["priority", "slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(**{f"{name}_seconds": None}) | Q(**{f"{name}_seconds__gt": 0}),
                name=f"catalog_provider_{name}_positive",
            )
            for name in TIMEOUT_FIELDS
        ]

    @override
    def __str__(self) -> str:
        return self.slug
