"""Price proposals: prices that were found and not believed. Nothing is charged by one until staff approve it."""

from django.db import models
from typing_extensions import override

from apps.catalog.models.offering import Offering
from apps.catalog.models.price import PriceSource


class ProposalState(models.TextChoices):
    PENDING = "pending", "Waiting for a decision"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded: the source says something else now"


class PriceProposal(models.Model):
    """Amounts are by name, as ``models.price.AMOUNTS`` has them, in nano-USD."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="proposals")
    former = models.JSONField(
        null=True, blank=True, help_text="What is in force; empty when nothing is."
    )
    found = models.JSONField()
    fingerprint = models.CharField(max_length=64, editable=False)
    """Of ``found``: what was decided once is not asked again."""
    reason = models.CharField(max_length=300)
    source = models.CharField(max_length=16, choices=PriceSource.choices)
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(
        max_length=16, choices=ProposalState.choices, default=ProposalState.PENDING, db_index=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["offering", "fingerprint"], name="catalog_proposal_once_per_price"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.offering} ({self.state})"
