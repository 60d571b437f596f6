"""Whose credit was low when it was last looked at."""

from django.db import models
from typing_extensions import override


class CreditLevel(models.TextChoices):
    LOW = "low", "Low"
    USED_UP = "used_up", "Used up"


class CreditWatch(models.Model):
    """Stands while an organisation's credit is low, so that it is told once, and again only after it had more."""

    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    level = models.CharField(max_length=8, choices=CreditLevel.choices)
    since = models.DateTimeField()

    class Meta:
        verbose_name_plural = "credit watches"

    @override
    def __str__(self) -> str:
        return f"{self.organization_id}: {self.level}"
