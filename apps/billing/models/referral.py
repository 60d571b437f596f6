"""Referrals: an organisation brings another, and both get credit when that one first buys enough."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.billing.models.amounts import AMOUNT, within_amount
from apps.common.db import Timestamped


class ReferralTerms(models.Model):
    """One row: what a referral gives. Referrals get what holds when the purchase is made."""

    reward = models.BigIntegerField(validators=AMOUNT, help_text="Nano-USD for each side.")
    least_purchase = models.BigIntegerField(
        validators=[MinValueValidator(1)], help_text="Nano-USD."
    )
    max_uses = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1)], help_text="Of a code that is made from now on."
    )

    class Meta:
        verbose_name_plural = "referral terms"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="billing_referral_terms_are_one"),
            models.CheckConstraint(
                condition=within_amount("reward"), name="billing_referral_terms_reward"
            ),
            models.CheckConstraint(
                condition=Q(least_purchase__gt=0, max_uses__gte=1),
                name="billing_referral_terms_positive",
            ),
        ]

    @override
    def __str__(self) -> str:
        return "the terms"


class ReferralCode(Timestamped):
    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, related_name="referral_code"
    )
    code = models.CharField(max_length=8, unique=True)
    max_uses = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    used = models.PositiveSmallIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_uses__gte=1, used__lte=F("max_uses")),
                name="billing_referral_used_within_max",
            )
        ]

    @override
    def __str__(self) -> str:
        return self.code


class ReferralStatus(models.TextChoices):
    PENDING = "pending", "Pending: the first purchase is waited for"
    EARNED = "earned", "Earned: it was made, the credit is being given"
    COMPLETED = "completed", "Completed: both sides have their credit"
    FORFEITED = "forfeited", "Forfeited: the purchase went back, the credit is being taken"
    WITHDRAWN = "withdrawn", "Withdrawn: the purchase went back, and the credit with it"


class Referral(Timestamped):
    code = models.ForeignKey(ReferralCode, on_delete=models.PROTECT, related_name="referrals")
    organization = models.OneToOneField(
        "accounts.Organization",
        on_delete=models.PROTECT,
        related_name="referral",
        help_text="The one that was brought.",
    )
    identity = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Hash of its owner's mailbox; empty without an owner.",
    )
    status = models.CharField(
        max_length=9, choices=ReferralStatus.choices, default=ReferralStatus.PENDING
    )
    reward = models.BigIntegerField(null=True, blank=True, help_text="Nano-USD for each side.")
    purchase_reference = models.CharField(max_length=120, blank=True)
    earned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=ReferralStatus.PENDING, earned_at=None, reward=None)
                | (
                    ~Q(status=ReferralStatus.PENDING)
                    & Q(earned_at__isnull=False, reward__isnull=False)
                ),
                name="billing_referral_earned_has_reward",
            ),
            models.UniqueConstraint(
                fields=["identity"],
                condition=~Q(identity=""),
                name="billing_referral_once_per_identity",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(status=ReferralStatus.EARNED),
                name="billing_referral_earned",
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.organization_id} by {self.code_id}"
