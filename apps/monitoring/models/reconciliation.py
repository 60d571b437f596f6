"""Reconciliation: how a provider's bill is compared with the request records, and what was found. Money is nano-USD.

Comparisons are made anew from exports and records as often as wanted; alerts and runs stay.
"""

from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from typing_extensions import override

from apps.monitoring.model_names import check_rules
from apps.monitoring.models.export import COST, MEASURES, UsageExport

WHOLE_PPM = 1_000_000
ALARMED: tuple[str, ...] = ("input_tokens", "output_tokens", COST)
"""The measures whose drift is alarmed. Providers count requests, and what of the input was cached, in ways of their own."""


def check_time_zone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationError("A time zone by its name, as in UTC or Asia/Shanghai.") from error


class BillRules(models.Model):
    """How the bill of a provider is compared, and which difference is told. The row without a provider is for all others."""

    provider = models.CharField(
        max_length=60,
        unique=True,
        blank=True,
        help_text="Its slug; empty for every provider without rules of its own.",
    )
    time_zone = models.CharField(
        max_length=60, default="UTC", validators=[check_time_zone], help_text="Of its days."
    )
    model_rules: Any = models.JSONField(
        default=list,
        blank=True,
        validators=[check_rules],
        help_text='What makes its names of models and ours the same, in order: [{"prefix": "models/"}, {"cut": ", "}, '
        '{"replace": [" ", "-"]}, {"drop_date": true}, {"rename": ["theirs", "ours"]}].',
    )
    drift_ppm = models.PositiveIntegerField(
        "drift, parts per million",
        default=5000,
        validators=[MaxValueValidator(WHOLE_PPM)],
        help_text="5000 are 0.5 %: a greater share of their number is told.",
    )
    least_cost = models.BigIntegerField(
        default=10_000_000,
        validators=[MinValueValidator(0)],
        help_text="A difference must also be greater than this.",
    )
    least_tokens = models.BigIntegerField(
        default=1000,
        validators=[MinValueValidator(0)],
        help_text="The same, of tokens.",
    )

    class Meta:
        ordering = ["provider"]
        verbose_name = verbose_name_plural = "rules of bills"

    @override
    def __str__(self) -> str:
        return self.provider or "all other providers"

    def is_drift(self, measure: str, *, theirs: int, ours: int) -> bool:
        """Whether the difference is more than the share of theirs and more than the least: exactly as much is not."""
        difference = abs(ours - theirs)
        least = self.least_cost if measure == COST else self.least_tokens
        return difference > least and difference * WHOLE_PPM > abs(theirs) * self.drift_ppm


class Side(models.TextChoices):
    BOTH = "both", "Both"
    THEIRS = "theirs", "Only theirs"
    OURS = "ours", "Only ours"


class UsageComparison(models.Model):
    """A model on a day at a provider: what the provider tells, empty where it does not, and what the records tell."""

    provider = models.CharField(max_length=60)
    day = models.DateField(help_text="Of the provider's calendar.")
    model = models.CharField(
        max_length=200, blank=True, help_text="By the provider's name for it, made comparable."
    )
    side = models.CharField(max_length=6, choices=Side.choices)
    theirs_requests = models.BigIntegerField(null=True)
    theirs_input_tokens = models.BigIntegerField(null=True)
    theirs_cache_read_tokens = models.BigIntegerField(null=True)
    theirs_cache_write_tokens = models.BigIntegerField(null=True)
    theirs_output_tokens = models.BigIntegerField(null=True)
    theirs_cost = models.BigIntegerField(null=True)
    ours_requests = models.BigIntegerField()
    ours_input_tokens = models.BigIntegerField()
    ours_cache_read_tokens = models.BigIntegerField()
    ours_cache_write_tokens = models.BigIntegerField()
    ours_output_tokens = models.BigIntegerField()
    ours_cost = models.BigIntegerField(help_text="At the provider's prices, without mark-up.")
    uncertain = models.BigIntegerField(
        help_text="Requests whose usage the provider did not tell, or that had no price: look here first."
    )
    compared_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "provider", "model"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "day", "model"], name="monitoring_comparison_once"
            )
        ]
        indexes = [models.Index(fields=["-day"], name="monitoring_comparison_by_day")]

    @override
    def __str__(self) -> str:
        return f"{self.provider} {self.day}: {self.model or 'without a model'}"

    def theirs(self, measure: str) -> int | None:
        found: int | None = getattr(self, f"theirs_{measure}")
        return found

    def ours(self, measure: str) -> int:
        return int(getattr(self, f"ours_{measure}"))


class RunReason(models.TextChoices):
    IMPORT = "import", "An export was imported"
    WITHDRAWAL = "withdrawal", "An export was withdrawn"
    SCHEDULE = "schedule", "Daily, for what was recorded late"
    STAFF = "staff", "Asked for"


class ReconciliationRun(models.Model):
    """Days of a provider that were compared together, and what came of it."""

    provider = models.CharField(max_length=60)
    reason = models.CharField(max_length=10, choices=RunReason.choices)
    export = models.ForeignKey(
        UsageExport, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    first_day = models.DateField()
    last_day = models.DateField()
    days = models.PositiveIntegerField(help_text="That an export tells of.")
    models_compared = models.PositiveIntegerField(help_text="By day.")
    only_theirs = models.PositiveIntegerField()
    only_ours = models.PositiveIntegerField()
    opened = models.PositiveIntegerField("alerts opened")
    resolved = models.PositiveIntegerField("alerts resolved")
    made_at = models.DateTimeField(db_index=True)
    made_by = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ["-pk"]

    @override
    def __str__(self) -> str:
        return f"{self.provider} {self.first_day} to {self.last_day}"


class AlertStatus(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged: somebody looks into it"
    RESOLVED = "resolved", "Resolved"


class DriftAlert(models.Model):
    """A day's drift of one measure at a provider. Opened once, and again when the drift has grown since it was handled."""

    provider = models.CharField(max_length=60)
    day = models.DateField()
    measure = models.CharField(
        max_length=20, choices=[(measure, measure.replace("_", " ")) for measure in MEASURES]
    )
    theirs = models.BigIntegerField()
    ours = models.BigIntegerField()
    drift_ppm = models.PositiveIntegerField(help_text="The share that was allowed.")
    status = models.CharField(
        max_length=12, choices=AlertStatus.choices, default=AlertStatus.OPEN, db_index=True
    )
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    handled_difference = models.BigIntegerField(
        null=True, help_text="How great it was when it was handled."
    )
    handled_at = models.DateTimeField(null=True)
    handled_by = models.CharField(max_length=254, blank=True, help_text="Empty: by a comparison.")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-day", "provider", "measure"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "day", "measure"], name="monitoring_drift_alert_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.provider} {self.day}: {self.get_measure_display()}"

    @property
    def difference(self) -> int:
        """Ours less theirs."""
        return self.ours - self.theirs
