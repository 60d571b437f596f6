"""The catalogue for staff. Prices are shown and entered in dollars per million tokens."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from apps.catalog.forms import PriceForm, ProviderForm
from apps.catalog.models import (
    AMOUNTS,
    Feed,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceProposal,
    ProposalState,
    Provider,
)
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.reach import why_not_asked
from apps.catalog.selectors import with_current_price
from apps.catalog.services import feeds, proposals, providers
from apps.common.money import format_usd

PRICE_FIELDS = tuple(name for name in PriceForm.base_fields if name.endswith("_usd"))


def in_dollars(field: str) -> Callable[[Any, Price], str]:
    """A read-only column for a field of PriceForm."""

    @admin.display(description=PriceForm.base_fields[field].label)
    def show(_admin: Any, price: Price) -> str:
        return format_usd(getattr(price, field.removesuffix("_usd")))

    return show


class ShowsPrices:
    """Prices can be added and looked at; the database refuses everything else."""

    input_usd = in_dollars("input_usd")
    output_usd = in_dollars("output_usd")
    cache_read_usd = in_dollars("cache_read_usd")
    cache_write_5m_usd = in_dollars("cache_write_5m_usd")
    cache_write_1h_usd = in_dollars("cache_write_1h_usd")
    reasoning_usd = in_dollars("reasoning_usd")
    request_usd = in_dollars("request_usd")

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class PriceInline(ShowsPrices, TabularInline):  # type: ignore[misc]
    model = Price
    form = PriceForm
    extra = 0
    fields = ("valid_from", *PRICE_FIELDS, "source", "note")
    readonly_fields = ("source",)


class AliasInline(TabularInline):  # type: ignore[misc]
    model = ModelAlias
    extra = 0


class OfferingInline(TabularInline):  # type: ignore[misc]
    model = Offering
    extra = 0
    fields = ("provider", "upstream_model", "priority", "is_active")
    autocomplete_fields = ("provider",)
    show_change_link = True


@admin.register(Provider)
class ProviderAdmin(ModelAdmin):  # type: ignore[misc]
    form = ProviderForm
    list_display = ("slug", "name", "enabled", "state", "wire", "priority", "offered", "markup")
    list_filter = ("enabled", "wire", "is_sandbox")
    search_fields = ("slug", "name")
    readonly_fields = ("state", "address", "key", "created_at", "updated_at")
    fieldsets: ClassVar = (
        (None, {"fields": ("slug", "name", "enabled", "state", "priority", "markup_ppm", "docs")}),
        ("Address", {"fields": ("wire", "usage", "base_url", "address", "is_sandbox")}),
        ("Key", {"fields": ("key", "api_key_env", "api_key", "forget_api_key")}),
        (
            "Deadlines in seconds",
            {
                "fields": (
                    "connect_seconds",
                    "first_content_seconds",
                    "first_content_last_seconds",
                    "idle_seconds",
                    "reasoning_seconds",
                    "total_seconds",
                ),
                "description": "Empty: the default.",
            },
        ),
        ("Dates", {"fields": ("created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request)
        return rows.annotate(offered=Count("offerings", filter=Q(offerings__is_active=True)))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Provider | None = None
    ) -> tuple[str, ...]:
        """What a release decides is not the admin's to change."""
        if obj is None:
            return self.readonly_fields
        shipped = (
            tuple(providers.registered_facts(PROVIDERS[obj.slug])) if obj.slug in PROVIDERS else ()
        )
        return ("slug", *self.readonly_fields, *shipped)

    def save_model(
        self, request: HttpRequest, obj: Provider, form: ProviderForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("api_key"):
            providers.set_api_key(obj, form.cleaned_data["api_key"])
        elif form.cleaned_data.get("forget_api_key"):
            providers.set_api_key(obj, "")

    @admin.display(description="State")
    def state(self, row: Provider) -> str:
        return (why_not_asked(row) or "ready") if row.slug else "new"

    @admin.display(description="Models", ordering="offered")
    def offered(self, row: Any) -> int:
        return int(row.offered)

    @admin.display(description="Mark-up", ordering="markup_ppm")
    def markup(self, row: Provider) -> str:
        return f"{row.markup_ppm / 10_000:g} %"

    @admin.display(description="Address in use")
    def address(self, row: Provider) -> str:
        return (providers.endpoint_of(row) or "none") if row.slug else "-"

    @admin.display(description="Kept key")
    def key(self, row: Provider) -> str:
        return "kept, encrypted" if row.api_key_ciphertext else "none"


@admin.register(Model)
class CatalogModelAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "name", "context_length", "max_output_tokens", "hosts", "is_active")
    list_filter = ("is_active", "offerings__provider")
    search_fields = ("id", "name", "aliases__alias")
    inlines = (OfferingInline, AliasInline)
    readonly_fields = ("created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        rows: QuerySet[Model] = super().get_queryset(request)
        active = Q(offerings__is_active=True)
        return rows.annotate(hosts=Count("offerings__provider", filter=active, distinct=True))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("id",) if obj else ()))

    @admin.display(description="Providers", ordering="hosts")
    def hosts(self, row: Any) -> int:
        return int(row.hosts)


@admin.register(ModelAlias)
class ModelAliasAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("alias", "model", "reason")
    search_fields = ("alias", "model__id", "reason")
    autocomplete_fields = ("model",)
    list_select_related = ("model",)


@admin.register(Offering)
class OfferingAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = (
        "model",
        "variant",
        "provider",
        "upstream_model",
        "current_price",
        "priority",
        "is_active",
        "withdrawn_at",
    )
    list_filter = ("provider", "is_active", "variant", "withdrawn_at")
    search_fields = ("model__id", "upstream_model", "provider__slug")
    autocomplete_fields = ("model", "provider")
    list_select_related = ("model", "provider")
    readonly_fields = ("current_price", "missing", "withdrawn_at", "created_at", "updated_at")
    inlines = (PriceInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offering]:
        return with_current_price(super().get_queryset(request))

    @admin.display(description="Price per Mtok, in / out", ordering="current_input")
    def current_price(self, row: Any) -> str:
        if getattr(row, "current_input", None) is None:
            return "none: not listed"
        return f"{format_usd(row.current_input)} / {format_usd(row.current_output)}"


@admin.register(Price)
class PriceAdmin(ShowsPrices, ModelAdmin):  # type: ignore[misc]
    form = PriceForm
    list_display = (
        "offering",
        "input_usd",
        "output_usd",
        "cache_read_usd",
        "valid_from",
        "source",
        "note",
    )
    list_filter = ("source", "valid_from", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model")
    autocomplete_fields = ("offering",)
    list_select_related = ("offering",)
    date_hierarchy = "valid_from"
    fields = ("offering", "valid_from", *PRICE_FIELDS, "source", "note", "created_at")
    readonly_fields = ("source", "created_at")


class OnlyShown:
    """Rows that the gateway makes and staff read."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Feed)
class FeedAdmin(OnlyShown, ModelAdmin):  # type: ignore[misc]
    """What reading the providers' lists of models has come to; how often it is done can be changed."""

    list_display = (
        "provider",
        "refreshed_at",
        "attempted_at",
        "listed",
        "priced",
        "every_minutes",
        "error",
    )
    list_filter = ("refreshed_at",)
    search_fields = ("provider__slug", "error")
    list_select_related = ("provider",)
    readonly_fields = ("provider", "listed", "priced", "attempted_at", "refreshed_at", "error")
    actions = ("refresh_now",)

    @admin.action(description="Read the lists now")
    def refresh_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        for slug in queryset.values_list("provider_id", flat=True):
            found = feeds.refresh(slug)
            level = messages.ERROR if found.outcome is feeds.Outcome.FAILED else messages.SUCCESS
            told = f"{slug}: {found.outcome}, {found.listed} listed, {found.added} new prices. {found.reason}"
            self.message_user(request, told.strip(), level)


@admin.register(PriceProposal)
class PriceProposalAdmin(OnlyShown, ModelAdmin):  # type: ignore[misc]
    """Prices that were found and not believed, for staff to approve or reject."""

    list_display = ("offering", "former_price", "found_price", "reason", "source", "state", "created_at")  # fmt: skip
    list_filter = ("state", "source", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model", "reason")
    list_select_related = ("offering",)
    fields = (
        "offering", "former_price", "found_price", "reason", "source", "note", "state", "created_at", "decided_at",
        "decided_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("approve", "reject")

    @admin.display(description="Former, $ per Mtok or piece")
    def former_price(self, row: PriceProposal) -> str:
        return amounts_in_dollars(row.former)

    @admin.display(description="Found, $ per Mtok or piece")
    def found_price(self, row: PriceProposal) -> str:
        return amounts_in_dollars(row.found)

    @admin.action(description="Approve: charge these prices from now on", permissions=("change",))
    def approve(self, request: HttpRequest, queryset: QuerySet[PriceProposal]) -> None:
        self._decide(request, queryset, proposals.approve, "in force")

    @admin.action(description="Reject: leave prices as they are", permissions=("change",))
    def reject(self, request: HttpRequest, queryset: QuerySet[PriceProposal]) -> None:
        self._decide(request, queryset, proposals.reject, "rejected")

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[PriceProposal],
        decide: Callable[..., bool],
        done: str,
    ) -> None:
        by = request.user.get_username()
        count = sum(
            decide(row, by=by)
            for row in queryset.filter(state=ProposalState.PENDING).select_related("offering")
        )
        self.message_user(request, f"{count} {done}.")


def amounts_in_dollars(amounts: dict[str, int] | None) -> str:
    """Only the amounts that are something."""
    told = [
        f"{name} {format_usd(amounts[name])}" for name in AMOUNTS if amounts and amounts.get(name)
    ]
    return ", ".join(told) or ("nothing" if amounts else "none")
