"""The catalogue for staff. Prices have a file of their own."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline

from apps.catalog.balance_admin import BalanceColumn
from apps.catalog.forms import ModelForm, OfferingForm, ProviderForm
from apps.catalog.models import (
    Feed,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceSource,
    Provider,
)
from apps.catalog.price_admin import OnlyShown, PriceInline
from apps.catalog.proposal_admin import ApprovesPrices
from apps.catalog.providers.registry import PROVIDERS, spec_of
from apps.catalog.reach import data_policy_of, why_not_asked
from apps.catalog.services import feeds, host_abilities, providers
from apps.catalog.terms_admin import PriceTermsAdmin as PriceTermsAdmin
from apps.common import clock


def link(page: str, text: str | int, **query: str | int) -> str:
    """To a page of the catalogue's, from a cell or a row."""
    return format_html(
        '<a href="{}?{}" class="text-primary-600">{}</a>',
        reverse(f"admin:catalog_{page}"),
        urlencode(query),
        text,
    )


class Switched:
    """Rows that can be put off and on again many at a time."""

    switch: str
    """The field that says whether a row is on."""
    actions: tuple[str, ...] = ("switch_on", "switch_off")

    @admin.action(description="Switch on", permissions=("change",))
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set(request, queryset, is_on=True)

    @admin.action(description="Switch off: no request goes there", permissions=("change",))
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._set(request, queryset, is_on=False)

    def _set(self, request: HttpRequest, queryset: QuerySet[Any], *, is_on: bool) -> None:
        count = queryset.update(**{self.switch: is_on, "updated_at": clock.now()})
        messages.success(request, f"{count} switched {'on' if is_on else 'off'}.")


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
class ProviderAdmin(BalanceColumn, ApprovesPrices, Switched, ModelAdmin):  # type: ignore[misc]
    switch = "enabled"
    form = ProviderForm
    list_display = (
        "slug",
        "name",
        "enabled",
        "state",
        "wire",
        "priority",
        "offered",
        "markup",
        "waiting_prices",
        "left",
    )
    actions = (*Switched.actions, "approve_prices")
    list_filter = ("enabled", "wire", "is_sandbox", "is_spent")
    list_select_related = ("balance",)
    search_fields = ("slug", "name")
    readonly_fields = ("state", "address", "key", "policy", "created_at", "updated_at")
    fieldsets: ClassVar = (
        (None, {"fields": ("slug", "name", "enabled", "state", "priority", "markup_ppm", "docs")}),
        ("Address", {"fields": ("wire", "usage", "base_url", "address", "is_sandbox")}),
        ("Data policy", {"fields": ("collects_data", "keeps_nothing", "policy", "region")}),
        ("Abilities", {"fields": ("prefill",)}),
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
                "description": "Empty: the default, in grey.",
            },
        ),
        ("Dates", {"fields": ("created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request)
        active = Q(offerings__is_active=True)
        return self.count_waiting(
            rows.annotate(offered=Count("offerings", filter=active, distinct=True))
        )

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
    def offered(self, row: Any) -> str:
        return link("offering_changelist", row.offered, provider__slug__exact=row.slug)

    @admin.display(description="Mark-up", ordering="markup_ppm")
    def markup(self, row: Provider) -> str:
        return f"{row.markup_ppm / 10_000:g} %"

    @admin.display(description="Address in use")
    def address(self, row: Provider) -> str:
        return (providers.endpoint_of(row) or "none") if row.slug else "-"

    @admin.display(description="In use")
    def policy(self, row: Provider) -> str:
        found = data_policy_of(row, spec_of(row.slug, row.wire))
        words = {True: "yes", False: "no", None: "unknown"}
        told = f"collects data: {words[found.collects]}; zero data retention: {words[found.keeps_nothing]}"
        if not found.page:
            return told
        return format_html(
            '{} (<a href="{}" class="text-primary-600">policy</a>)', told, found.page
        )

    @admin.display(description="Kept key")
    def key(self, row: Provider) -> str:
        return "kept, encrypted" if row.api_key_ciphertext else "none"


@admin.register(Model)
class CatalogModelAdmin(Switched, ModelAdmin):  # type: ignore[misc]
    switch = "is_active"
    form = ModelForm
    list_display = ("id", "name", "context_length", "max_output_tokens", "hosts", "is_active")
    list_filter = ("is_active", "offerings__provider")
    search_fields = ("id", "name", "aliases__alias")
    inlines = (OfferingInline, AliasInline)
    readonly_fields = ("created_at", "updated_at")
    fieldsets: ClassVar = (
        (None, {"fields": ("id", "name", "is_active", "released_on", "description")}),
        (
            "What it takes and gives",
            {
                "fields": (
                    "context_length",
                    "max_output_tokens",
                    "input_modalities",
                    "output_modalities",
                    "supported_parameters",
                )
            },
        ),
        ("Dates", {"fields": ("created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        rows: QuerySet[Model] = super().get_queryset(request)
        active = Q(offerings__is_active=True)
        return rows.annotate(hosts=Count("offerings__provider", filter=active, distinct=True))

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, *(("id",) if obj else ()))

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        """What an operator writes is no longer learnt, so that no source changes it."""
        obj.learned = {
            name: how for name, how in obj.learned.items() if name not in form.changed_data
        }
        super().save_model(request, obj, form, change)

    @admin.display(description="Providers", ordering="hosts")
    def hosts(self, row: Any) -> str:
        return link("offering_changelist", row.hosts, model__id__exact=row.pk)


@admin.register(ModelAlias)
class ModelAliasAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("alias", "model", "reason")
    search_fields = ("alias", "model__id", "reason")
    autocomplete_fields = ("model",)
    list_select_related = ("model",)


@admin.register(Offering)
class OfferingAdmin(Switched, ModelAdmin):  # type: ignore[misc]
    switch = "is_active"
    form = OfferingForm
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
    readonly_fields = (
        "current_price",
        "new_price",
        "missing",
        "withdrawn_at",
        "created_at",
        "updated_at",
    )
    inlines = (PriceInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offering]:
        rows: QuerySet[Offering] = super().get_queryset(request)
        begun = Price.objects.filter(valid_from__lte=clock.now()).order_by("-valid_from")
        return rows.prefetch_related(Prefetch("prices", begun, to_attr="begun"))

    def save_model(
        self, request: HttpRequest, obj: Offering, form: OfferingForm, change: bool
    ) -> None:
        """What an operator writes of a host no list changes, until it is emptied."""
        for name in host_abilities.TOLD:
            if name in form.changed_data:
                host_abilities.write(obj, name, form.cleaned_data[name] or [], PriceSource.STAFF)
        super().save_model(request, obj, form, change)

    @override
    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "model__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="Price, $ per Mtok or piece")
    def current_price(self, row: Any) -> str:
        begun = getattr(row, "begun", None)
        return begun[0].words if begun else "none: not listed"

    @admin.display(description="New price")
    def new_price(self, row: Offering) -> str:
        return link("price_add", "Add a price", offering=row.pk) if row.pk else "-"


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
