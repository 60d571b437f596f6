"""Roll-ups of usage (docs/usage.md)."""

import datetime

from django.db import models
from django.db.models import Q
from typing_extensions import override


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


class UsageTail(UsageSums):
    """Of what follows in an hour of UTC when a day has begun in a zone that is not whole hours from UTC (``periods.TAILS``)."""

    quarter = models.PositiveIntegerField(
        db_index=True, help_text="With which it begins: quarters of an hour since 1970, UTC."
    )

    class Meta:
        ordering = ["-quarter"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "quarter", "model", "provider", "api_key_id", "tag", "billing"],
                name="monitoring_usage_tail_once",
            )
        ]  # fmt: skip

    @override
    def __str__(self) -> str:
        return f"{self.model} from quarter {self.quarter}"


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
    tails_since = models.PositiveIntegerField(
        default=0, help_text="Hours since 1970; from this one on, tails have their sums."
    )
    version = models.BigIntegerField(default=0, help_text="Rises with every change of a roll-up.")
    tails_version = models.BigIntegerField(
        default=0, help_text="Another than the version: who wrote last knew no tails."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="monitoring_usage_one")]

    @override
    def __str__(self) -> str:
        return f"until {self.until}"

    @property
    def has_tails(self) -> bool:
        """False while a process of a former release writes roll-ups beside this one."""
        return self.tails_version == self.version
