"""Payments: what is sold, what was ordered, what went back. Stripe moves the money; these rows say what it was for.

Amounts of money are whole cents, as at Stripe; credit is nano-USD, as everywhere else.
"""

from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.common.db import Timestamped


class CreditPackage(Timestamped):
    """Credit at a fixed price."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    price_cents = models.PositiveIntegerField(help_text="Cents, before the fee.")
    credit = models.BigIntegerField(help_text="Nano-USD that the price buys.")
    bonus = models.BigIntegerField(default=0, help_text="Nano-USD given on top of it.")
    is_active = models.BooleanField(default=True, help_text="Off: no longer sold.")

    class Meta:
        ordering = ["price_cents", "slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_cents__gt=0, credit__gt=0, bonus__gte=0),
                name="billing_package_worth_something",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class StripeCustomer(Timestamped):
    """Who an organisation is at Stripe."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, related_name="stripe_customer"
    )
    token = models.CharField(
        max_length=40, unique=True, help_text="Idempotency key of the call that makes it."
    )
    stripe_id = models.CharField(max_length=64, null=True, blank=True, unique=True)

    @override
    def __str__(self) -> str:
        return self.stripe_id or self.token


class OrderKind(models.TextChoices):
    CHECKOUT = "checkout", "Checkout: paid on Stripe's page"
    INTENT = "intent", "Payment intent: paid in the customer's own page"
    AUTO_TOP_UP = "auto_top_up", "Auto top-up: charged to the saved card"


class OrderStatus(models.TextChoices):
    CREATED = "created", "Created: Stripe has not told of it yet"
    OPEN = "open", "Open: waits for the customer to pay"
    PAID = "paid", "Paid: the credit was given"
    EXPIRED = "expired", "Expired: nobody paid in time"
    FAILED = "failed", "Failed: the payment was refused"
    QUARANTINED = "quarantined", "Quarantined: what was paid is not what was ordered"


UNSETTLED = (OrderStatus.CREATED, OrderStatus.OPEN)


class Order(models.Model):
    """Credit that somebody wants to pay for. Written before Stripe is asked, so that no payment is ever without one."""

    id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="orders"
    )
    api_key_id = models.BigIntegerField(null=True, blank=True, help_text="The key that asked.")
    kind = models.CharField(max_length=12, choices=OrderKind.choices)
    status = models.CharField(
        max_length=12, choices=OrderStatus.choices, default=OrderStatus.CREATED
    )
    package = models.ForeignKey(
        CreditPackage, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )
    credit = models.BigIntegerField(help_text="Nano-USD that the price buys.")
    bonus = models.BigIntegerField(default=0, help_text="Nano-USD given on top of it.")
    price_cents = models.PositiveIntegerField(help_text="What the credit costs.")
    fee_cents = models.PositiveIntegerField(help_text="The top-up fee.")
    amount_cents = models.PositiveIntegerField(help_text="Price and fee: what is charged.")
    refunded_cents = models.PositiveIntegerField(
        default=0, help_text="Refunded or disputed, less what came back."
    )
    currency = models.CharField(max_length=3, default="usd")
    session_id = models.CharField(max_length=100, null=True, blank=True, unique=True)
    intent_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    request = models.JSONField(
        default=dict, blank=True, help_text="Parameters of the call to Stripe, to repeat it."
    )
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_index=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When Stripe was last asked about it."
    )

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents=F("price_cents") + F("fee_cents"), amount_cents__gt=0),
                name="billing_order_amount_is_price_and_fee",
            ),
            models.CheckConstraint(
                condition=Q(refunded_cents__lte=F("amount_cents")),
                name="billing_order_refunded_within_amount",
            ),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="billing_order_once_per_key"
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(kind=OrderKind.AUTO_TOP_UP, status__in=UNSETTLED),
                name="billing_order_one_auto_top_up_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=UNSETTLED),
                name="billing_order_unsettled",
            ),
            models.Index(
                fields=["organization", "-created_at"], name="billing_order_by_organization"
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.id


class ReversalKind(models.TextChoices):
    REFUND = "refund", "Refund"
    DISPUTE = "dispute", "Dispute"


class ReversalStatus(models.TextChoices):
    REQUESTED = "requested", "Requested: Stripe has not told of it yet"
    TAKEN = "taken", "Taken: the money went back, and the credit with it"
    RETURNED = "returned", "Returned: failed or won, the credit is there again"


class Reversal(models.Model):
    """Money of an order that goes back to the payer, and the credit that goes with it."""

    id = models.CharField(max_length=40, primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="reversals")
    kind = models.CharField(max_length=8, choices=ReversalKind.choices)
    status = models.CharField(
        max_length=10, choices=ReversalStatus.choices, default=ReversalStatus.REQUESTED
    )
    stripe_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    amount_cents = models.PositiveIntegerField()
    taken = models.BigIntegerField(default=0, help_text="Nano-USD of credit taken back.")
    uncovered = models.BigIntegerField(
        default=0, help_text="Nano-USD that had been spent already: written off, spending frozen."
    )
    fee = models.BigIntegerField(default=0, help_text="Nano-USD of the fee given back.")
    bonus = models.BigIntegerField(default=0, help_text="Nano-USD of the bonus taken back.")
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_cents__gt=0, taken__gte=0, uncovered__gte=0),
                name="billing_reversal_not_negative",
            ),
            models.UniqueConstraint(
                fields=["order", "idempotency_key"], name="billing_reversal_once_per_key"
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.stripe_id or self.id


class AutoTopUp(Timestamped):
    """Buy credit with the saved card when little is left."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, related_name="auto_top_up"
    )
    is_enabled = models.BooleanField(default=False, db_index=True)
    threshold = models.BigIntegerField(help_text="Nano-USD available, below which it buys.")
    price_cents = models.PositiveIntegerField(help_text="Cents of credit bought, before the fee.")
    monthly_cap_cents = models.PositiveIntegerField(
        null=True, blank=True, help_text="Most that is charged in a calendar month, UTC."
    )
    card_id = models.CharField(max_length=64)
    failures = models.PositiveSmallIntegerField(default=0, help_text="In a row.")
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    stopped_because = models.CharField(
        max_length=200, blank=True, help_text="Why it turned itself off, or waits."
    )

    class Meta:
        verbose_name = "auto top-up"

    @override
    def __str__(self) -> str:
        return f"{self.organization_id}: {self.price_cents} cents"
