"""Price terms for staff: agreed on with an organisation, ended, never changed."""

from typing import ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.decorators import display

from apps.catalog.forms import TermsForm
from apps.catalog.models import PriceTerms
from apps.common import clock

IN_FORCE, PAST, TO_COME = "in force", "past", "to come"


@admin.register(PriceTerms)
class PriceTermsAdmin(ModelAdmin):  # type: ignore[misc]
    form = TermsForm
    list_display = ("organization", "added", "model_pattern", "provider", "standing", "valid_from", "valid_until", "note", "added_by")  # fmt: skip
    list_filter = ("provider", "valid_from")
    search_fields = ("organization__name", "model_pattern", "note")
    list_select_related = ("organization", "provider")
    autocomplete_fields = ("organization", "provider")
    readonly_fields = ("added_by", "created_at")
    fields = (
        "organization", "provider", "model_pattern", "basis_points", "valid_from", "valid_until", "note", "added_by",
        "created_at",
    )  # fmt: skip
    agreed: ClassVar = ("organization", "provider", "model_pattern", "basis_points", "valid_from")

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: PriceTerms | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, *(self.agreed if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """A bill of theirs may have to be computed again."""
        return False

    @override
    def save_model(
        self, request: HttpRequest, obj: PriceTerms, form: TermsForm, change: bool
    ) -> None:
        if not change:
            obj.added_by = request.user.get_username()
        super().save_model(request, obj, form, change)

    @admin.display(description="On the price", ordering="basis_points")
    def added(self, row: PriceTerms) -> str:
        return row.words

    @display(description="Now", label={IN_FORCE: "success", TO_COME: "info"})  # type: ignore[untyped-decorator]
    def standing(self, row: PriceTerms) -> str:
        now = clock.now()
        if row.valid_from > now:
            return TO_COME
        return PAST if row.valid_until and row.valid_until <= now else IN_FORCE
