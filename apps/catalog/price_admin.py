"""Prices for staff: in dollars, added and looked at, never changed; and those that were found and wait for a decision."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from apps.catalog.forms import PriceForm
from apps.catalog.models import Price, PriceProposal, ProposalState, in_words
from apps.catalog.services import proposals
from apps.common import clock

IN_FORCE, PAST, TO_COME = "in force", "past", "to come"
"""What a price row is now."""
STATES = {
    ProposalState.PENDING: "waiting",
    ProposalState.APPROVED: "approved",
    ProposalState.REJECTED: "rejected",
}
PRICE_FIELDS = tuple(name for name in PriceForm.base_fields if name.endswith("_usd"))


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
    fields = ("valid_from", "price", "source", "note")
    readonly_fields = fields


@admin.register(Price)
class PriceAdmin(ShortSource, NeverChanged, ModelAdmin):  # type: ignore[misc]
    form = PriceForm
    list_display = ("offering", "price", "standing", "valid_from", "short_source", "note")
    list_filter = ("source", "valid_from", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model")
    autocomplete_fields = ("offering",)
    list_select_related = ("offering",)
    date_hierarchy = "valid_from"
    readonly_fields = ("amounts", "source", "created_at")

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
        return ("offering", "valid_from", *amounts, "source", "note", "created_at")

    @admin.display(description="Amounts, $ per Mtok or piece")
    def amounts(self, row: Price) -> str:
        return in_words(row.amounts, is_whole=True)


@admin.register(PriceProposal)
class PriceProposalAdmin(ShortSource, OnlyShown, ModelAdmin):  # type: ignore[misc]
    """Prices that were found and not believed, for staff to approve or reject."""

    list_display = ("offering", "former_price", "found_price", "reason", "short_source", "decision", "created_at")  # fmt: skip
    list_filter = ("state", "source", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model", "reason")
    list_select_related = ("offering",)
    fields = (
        "offering", "former_price", "found_price", "reason", "source", "note", "state", "created_at", "decided_at",
        "decided_by",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("approve", "reject")
    actions_submit_line: ClassVar = ["approve_this", "reject_this"]

    @override
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Nothing of it can be saved, only decided."""
        hidden = {"show_save": False, "show_save_and_continue": False}
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **hidden}
        )
        return response

    @override
    def get_actions_submit_line(
        self, request: HttpRequest, object_id: int | str
    ) -> list[UnfoldAction]:
        is_open = PriceProposal.objects.filter(pk=object_id, state=ProposalState.PENDING).exists()
        found: list[UnfoldAction] = super().get_actions_submit_line(request, object_id)
        return found if is_open else []

    @override
    def save_model(self, request: HttpRequest, obj: PriceProposal, form: Any, change: bool) -> None:
        """The buttons alone: the row, as it was read, must not be written over somebody else's decision."""
        for button in self.get_actions_submit_line(request, obj.pk):
            if button.action_name in request.POST:
                button.method(request, obj)

    @override
    def response_change(self, request: HttpRequest, obj: PriceProposal) -> HttpResponse:
        """Back to the list, where the decision's own message is all that is said."""
        response: HttpResponse = self.response_post_save_change(request, obj)
        return response

    @display(  # type: ignore[untyped-decorator]
        description="State", ordering="state", label={"waiting": "warning", "approved": "success", "rejected": "danger"}
    )  # fmt: skip
    def decision(self, row: PriceProposal) -> str:
        return STATES[ProposalState(row.state)]

    @admin.display(description="Before, $ per Mtok or piece")
    def former_price(self, row: PriceProposal) -> str:
        return in_words(row.former) if row.former else "none"

    @admin.display(description="Found")
    def found_price(self, row: PriceProposal) -> str:
        return in_words(row.found)

    @admin.action(description="Approve: charge these prices from now on", permissions=("change",))
    def approve(self, request: HttpRequest, queryset: QuerySet[PriceProposal]) -> None:
        self._decide(request, queryset, proposals.approve, "approved: charged from now on")

    @admin.action(description="Reject: leave prices as they are", permissions=("change",))
    def reject(self, request: HttpRequest, queryset: QuerySet[PriceProposal]) -> None:
        self._decide(request, queryset, proposals.reject, "rejected: prices stay as they are")

    @action(description="Approve: charge it from now on", permissions=["change"])  # type: ignore[untyped-decorator]
    def approve_this(self, request: HttpRequest, row: PriceProposal) -> None:
        self.approve(request, PriceProposal.objects.filter(pk=row.pk))

    @action(description="Reject: change nothing", permissions=["change"])  # type: ignore[untyped-decorator]
    def reject_this(self, request: HttpRequest, row: PriceProposal) -> None:
        self.reject(request, PriceProposal.objects.filter(pk=row.pk))

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
        told = f"{count} {done}." if count else "Nothing changed: decided before."
        self.message_user(request, told, messages.SUCCESS if count else messages.WARNING)
