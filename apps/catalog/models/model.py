"""Models: what a client may name, whoever serves it."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from typing_extensions import override

from apps.common.db import Timestamped

ABILITIES = ("input_modalities", "output_modalities", "supported_parameters")
"""What a model takes, makes and understands."""


def text_only() -> list[str]:
    return ["text"]


class Model(Timestamped):
    """A model under its public id, for example ``openai/gpt-4o``. The id keeps its case; no two differ only in case."""

    id = models.CharField(primary_key=True, max_length=200)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    context_length = models.PositiveIntegerField(
        null=True, blank=True, help_text="Tokens; empty when unknown."
    )
    max_output_tokens = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty when unknown."
    )
    input_modalities = models.JSONField(default=text_only)
    output_modalities = models.JSONField(default=text_only)
    supported_parameters = models.JSONField(
        default=list, blank=True, help_text="Empty when unknown."
    )
    released_on = models.DateField(
        "released", null=True, blank=True, help_text="When it came out; empty when unknown."
    )
    learned = models.JSONField(
        default=dict,
        editable=False,
        help_text="How well each ability is known that no operator wrote; see services.abilities.",
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(Lower("id"), name="catalog_model_id_unique_whatever_case"),
            models.CheckConstraint(condition=~Q(id=""), name="catalog_model_id_not_empty"),
        ]

    @override
    def __str__(self) -> str:
        return self.id


class ModelAlias(Timestamped):
    """Another name of a model. Compared without case, so it is kept in lower case."""

    alias = models.CharField(max_length=200, unique=True)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")
    reason = models.CharField(
        max_length=200, blank=True, help_text="Why a request for this name goes to that model."
    )

    class Meta:
        verbose_name_plural = "model aliases"
        ordering = ["alias"]
        constraints = [
            models.CheckConstraint(
                condition=Q(alias=Lower(F("alias"))),
                name="catalog_alias_lower_case",
                violation_error_message="An alias is written in lower case.",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.alias
