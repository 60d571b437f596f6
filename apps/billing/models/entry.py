"""The journal: entries whose lines sum to zero. Append-only; the database refuses UPDATE and DELETE."""

from django.db import models
from django.db.models import Q
from typing_extensions import override


class EntryKind(models.TextChoices):
    GRANT = "grant", "Grant: credit given by staff or a trial"
    SETTLEMENT = "settlement", "Settlement: a request was charged"
    EXPIRY = "expiry", "Expiry: allowance or promo credit whose time is over"
    PAYMENT = "payment", "Payment: credit was bought"
    SUBSCRIPTION = "subscription", "Subscription: the allowance of a period that was paid"
    REFUND = "refund", "Refund: money went back, and credit with it; or the refund failed"
    DISPUTE = "dispute", "Dispute: a bank took a payment back; or the dispute was won"
    ADJUSTMENT = "adjustment", "Adjustment: mends an earlier entry"


class JournalEntry(models.Model):
    reference = models.CharField(
        max_length=120, unique=True, help_text="The same reference twice is one write."
    )
    kind = models.CharField(max_length=16, choices=EntryKind.choices)
    # Foreign keys have no index of their own where one of Meta's begins with them: every entry pays for each.
    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        related_name="journal_entries",
        db_index=False,
    )
    price_id = models.BigIntegerField(
        null=True, blank=True, help_text="The price row that a settlement used."
    )
    memo = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_index=True)
    # Of a settlement: who has spent, and when, so that budgets can be computed from the journal.
    api_key_id = models.BigIntegerField(null=True, blank=True)
    member_id = models.BigIntegerField(
        null=True, blank=True, help_text="The user who had made the key."
    )
    held_at = models.DateTimeField(
        null=True, blank=True, help_text="When its credit was set aside."
    )

    class Meta:
        verbose_name_plural = "journal entries"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "-id"], name="billing_entry_by_organization")
        ]

    @override
    def __str__(self) -> str:
        return self.reference


class EntryLine(models.Model):
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    account = models.ForeignKey("billing.Account", on_delete=models.PROTECT, related_name="lines")
    amount = models.BigIntegerField(help_text="Nano-USD; positive adds to the account.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="billing_line_not_zero"),
            models.UniqueConstraint(
                fields=["entry", "account"], name="billing_line_once_per_account"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.entry_id}: {self.amount:+}"
