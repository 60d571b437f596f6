"""Probes: small requests that the house makes of its hosts to know that they answer (docs/health.md); roll-ups of usage."""

import datetime

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


class UsageSums(models.Model):
    """What requests add up to, by all that customers ask for (docs/usage.md). Made from the records alone."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=60, blank=True)
    api_key_id = models.BigIntegerField(help_text="0 for a key that is gone.")
    tag = models.CharField(max_length=100, blank=True)
    billing = models.CharField(max_length=8)
    completed = models.BigIntegerField()
    client_gone = models.BigIntegerField()
    rejected = models.BigIntegerField(help_text="By the host, for what the client sent.")
    failed = models.BigIntegerField()
    interrupted = models.BigIntegerField()
    stopped = models.BigIntegerField()
    empty = models.BigIntegerField()
    lost = models.BigIntegerField()
    rated = models.BigIntegerField(help_text="Requests whose usage was known.")
    input_tokens = models.BigIntegerField()
    cache_read_tokens = models.BigIntegerField()
    cache_write_5m_tokens = models.BigIntegerField()
    cache_write_1h_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    audio_input_tokens = models.BigIntegerField()
    audio_output_tokens = models.BigIntegerField()
    images = models.BigIntegerField()
    characters = models.BigIntegerField()
    seconds = models.BigIntegerField()
    searches = models.BigIntegerField()
    cost = models.BigIntegerField()
    charged = models.BigIntegerField()
    saved = models.BigIntegerField()
    latency = models.TextField(blank=True, help_text="A histogram (apps.common.histograms).")
    first_token = models.TextField(blank=True, help_text="A histogram, of streams.")

    class Meta:
        abstract = True

    @property
    def requests(self) -> int:
        return (
            self.completed + self.client_gone + self.rejected + self.failed
            + self.interrupted + self.stopped + self.empty + self.lost
        )  # fmt: skip


class UsageHour(UsageSums):
    """Of an hour of UTC."""

    hour = models.PositiveIntegerField(db_index=True, help_text="Hours since 1970, UTC.")

    class Meta:
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "hour", "model", "provider", "api_key_id", "tag", "billing"],
                name="monitoring_usage_hour_once",
            )
        ]  # fmt: skip

    @override
    def __str__(self) -> str:
        return f"{self.model} in hour {self.hour}"

    @property
    def began_at(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.hour * 3600, datetime.UTC)


class UsageDay(UsageSums):
    """Of a whole day of UTC: the sums of its hours, made when the day is over."""

    day = models.PositiveIntegerField(db_index=True, help_text="Days since 1970, UTC.")

    class Meta:
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "day", "model", "provider", "api_key_id", "tag", "billing"],
                name="monitoring_usage_day_once",
            )
        ]  # fmt: skip

    @override
    def __str__(self) -> str:
        return f"{self.model} on day {self.day}"


class UsageLate(models.Model):
    """An hour that has a record written long after its moment: the database notes it, by trigger, in the same transaction.

    One row for each such record, never one for all: a row that is there already would tell nothing of the next one.
    """

    hour = models.PositiveIntegerField()

    @override
    def __str__(self) -> str:
        return f"hour {self.hour}"


class UsageProgress(models.Model):
    """One row, locked while roll-ups are written: every record before ``until`` is in them."""

    until = models.DateTimeField(null=True)
    days_until = models.PositiveIntegerField(
        default=0, help_text="Days since 1970; those before it have their sums."
    )
    version = models.BigIntegerField(default=0, help_text="Rises with every change of a roll-up.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="monitoring_usage_one")]

    @override
    def __str__(self) -> str:
        return f"until {self.until}"
