"""Holds: credit set aside while a request is under way."""

from django.db import models
from django.db.models import Q
from typing_extensions import override


class Hold(models.Model):
    """Lives as long as its request; the owning process renews ``expires_at``, the sweep releases what nobody renews."""

    request_id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="holds"
    )
    amount = models.BigIntegerField(help_text="Nano-USD.")
    owner = models.CharField(max_length=40, help_text="The web process that serves the request.")
    api_key_id = models.BigIntegerField(null=True)
    member_id = models.BigIntegerField(null=True)
    windows = models.JSONField(
        null=True, help_text="Ids of the budgets' windows that it counts in."
    )
    model = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="billing_hold_not_negative"),
        ]
        indexes = [models.Index(fields=["owner"], name="billing_hold_by_owner")]

    @override
    def __str__(self) -> str:
        return f"{self.request_id}: {self.amount}"
