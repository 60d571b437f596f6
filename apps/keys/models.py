"""API keys, and customers' own keys at providers.

An API key itself is never stored: only its hash, its last four characters and a ciphertext. A provider's key is stored
as a ciphertext, for it must be sent to the provider.
"""

from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from typing_extensions import override

from apps.common.db import Epoch, Timestamped
from apps.common.preferences import read_preferences

LONGEST_TAG = 100


class Environment(models.TextChoices):
    LIVE = "live", "Live"
    TEST = "test", "Test: sandbox provider only, never charged"


class Recover(models.TextChoices):
    """When a host fails after part of its answer has reached the client (docs/routing.md, "Recovery")."""

    MATCH = "match", "Match: go on with a host whose answer begins with the same"
    CONTINUE = "continue", "Continue: also with a host that goes on from a given beginning"
    OFF = "off", "Off: end with an error"


def check_policy(value: Any) -> None:
    """Raises ValidationError naming the field of the ``provider`` object that is wrong."""
    try:
        read_preferences(value)
    except msgspec.ValidationError as error:
        raise ValidationError(str(error).replace("`$.", "`")) from None


class ApiKey(Timestamped):
    """A key of an organisation. Empty limits mean those of the plan."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="api_keys"
    )
    created_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    name = models.CharField(max_length=80)
    environment = models.CharField(
        max_length=4, choices=Environment.choices, default=Environment.LIVE
    )
    key_hash = models.CharField(
        max_length=64, unique=True, editable=False, help_text="HMAC-SHA256 under the pepper."
    )
    last4 = models.CharField(max_length=4, editable=False)
    ciphertext = models.TextField(
        editable=False, help_text="Fernet; exists so that the pepper can be rotated."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    concurrency = models.PositiveIntegerField(null=True, blank=True)
    cache_ttl = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="Seconds that answers are kept for the same request; empty: only when it asks for it.",
    )

    recover = models.CharField(
        max_length=8,
        choices=Recover.choices,
        default=Recover.MATCH,
        help_text="What is done when a provider fails in the middle of a stream, unless the request says so itself.",
    )

    max_cost = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Nano-USD that each request of the key may cost at most; a request can only ask for less.",
    )
    tag = models.CharField(
        max_length=LONGEST_TAG,
        blank=True,
        default="",
        db_default="",
        help_text="Of every request that has no tag of its own (docs/usage.md).",
    )

    provider_policy = models.JSONField(
        null=True,
        blank=True,
        validators=[check_policy],
        help_text='A "provider" object that holds for every request of the key, such as {"zdr": true}; '
        'requests can only narrow what it allows (docs/routing.md, "The policy of a key").',
    )

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    @override
    def __str__(self) -> str:
        return f"{self.name} (…{self.last4})"


class ProviderCredential(Timestamped):
    """An organisation's own key at a provider: asked with it, the provider bills the organisation itself (docs/byok.md)."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.CASCADE, related_name="provider_credentials"
    )
    # A slug and no foreign key: the catalogue is a sibling, whose rows are none of ours.
    provider = models.SlugField(max_length=40, help_text="The provider's slug.")
    ciphertext = models.TextField(editable=False, help_text="Fernet.")
    last4 = models.CharField(max_length=4, editable=False)
    settings = models.JSONField(
        default=dict,
        blank=True,
        help_text="Parts of the address, such as a region, by the names of docs/byok.md.",
    )
    falls_back = models.BooleanField(
        default=True, help_text="Whether the gateway's own key of this provider may be used too."
    )
    is_active = models.BooleanField(default=True, help_text="Off: as if it were not there.")

    class Meta:
        ordering = ["provider"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider"], name="keys_provider_credential_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.provider} (…{self.last4})"


class KeyEpoch(Epoch):
    """Rises with every change of a key, of an organisation or of its keys at providers."""
