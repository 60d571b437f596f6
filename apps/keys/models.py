"""API keys. The key itself is never stored: only its hash, its last four characters and a ciphertext."""

from django.db import models
from typing_extensions import override

from apps.common.db import Epoch, Timestamped


class Environment(models.TextChoices):
    LIVE = "live", "Live"
    TEST = "test", "Test: sandbox provider only, never charged"


class ApiKey(Timestamped):
    """A key of an organisation. Empty limits mean the defaults of the settings."""

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

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    @override
    def __str__(self) -> str:
        return f"{self.name} (…{self.last4})"


class KeyEpoch(Epoch):
    """Rises with every change of a key or of its organisation."""
