"""The inbox: what Stripe told us, as it told it."""

from django.db import models
from typing_extensions import override


class EventStatus(models.TextChoices):
    RECEIVED = "received", "Received: waits to be processed"
    PROCESSED = "processed", "Processed"
    IGNORED = "ignored", "Ignored: of a kind that changes nothing here"
    FAILED = "failed", "Failed: is tried again"
    GIVEN_UP = "given_up", "Given up: staff may process it again"


class StripeEvent(models.Model):
    """One webhook. Its id is Stripe's, so that a second delivery finds the first."""

    id = models.CharField(max_length=64, primary_key=True)
    type = models.CharField(max_length=80, db_index=True)
    payload = models.TextField(help_text="The body, byte for byte.")
    status = models.CharField(
        max_length=10, choices=EventStatus.choices, default=EventStatus.RECEIVED
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="Also the end of the attempt that is under way."
    )
    problem = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(db_index=True)
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "Stripe event"
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["status", "next_attempt_at"], name="billing_event_due")]

    @override
    def __str__(self) -> str:
        return f"{self.type} {self.id}"
