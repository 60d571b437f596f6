"""Wrong codes: how many an organisation has tried lately."""

from django.db import models
from typing_extensions import override


class CodeGuesses(models.Model):
    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    since = models.DateTimeField()
    wrong = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "code guesses"
        ordering = ["-since"]

    @override
    def __str__(self) -> str:
        return f"{self.organization_id}: {self.wrong}"
