"""Budgets: how much a key, a member or the whole organisation may spend in a day, a week or a month."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from typing_extensions import override

from apps.common.db import Epoch, Timestamped

USUAL_ALERTS = (50, 80, 100)
MOST_ALERTS = 10


class Period(models.TextChoices):
    DAY = "day", "Day"
    WEEK = "week", "Week: begins on Monday"
    MONTH = "month", "Month"


def usual_alerts() -> list[int]:
    return list(USUAL_ALERTS)


def check_alerts(value: Any) -> None:
    """Raises ValidationError."""
    is_list = isinstance(value, list) and len(value) <= MOST_ALERTS
    if not is_list or not all(type(percent) is int and 1 <= percent <= 100 for percent in value):
        raise ValidationError(f"At most {MOST_ALERTS} whole numbers between 1 and 100.")


class Budget(Timestamped):
    """Of one key, of all keys that a member has made, or of the organisation: then neither of the two is named.

    Every change raises ``Balance.budget_version`` (a trigger), by which a hold shows that it knows the budgets of today.
    """

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, related_name="budgets"
    )
    # No foreign keys: keys are a sibling, and a member who left has spent all the same.
    api_key_id = models.BigIntegerField(null=True, blank=True)
    member_id = models.BigIntegerField(null=True, blank=True, help_text="The user.")
    period = models.CharField(max_length=5, choices=Period.choices)
    amount = models.BigIntegerField(help_text="Nano-USD a period.")
    is_hard = models.BooleanField(
        default=True, help_text="Refuse what would exceed it; off: only tell."
    )
    alerts = models.JSONField(
        default=usual_alerts,
        blank=True,
        validators=[check_alerts],
        help_text="Percent of the amount at which it tells.",
    )
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0), name="billing_budget_amount_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(api_key_id=None) | Q(member_id=None), name="billing_budget_one_subject"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.whose}, {self.period}"

    @property
    def whose(self) -> str:
        if self.api_key_id is not None:
            return f"key {self.api_key_id}"
        return "organisation" if self.member_id is None else f"member {self.member_id}"


class BudgetWindow(models.Model):
    """One period of a budget: a cache of what the ledger says, changed in the same transaction as it is.

    A request counts in the windows in which its hold was placed. All windows of an organisation are changed under the lock
    of its balance.
    """

    budget = models.ForeignKey(
        Budget, on_delete=models.CASCADE, related_name="windows", db_index=False
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(db_index=True, help_text="The first moment after it.")
    spent = models.BigIntegerField(default=0, help_text="Nano-USD: what its requests were charged.")
    held = models.BigIntegerField(default=0, help_text="Nano-USD: the sum of their open holds.")

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "starts_at"], name="billing_budget_window_once"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")), name="billing_budget_window_has_time"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.budget_id} from {self.starts_at:%Y-%m-%d %H:%M} UTC"


class BudgetAlert(models.Model):
    """That a window has reached a percentage of its budget: told once."""

    window = models.ForeignKey(
        BudgetWindow, on_delete=models.CASCADE, related_name="alerts", db_index=False
    )
    percent = models.PositiveSmallIntegerField()
    spent = models.BigIntegerField(help_text="Nano-USD, when it was found.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["window", "percent"], name="billing_budget_alert_once")
        ]

    @override
    def __str__(self) -> str:
        return f"{self.window_id}: {self.percent} %"


class BudgetEpoch(Epoch):
    """Rises with every change of a budget."""
