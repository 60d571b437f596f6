"""Feeds: what reading a provider's list of models has come to. No part of the catalogue's epoch: a refresh that finds
nothing new must not make every process load the catalogue again."""

from django.db import models
from typing_extensions import override

from apps.catalog.models.provider import Provider


class Feed(models.Model):
    """One for each provider whose list has been asked for."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, primary_key=True)
    every_minutes = models.PositiveIntegerField(
        default=60, help_text="How often the list is read; 0: only when somebody asks for it."
    )
    etag = models.CharField("ETag", max_length=300, blank=True, editable=False)
    content_hash = models.CharField(max_length=64, blank=True, editable=False)
    listed = models.PositiveIntegerField(
        default=0, help_text="Models in the last list that was believed."
    )
    priced = models.PositiveIntegerField(default=0, help_text="Those of them with a price.")
    attempted_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(
        null=True, blank=True, help_text="When a list was last read and believed, changed or not."
    )
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    """Set while a refresh is under way."""
    error = models.CharField(
        max_length=500, blank=True, help_text="Of the last attempt; empty when it went well."
    )

    class Meta:
        ordering = ["provider"]

    @override
    def __str__(self) -> str:
        return str(self.provider_id)
