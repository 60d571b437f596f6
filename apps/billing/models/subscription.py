"""Subscriptions: a plan that is paid by the month. Stripe collects the money; these rows say what it is for.

Amounts of money are whole cents, as at Stripe; credit is nano-USD, as everywhere else.
"""

from django.db import models
from django.db.models import Q
from typing_extensions import override

from apps.common.db import Timestamped


class PlanPrice(models.Model):
    """What a plan costs and brings a month, and its price at Stripe. Never changed: a plan that costs something else has another.

    Who has subscribed keeps these terms until the subscription changes, whatever becomes of the plan's row.
    """

    plan = models.ForeignKey("accounts.Plan", on_delete=models.PROTECT, related_name="prices")
    price_cents = models.PositiveIntegerField(help_text="A month, in US cents.")
    allowance = models.BigIntegerField(help_text="Nano-USD of credit that come with each month.")
    token = models.CharField(
        max_length=40, unique=True, help_text="Idempotency key of the call that makes it."
    )
    stripe_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["plan", "price_cents", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "price_cents", "allowance"], name="billing_plan_price_once"
            ),
            models.CheckConstraint(
                condition=Q(price_cents__gt=0, allowance__gte=0),
                name="billing_plan_price_not_negative",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.plan_id}: {self.price_cents} cents"


class SubscriptionStatus(models.TextChoices):
    # Ours, before there is one at Stripe:
    CREATED = "created", "Created: Stripe has not told of the page yet"
    OPEN = "open", "Open: waits for the customer to pay"
    EXPIRED = "expired", "Expired: nobody paid in time"
    QUARANTINED = "quarantined", "Quarantined: what Stripe has is not what was ordered"
    # Stripe's:
    INCOMPLETE = "incomplete", "Incomplete: the first payment is under way"
    TRIALING = "trialing", "Trialing"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due: a payment failed and is tried again"
    UNPAID = "unpaid", "Unpaid: a payment failed and is not tried again"
    PAUSED = "paused", "Paused"
    CANCELED = "canceled", "Cancelled"
    INCOMPLETE_EXPIRED = "incomplete_expired", "Incomplete: the first payment never came"


WAITING = (SubscriptionStatus.CREATED, SubscriptionStatus.OPEN)
LIVE = (
    SubscriptionStatus.INCOMPLETE,
    SubscriptionStatus.TRIALING,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE,
    SubscriptionStatus.UNPAID,
    SubscriptionStatus.PAUSED,
)
"""May still collect money."""
ENTITLED = (
    SubscriptionStatus.TRIALING,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE,
)
"""Gives the organisation its plan; when a payment fails, until Stripe has given up collecting it."""


class Subscription(Timestamped):
    """An organisation's plan at Stripe. Written before Stripe is asked; afterwards what Stripe says it is now."""

    id = models.CharField(max_length=40, primary_key=True)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="subscriptions"
    )
    api_key_id = models.BigIntegerField(null=True, blank=True, help_text="The key that asked.")
    status = models.CharField(
        max_length=20, choices=SubscriptionStatus.choices, default=SubscriptionStatus.CREATED
    )
    price = models.ForeignKey(
        PlanPrice, on_delete=models.PROTECT, related_name="subscriptions", help_text="In force."
    )
    next_price = models.ForeignKey(
        PlanPrice,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="From the next period on; empty: the same.",
    )
    session_id = models.CharField(max_length=100, null=True, blank=True, unique=True)
    stripe_id = models.CharField(max_length=64, null=True, blank=True, unique=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001
    request = models.JSONField(
        default=dict, blank=True, help_text="Parameters of the first call to Stripe, to repeat it."
    )
    revision = models.PositiveIntegerField(
        default=0, help_text="Rises with every change: who has read Stripe before it reads again."
    )
    problem = models.CharField(max_length=200, blank=True)
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When Stripe was last asked about it."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(status__in=LIVE),
                name="billing_subscription_one_live",
            ),
            models.UniqueConstraint(
                fields=["organization"],
                condition=Q(status__in=WAITING),
                name="billing_subscription_one_waits",
            ),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"],
                name="billing_subscription_once_per_key",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=LIVE)
                | Q(stripe_id__isnull=False, period_start__isnull=False, period_end__isnull=False),
                name="billing_subscription_live_at_stripe",
            ),
        ]
        indexes = [
            models.Index(
                fields=["checked_at"],
                condition=Q(status__in=(*WAITING, *LIVE)),
                name="billing_subscription_to_check",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.id


class InvoiceStatus(models.TextChoices):
    PAID = "paid", "Paid: its allowance was given"
    QUARANTINED = "quarantined", "Quarantined: it is not what was subscribed to"


class SubscriptionInvoice(Timestamped):
    """An invoice that was paid, and the allowance for it. Its id is Stripe's, so that it is given once."""

    id = models.CharField(max_length=64, primary_key=True)
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="invoices"
    )
    status = models.CharField(max_length=12, choices=InvoiceStatus.choices)
    reason = models.CharField(max_length=40, help_text="Stripe's word for why there is one.")
    paid_cents = models.IntegerField(
        help_text="Charged; what a credit at Stripe paid is not in it."
    )
    earned = models.BigIntegerField(
        default=0,
        help_text="Nano-USD of allowance that its lines stand for; below zero: given back.",
    )
    granted = models.BigIntegerField(default=0, help_text="Nano-USD that were given for it.")
    period_start = models.DateTimeField(
        null=True, blank=True, help_text="Of the full period it pays."
    )
    period_end = models.DateTimeField(null=True, blank=True)
    returned_cents = models.PositiveIntegerField(
        default=0, help_text="Of what was charged, refunded or disputed."
    )
    returns = models.PositiveSmallIntegerField(
        default=0, help_text="Changes of that: who has read Stripe before one reads again."
    )
    taken = models.BigIntegerField(default=0, help_text="Nano-USD taken back for it.")
    uncovered = models.BigIntegerField(
        default=0, help_text="Nano-USD of it that had been spent already: written off."
    )
    problem = models.CharField(max_length=200, blank=True)
    invoiced_at = models.DateTimeField(help_text="When Stripe made it.")

    class Meta:
        ordering = ["-invoiced_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(granted__gte=0, taken__gte=0, uncovered__gte=0),
                name="billing_subscription_invoice_not_negative",
            ),
        ]
        indexes = [
            models.Index(
                fields=["subscription", "period_end"], name="billing_sub_invoice_by_period"
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.id
