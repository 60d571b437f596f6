"""Trials: credit for a few days, once per verified identity. All amounts are nano-USD."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.billing.models.amounts import AMOUNT, check_code, within_amount
from apps.common.db import Timestamped

AT_LEAST_ONE = (MinValueValidator(1),)


class TrialTerms(Timestamped):
    """What a trial gives. Trials keep those that they began under."""

    slug = models.SlugField(primary_key=True)
    days = models.PositiveSmallIntegerField(validators=AT_LEAST_ONE)
    credit = models.BigIntegerField(validators=AMOUNT, help_text="Nano-USD.")
    tokens = models.PositiveBigIntegerField(
        validators=AT_LEAST_ONE, help_text="In and out, of requests that cost something."
    )
    requests = models.PositiveIntegerField(
        validators=AT_LEAST_ONE, help_text="Of those that cost something."
    )
    is_offered = models.BooleanField(default=True, help_text="Off: no trial begins under them.")

    class Meta:
        verbose_name_plural = "trial terms"
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=within_amount("credit"), name="billing_terms_credit"),
            models.CheckConstraint(
                condition=Q(days__gte=1, tokens__gte=1, requests__gte=1),
                name="billing_terms_positive",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.slug


class PartnerOffer(Timestamped):
    """A partner's code, which begins a trial under terms of its own."""

    code = models.CharField(max_length=32, unique=True, validators=[check_code])
    partner = models.CharField(max_length=80, help_text="As customers read it.")
    terms = models.ForeignKey(TrialTerms, on_delete=models.PROTECT, related_name="offers")
    max_uses = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    used = models.PositiveIntegerField(default=0, editable=False)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: for good.")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_uses=None) | Q(used__lte=F("max_uses")),
                name="billing_offer_used_within_max",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_from__lt=F("valid_until")),
                name="billing_offer_dates_in_order",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.code} of {self.partner}"


class TrialEnd(models.TextChoices):
    TIME = "time", "Its days are over"
    TOKENS = "tokens", "Its tokens are used up"
    REQUESTS = "requests", "Its requests are used up"
    STAFF = "staff", "Ended by staff"


class Trial(Timestamped):
    """An organisation's trial. Its credit is the lot that came with the entry ``reference``."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.PROTECT, related_name="trial"
    )
    identity = models.CharField(
        max_length=64, unique=True, editable=False, help_text="Hash of the owner's mailbox."
    )
    offer = models.ForeignKey(
        PartnerOffer, on_delete=models.PROTECT, null=True, blank=True, related_name="trials"
    )
    credit = models.BigIntegerField(help_text="Nano-USD.")
    tokens = models.PositiveBigIntegerField()
    requests = models.PositiveIntegerField()
    tokens_used = models.PositiveBigIntegerField(default=0, help_text="When last counted.")
    requests_used = models.PositiveIntegerField(default=0, help_text="When last counted.")
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="At the latest.")
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=8, choices=TrialEnd.choices, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(started_at__lt=F("ends_at")), name="billing_trial_dates_in_order"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, end_reason="")
                | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="billing_trial_end_has_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"], condition=Q(ended_at=None), name="billing_trial_running"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"trial of {self.organization_id}"

    @property
    def reference(self) -> str:
        return f"trial:{self.organization_id}"
