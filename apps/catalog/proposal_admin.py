"""Price proposals for staff: what was found and not believed, what it would change, and the buttons that decide."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action, display

from apps.catalog.differences import differences
from apps.catalog.models import PriceProposal, ProposalState, Provider, in_words, tier_words
from apps.catalog.price_admin import OnlyShown, ShortSource
from apps.catalog.services import proposals
from apps.common.money import format_usd

STATES = {
    ProposalState.PENDING: "waiting",
    ProposalState.APPROVED: "approved",
    ProposalState.REJECTED: "rejected",
    ProposalState.SUPERSEDED: "superseded",
}
DIFFERENCE_COLUMNS = ("", "before", "found", "times")


def _usd(amount: int | None) -> str:
    return "none" if amount is None else format_usd(amount)


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.4g} x"


def _words(price: dict[str, Any]) -> str:
    return in_words(price) + tier_words(price.get("tiers") or ())


class ApprovesPrices:
    """Of providers: how many of their prices wait, and all of them approved at once."""

    @admin.action(description="Approve all their waiting prices", permissions=("change",))
    def approve_prices(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        by = request.user.get_username()
        for slug in queryset.values_list("slug", flat=True):
            count = proposals.approve_all(slug, by=by)
            messages.success(request, f"{slug}: {count} approved, charged from now on.")

    @admin.display(description="Waiting prices", ordering="waiting")
    def waiting_prices(self, row: Any) -> int:
        count: int = row.waiting
        return count

    def count_waiting(self, rows: QuerySet[Provider]) -> QuerySet[Provider]:
        pending = Q(offerings__proposals__state=ProposalState.PENDING)
        return rows.annotate(waiting=Count("offerings__proposals", filter=pending, distinct=True))


@admin.register(PriceProposal)
class PriceProposalAdmin(ShortSource, OnlyShown, ModelAdmin):  # type: ignore[misc]
    """Prices that were found and not believed, for staff to approve or reject."""

    list_display = ("offering", "former_price", "found_price", "change", "reason", "short_source", "decision", "created_at")  # fmt: skip
    list_filter = ("state", "source", "offering__provider")
    search_fields = ("offering__model__id", "offering__upstream_model", "reason")
    list_select_related = ("offering",)
    fields = (
        "offering", "former_price", "found_price", "difference", "reason", "source", "note", "state", "created_at", "decided_at",
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
        return _words(row.former) if row.former else "none"

    @admin.display(description="Found")
    def found_price(self, row: PriceProposal) -> str:
        return _words(row.found)

    @admin.display(description="Largest change")
    def change(self, row: PriceProposal) -> str:
        ratios = [found.ratio for found in differences(row.former, row.found) if found.ratio]
        return _times(max(ratios, key=lambda ratio: max(ratio, 1 / ratio), default=None))

    @admin.display(description="Difference, $ per Mtok or piece")
    def difference(self, row: PriceProposal) -> SafeString:
        """A line for each number that is another one."""
        head = format_html_join(
            "", '<th class="pr-6 text-left">{}</th>', ((name,) for name in DIFFERENCE_COLUMNS)
        )
        lines = format_html_join(
            "",
            '<tr><td class="pr-6">{}</td><td class="pr-6">{}</td><td class="pr-6">{}</td><td class="pr-6">{}</td></tr>',
            (
                (found.words, _usd(found.former), _usd(found.found), _times(found.ratio))
                for found in differences(row.former, row.found)
            ),
        )
        return format_html(
            "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, lines
        )

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
