"""Probes: small requests that the house makes of its hosts to know that they answer (docs/health.md)."""

from django.db import models
from django.db.models import Q
from typing_extensions import override


class Tier(models.TextChoices):
    """How often a host is probed, by what clients ask of it. Settings hold the numbers."""

    CRITICAL = "critical", "Critical"
    POPULAR = "popular", "Popular"
    STANDARD = "standard", "Standard"
    ON_DEMAND = "on_demand", "On demand"


class Result(models.TextChoices):
    """What became of a probe that was due."""

    ANSWERED = "answered", "Answered"
    FAILED = "failed", "Failed"
    UNDECIDED = "undecided", "Says nothing of the host"
    UNAFFORDABLE = "unaffordable", "Not made: no budget"


class Probe(models.Model):
    """One probe and what came of it. Written once; forgotten after ``PROBES_KEPT_DAYS``. Cost is nano-USD."""

    offering_id = models.BigIntegerField(help_text="The catalogue's; it may be gone by now.")
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=200, help_text="As clients name it.")
    tier = models.CharField(max_length=12, choices=Tier.choices)
    succeeded = models.BooleanField(
        null=True, help_text="Unknown: what happened says nothing of the host."
    )
    fault = models.CharField(max_length=20, blank=True, help_text="Empty for an answer.")
    status = models.PositiveSmallIntegerField(null=True, help_text="Of a refusal, by HTTP.")
    latency_ms = models.PositiveIntegerField(null=True, help_text="Until the answer's end.")
    first_content_ms = models.PositiveIntegerField(null=True)
    cost = models.BigIntegerField(default=0, help_text="The provider's price, without mark-up.")
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["offering_id", "-at"], name="monitoring_probe_by_offering"),
            models.Index(fields=["provider", "-at"], name="monitoring_probe_by_provider"),
            # The month's spending is summed before every round.
            models.Index(
                fields=["at"], include=["cost"], condition=Q(cost__gt=0), name="monitoring_probe_spent"
            ),
        ]  # fmt: skip

    @override
    def __str__(self) -> str:
        return f"{self.model} at {self.provider}"


class Watch(models.Model):
    """An offering that is probed: when next, and whether somebody is at it now."""

    offering_id = models.BigIntegerField(primary_key=True)
    provider = models.CharField(max_length=60)
    model = models.CharField(max_length=200)
    tier = models.CharField(max_length=12, choices=Tier.choices)
    requests = models.PositiveIntegerField(default=0, help_text="Of clients, in a day.")
    due_at = models.DateTimeField(null=True, db_index=True, help_text="Empty: on demand alone.")
    probed_at = models.DateTimeField(null=True)
    exercised_at = models.DateTimeField(
        null=True, help_text="When it last gave a client a full answer, as far as was looked."
    )
    failures = models.PositiveIntegerField(default=0, help_text="Probes in a row.")
    dearest = models.BigIntegerField(
        default=0, help_text="The most that a probe of it has cost: the next may cost as much."
    )
    claimed_until = models.DateTimeField(null=True, db_index=True)
    reserved = models.BigIntegerField(default=0, help_text="For the probe under way.")

    class Meta:
        ordering = ["provider", "model"]
        verbose_name_plural = "watches"
        permissions = [("probe_now", "Can probe hosts now")]

    @override
    def __str__(self) -> str:
        return f"{self.model} at {self.provider}"


class ProbeTotal(models.Model):
    """Counts that only grow, for /metrics: the worker that probes has no such page."""

    provider = models.CharField(max_length=60)
    tier = models.CharField(max_length=12, choices=Tier.choices)
    result = models.CharField(max_length=12, choices=Result.choices)
    number = models.BigIntegerField(default=0)
    cost = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "tier", "result"], name="monitoring_probe_total_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.provider} {self.tier} {self.result}"


class ProbeRound(models.Model):
    """One row, locked while probes are chosen and paid for, so that two workers never choose at once."""

    sorted_at = models.DateTimeField(null=True, help_text="When offerings were put into tiers.")
    warned_at = models.DateTimeField(
        null=True,
        help_text="When it was last told that the budget does not do for all that is due.",
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="monitoring_round_is_one")]

    @override
    def __str__(self) -> str:
        return "round"
