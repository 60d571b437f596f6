"""Offerings: one model at one provider."""

from django.db import models
from typing_extensions import override

from apps.catalog.models.model import Model
from apps.catalog.models.provider import Provider
from apps.common.db import Timestamped


class Offering(Timestamped):
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="offerings")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="offerings")
    upstream_model = models.CharField(
        max_length=200, help_text="The model's id at the provider, in its case."
    )
    variant = models.CharField(
        max_length=20,
        blank=True,
        help_text="How it is offered, after a colon in the public id: free. Empty: as usual.",
    )
    quantization = models.CharField(max_length=20, blank=True, help_text="Empty when unknown.")
    context_length = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the model's."
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the model's."
    )
    priority = models.PositiveIntegerField(
        default=0, help_text="Lower is asked first; wins over the provider's priority."
    )
    weight = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Its part of the requests, beside the other hosts of the model that have one: 80 and 20. "
        "Empty: it is asked by its priority.",
    )
    # Nullable: a default would rebuild the table on SQLite, which loses its triggers.
    supported_parameters = models.JSONField(
        null=True, blank=True, help_text="What this host takes. Empty when unknown: the model's."
    )
    input_modalities = models.JSONField(
        null=True, blank=True, help_text="Empty when unknown: the model's."
    )
    told_by = models.JSONField(
        null=True,
        editable=False,
        help_text="The source of each of these two; one of a lower rank does not change it.",
    )
    is_active = models.BooleanField(default=True)
    missing = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Lists in a row that did not name it."
    )
    withdrawn_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the provider's list had not named it several times in a row.",
    )

    class Meta:
        ordering = ["model", "priority", "provider"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "upstream_model", "model"],
                name="catalog_offering_once_per_provider",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.model_id} at {self.provider_id}"
