"""Prices for staff: in dollars, added and looked at, never changed. One that is added overrides what sources tell, until that is ended."""

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from apps.catalog.forms import PriceForm
from apps.catalog.models import Price, PriceProposal, in_words, tier_words
from apps.catalog.services import overrides, proposals
from apps.catalog.services.errors import CatalogError
from apps.common import clock

IN_FORCE, PAST, TO_COME = "in force", "past", "to come"
"""What a price row is now."""
PRICE_FIELDS = (
    *(name for name in PriceForm.base_fields if name.endswith("_usd")),
    "tiers_usd",
)


class OnlyShown:
    """Rows that the gateway makes and staff read."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ShortSource:
    """Where a price is from, without the explanation that a form has room for."""

    @admin.display(description="Source", ordering="source")
    def short_source(self, row: Price | PriceProposal) -> str:
        return row.get_source_display().partition(":")[0]


class NeverChanged:
    """The database refuses it too."""

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    @admin.display(description="Price, $ per Mtok or piece")
    def price(self, row: Price) -> str:
        return row.words


class PriceInline(NeverChanged, OnlyShown, TabularInline):  # type: ignore[misc]
    """The offering's prices so far; one is added on its own page."""

    model = Price
    extra = 0
    hide_title = True
    fields = ("valid_from", "price", "source", "note", "added_by")
    readonly_fields = fields


@admin.register(Price)
class PriceAdmin(ShortSource, NeverChanged, ModelAdmin):  # type: ignore[misc]
    form = PriceForm
    list_display = (
        "offering",
        "price",
        "standing",
        "valid_from",
        "short_source",
        "note",
        "added_by",
    )
    list_filter = ("source", "valid_from", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model")
    autocomplete_fields = ("offering",)
    list_select_related = ("offering",)
    date_hierarchy = "valid_from"
    readonly_fields = ("amounts", "source", "added_by", "created_at")
    actions = ("end_override",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        rows: QuerySet[Price] = super().get_queryset(request)
        newer = Price.objects.filter(
            offering=OuterRef("offering"), valid_from__gt=OuterRef("valid_from"), valid_from__lte=clock.now()
        )  # fmt: skip
        return rows.annotate(is_followed=Exists(newer))

    @display(description="Now", label={IN_FORCE: "success", TO_COME: "info"})  # type: ignore[untyped-decorator]
    def standing(self, row: Any) -> str:
        if row.valid_from > clock.now():
            return TO_COME
        return PAST if row.is_followed else IN_FORCE

    @override
    def get_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        amounts = ("amounts",) if obj else PRICE_FIELDS
        return ("offering", "valid_from", *amounts, "source", "note", "added_by", "created_at")

    @admin.display(description="Amounts, $ per Mtok or piece")
    def amounts(self, row: Price) -> str:
        return in_words(row.amounts, is_whole=True) + tier_words(row.tiers or ())

    @override
    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """What waits for a decision about this host has been decided by it."""
        obj.added_by = request.user.get_username()
        super().save_model(request, obj, form, change)
        proposals.supersede_all(obj.offering)

    @admin.action(
        description="End the override: back to what the source tells", permissions=("add",)
    )
    def end_override(self, request: HttpRequest, queryset: QuerySet[Price]) -> None:
        for row in queryset.select_related("offering"):
            try:
                price = overrides.end(row, by=request.user.get_username())
            except CatalogError as error:
                self.message_user(request, f"{row.offering}: it {error.message}", messages.WARNING)
            else:
                told = (
                    f"{row.offering}: from now on {price.words}, from {self.short_source(price)}."
                )
                self.message_user(request, told, messages.SUCCESS)
