"""Balances: what is left in the house's accounts at providers. No part of the catalogue's epoch: an amount that changes
every hour must not make every process load the catalogue again. That it is spent stands on the provider, and does."""

from django.db import models
from typing_extensions import override

from apps.catalog.models.provider import Provider


class UpstreamBalance(models.Model):
    """One for each provider that was asked for it."""

    provider = models.OneToOneField(
        Provider, on_delete=models.CASCADE, primary_key=True, related_name="balance"
    )
    amount = models.BigIntegerField(null=True, help_text="Billionths of the currency.")
    currency = models.CharField(max_length=8, blank=True)
    is_low = models.BooleanField(default=False, help_text="Below LOW_UPSTREAM_BALANCE_USD.")
    attempted_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True, help_text="When it was last told.")
    error = models.CharField(
        max_length=300, blank=True, help_text="Of the last attempt; empty when it went well."
    )

    class Meta:
        ordering = ["provider"]

    @override
    def __str__(self) -> str:
        return str(self.provider_id)

    @property
    def words(self) -> str:
        """With two digits, as on a bill; a unit of the provider's own in whole ones."""
        if self.amount is None:
            return "unknown"
        sign, (whole, fraction) = "-" * (self.amount < 0), divmod(abs(self.amount), 10**9)
        cents = f".{fraction // 10**7:02d}" if self.currency.isupper() else ""
        return f"{sign}{whole:,}{cents} {self.currency}"
