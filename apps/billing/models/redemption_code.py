"""Redemption codes: made by the batch, each used once, kept as hashes."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from typing_extensions import override

from apps.billing.models.amounts import AMOUNT, within_amount
from apps.common.db import Timestamped


class RedemptionBatch(Timestamped):
    name = models.CharField(max_length=80, help_text="Whom they are for; customers do not see it.")
    amount = models.BigIntegerField(validators=AMOUNT, help_text="Nano-USD that each code gives.")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: for good.")
    is_active = models.BooleanField(default=True, help_text="Off: no code of it is taken.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False
    )

    class Meta:
        verbose_name_plural = "redemption batches"
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=within_amount("amount"), name="billing_batch_amount")
        ]

    @override
    def __str__(self) -> str:
        return self.name


class RedemptionCode(models.Model):
    batch = models.ForeignKey(RedemptionBatch, on_delete=models.PROTECT, related_name="codes")
    lookup = models.CharField(max_length=64, unique=True, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    redeemed_by = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="redemption_codes",
    )
    redeemed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(redeemed_by=None, redeemed_at=None)
                | Q(redeemed_by__isnull=False, redeemed_at__isnull=False),
                name="billing_code_redeemed_by_somebody",
            )
        ]

    @override
    def __str__(self) -> str:
        return f"…{self.last4}"

    @property
    def reference(self) -> str:
        return f"redemption:{self.pk}"
