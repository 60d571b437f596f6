"""Request records: one row for every request that was admitted, written with its settlement."""

from django.db import models
from django.db.models import Q
from typing_extensions import override

from apps.common.usage import UsageSource


class Outcome(models.TextChoices):
    """How a request ended (docs/money.md, "Outcomes")."""

    COMPLETED = "completed", "Completed"
    CLIENT_GONE = "client_gone", "The client went away"
    FAILED = "failed", "Every provider failed before content"
    INTERRUPTED = "interrupted", "The provider failed after content"
    STOPPED = "stopped", "The credit was used up while it was answered"
    EMPTY = "empty", "The answer was empty"
    LOST = "lost", "The process that served it died"


class RequestRecord(models.Model):
    """Money is nano-USD, times are milliseconds. The id is the generation id that the client sees."""

    id = models.CharField(max_length=40, primary_key=True)
    # Indexes are those of Meta alone: every request pays for each.
    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        related_name="request_records",
        db_index=False,
    )
    api_key = models.ForeignKey(
        "keys.ApiKey",
        on_delete=models.SET_NULL,
        null=True,
        related_name="request_records",
        db_index=False,
    )
    created_at = models.DateTimeField(db_index=True)
    surface = models.CharField(max_length=24, help_text="The endpoint, by its name.")
    streamed = models.BooleanField()
    requested_model = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True, help_text="The model that answered.")
    provider = models.CharField(max_length=60, blank=True)
    price_id = models.BigIntegerField(null=True)
    markup_ppm = models.IntegerField(null=True, help_text="Of the provider, on that price.")
    terms_bp = models.IntegerField(null=True, help_text="Of the organisation, on top of that.")
    share_bp = models.IntegerField(null=True, help_text="Of it all: 10000, or the routing fee.")
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    status = models.PositiveSmallIntegerField(help_text="HTTP status sent to the client.")
    error_code = models.CharField(max_length=40, blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    usage_source = models.CharField(
        max_length=8, choices=[(source.value, source.value) for source in UsageSource]
    )
    input_tokens = models.BigIntegerField(default=0, help_text="Uncached.")
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_5m_tokens = models.BigIntegerField(default=0)
    cache_write_1h_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0, help_text="Without reasoning.")
    reasoning_tokens = models.BigIntegerField(default=0)
    audio_input_tokens = models.BigIntegerField(default=0)
    audio_output_tokens = models.BigIntegerField(default=0)
    images = models.IntegerField(default=0, help_text="Made.")
    characters = models.BigIntegerField(default=0, help_text="Spoken.")
    seconds = models.BigIntegerField(default=0, help_text="Of sound transcribed.")
    searches = models.IntegerField(default=0)
    cost = models.BigIntegerField(default=0, help_text="Usage times price.")
    charged = models.BigIntegerField(default=0, help_text="What the balance covered of the cost.")
    saved = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="What it would have cost more without the response cache and the prompt caches of providers.",
    )
    cached = models.BooleanField(
        default=False, db_default=False, help_text="No provider was asked: the answer was there."
    )
    is_byok = models.BooleanField(
        "own key",
        default=False,
        db_default=False,
        help_text="Asked with the customer's own key: the cost is the routing fee.",
    )
    first_token_ms = models.IntegerField(null=True)
    latency_ms = models.IntegerField()
    attempts = models.JSONField(default=list)
    route = models.JSONField(
        null=True, help_text="The hosts that were considered, where there was a choice."
    )
    app_title = models.CharField(max_length=120, blank=True)
    app_url = models.CharField(max_length=200, blank=True)
    receipt = models.TextField(  # noqa: DJ001 - null until it is signed
        null=True, editable=False, help_text="The proof of what it used and cost, as JSON."
    )
    tag = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="The client's own word for it.",
    )

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="inference_record_by_org"),
            models.Index(fields=["api_key", "-created_at"], name="inference_record_by_key"),
            models.Index(fields=["provider", "-created_at"], name="inference_record_by_provider"),
            # Empty but for the few that wait to be signed.
            models.Index(
                fields=["created_at"],
                condition=Q(receipt=None),
                name="inference_record_unsigned",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.id

    @property
    def total_input(self) -> int:
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.audio_input_tokens
        )

    @property
    def total_output(self) -> int:
        return self.output_tokens + self.reasoning_tokens + self.audio_output_tokens


class StoredResponse(models.Model):
    """A response that a client may name in its next request, or read again (apps.inference.conversations)."""

    id = models.CharField(max_length=40, primary_key=True, help_text="The generation's.")
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    api_key = models.ForeignKey("keys.ApiKey", on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    previous = models.CharField(max_length=40, blank=True, help_text="The response before it.")
    content = models.TextField(editable=False, help_text="Encrypted.")

    class Meta:
        ordering = ["-created_at"]

    @override
    def __str__(self) -> str:
        return self.id
