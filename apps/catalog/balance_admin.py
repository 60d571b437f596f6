"""What is left in the house's accounts at providers, for staff: to look at, and to ask for now."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.catalog.models import Provider, UpstreamBalance
from apps.catalog.services import balances
from apps.common.admin import ReadOnly


class BalanceColumn:
    """A provider's balance as it was last told; the page of balances says when, and what has been wrong since."""

    @admin.display(description="Balance there", ordering="balance__amount")
    def left(self, row: Provider) -> str:
        return row.balance.words if hasattr(row, "balance") else "-"


@admin.register(UpstreamBalance)
class UpstreamBalanceAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("provider", "left", "is_low", "read_at", "attempted_at", "error")
    list_filter = ("is_low", "currency")
    search_fields = ("provider__slug", "error")
    list_select_related = ("provider",)
    actions = ("read_now",)

    def has_read_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.change_provider")

    @admin.display(description="Left", ordering="amount")
    def left(self, row: UpstreamBalance) -> str:
        return row.words

    @admin.action(description="Read now", permissions=("read",))
    def read_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for slug in list(queryset.values_list("provider_id", flat=True)):
            found = balances.read_now(slug)
            level = messages.WARNING if found.error or found.is_low else messages.SUCCESS
            messages.add_message(request, level, f"{slug}: {found.error or found.words}")
