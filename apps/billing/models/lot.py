"""Lots: credit that came together and expires together."""

from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.billing.models.account import AccountKind


class CreditLot(models.Model):
    """Allowance or promo credit of one entry. Of a bucket, what expires soonest is spent first; purchased credit never expires.

    Settlements change the balance alone. What they took is booked to the lots when that matters: before credit is added
    to the bucket, and before some of it expires (``services/lots.py``).
    """

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="credit_lots"
    )
    bucket = models.CharField(
        max_length=16,
        choices=[(kind.value, kind.label) for kind in (AccountKind.ALLOWANCE, AccountKind.PROMO)],
    )
    reference = models.CharField(max_length=120, help_text="Of the entry that it came with.")
    amount = models.BigIntegerField(help_text="Nano-USD.")
    remaining = models.BigIntegerField(
        help_text="Nano-USD, less what has been spent since the last booking."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = [F("expires_at").asc(nulls_last=True), "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("amount")),
                name="billing_lot_remaining_within_amount",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(remaining__gt=0), name="billing_lot_by_expiry"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.reference}: {self.remaining} of {self.amount}"
