"""Coupons: a code that gives credit, to everybody once or to one organisation or person."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.billing.models.amounts import AMOUNT, check_code, within_amount
from apps.common.db import Timestamped


class Coupon(Timestamped):
    """For everybody, unless it names an organisation or a user."""

    code = models.CharField(max_length=32, unique=True, validators=[check_code])
    amount = models.BigIntegerField(validators=AMOUNT, help_text="Nano-USD that each use gives.")
    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="coupons",
        help_text="The only one that may use it.",
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="coupons",
        help_text="Only an organisation that this user owns may use it.",
    )
    max_uses = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    used = models.PositiveIntegerField(default=0, editable=False)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: for good.")
    credit_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days after which credit that is left is taken back; empty: never.",
    )
    is_active = models.BooleanField(default=True)
    note = models.CharField(max_length=160, blank=True, help_text="What it is for; staff see it.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=within_amount("amount"), name="billing_coupon_amount"),
            models.CheckConstraint(
                condition=Q(max_uses__gte=1, used__lte=F("max_uses")),
                name="billing_coupon_used_within_max",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_from__lt=F("valid_until")),
                name="billing_coupon_dates_in_order",
            ),
            models.CheckConstraint(
                condition=Q(organization=None) | Q(user=None), name="billing_coupon_for_one"
            ),
            models.CheckConstraint(
                condition=Q(organization=None, user=None) | Q(max_uses=1),
                name="billing_coupon_for_one_once",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.code


class CouponRedemption(models.Model):
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions")
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="coupon_redemptions"
    )
    identity = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Hash of the owner's mailbox; empty without an owner.",
    )
    amount = models.BigIntegerField(help_text="Nano-USD.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "organization"], name="billing_coupon_once_per_organization"
            ),
            # A person may have any number of organisations.
            models.UniqueConstraint(
                fields=["coupon", "identity"],
                condition=~Q(identity=""),
                name="billing_coupon_once_per_identity",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.coupon_id} by {self.organization_id}"

    @property
    def reference(self) -> str:
        return f"coupon:{self.coupon_id}:{self.organization_id}"
