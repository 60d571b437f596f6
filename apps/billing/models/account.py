"""Ledger accounts, and the cached balance of each organisation. All amounts are nano-USD."""

from django.db import models
from django.db.models import F, Q, Value
from typing_extensions import override

from apps.common.money import format_usd


class AccountKind(models.TextChoices):
    # Of an organisation, in the order in which they are spent:
    ALLOWANCE = "allowance", "Allowance: comes with a plan, expires at the period's end"
    PROMO = "promo", "Promo: trial, coupon and referral credit"
    PURCHASED = "purchased", "Purchased: paid for, never expires"
    # Of the house:
    REVENUE = "revenue", "Revenue: what requests were charged"
    STRIPE_CLEARING = "stripe_clearing", "Stripe clearing: payments received"
    PROMO_EXPENSE = "promo_expense", "Promo expense: credit given away"
    FEES = "fees", "Fees: top-up and routing fees"
    PROVIDER_COST = "provider_cost", "Provider cost: what providers bill us"
    WRITTEN_OFF = "written_off", "Written off: served but not covered by credit"


ORGANIZATION_KINDS = (AccountKind.ALLOWANCE, AccountKind.PROMO, AccountKind.PURCHASED)


class Account(models.Model):
    """One side of the double entry: a bucket of an organisation, or a house account (no organisation)."""

    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="ledger_accounts",
    )
    kind = models.CharField(max_length=16, choices=AccountKind.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind"], name="billing_account_once_per_organization"
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(organization=None),
                name="billing_account_once_per_house",
            ),
            models.CheckConstraint(
                condition=Q(
                    organization=None,
                    kind__in=[k for k in AccountKind if k not in ORGANIZATION_KINDS],
                )
                | Q(organization__isnull=False, kind__in=ORGANIZATION_KINDS),
                name="billing_account_kind_fits_owner",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.organization or 'house'}: {self.kind}"


class Balance(models.Model):
    """An organisation's credit: a cache of the sum of its lines, changed in the same transaction as they are."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, primary_key=True, related_name="balance"
    )
    allowance = models.BigIntegerField(default=0)
    promo = models.BigIntegerField(default=0)
    purchased = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0, help_text="Sum of the open holds.")
    # Null, so that the table need not be made anew (SQLite's triggers); the default is the database's, whose trigger opens
    # balances.
    budget_version = models.BigIntegerField(
        null=True,
        db_default=Value(0),
        editable=False,
        help_text="Rises with every change of one of its budgets.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(allowance__gte=0), name="billing_balance_allowance_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(promo__gte=0), name="billing_balance_promo_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(purchased__gte=0), name="billing_balance_purchased_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(held__gte=0), name="billing_balance_held_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(held__lte=F("allowance") + F("promo") + F("purchased")),
                name="billing_balance_covers_holds",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization"],
                condition=Q(budget_version__gt=0),
                name="billing_balance_with_budgets",
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.organization_id}: {format_usd(self.total)}, {format_usd(self.held)} held"

    @property
    def total(self) -> int:
        return self.allowance + self.promo + self.purchased

    @property
    def available(self) -> int:
        return self.total - self.held
