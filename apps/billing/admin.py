"""The ledger for staff: everything can be looked at, and promo credit can be granted. Nothing else is written here."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from apps.billing import payments_admin as payments_admin  # its pages are registered with these
from apps.billing import promotion_admin as promotion_admin  # registers its own pages
from apps.billing import subscriptions_admin as subscriptions_admin
from apps.billing.forms import GrantForm
from apps.billing.models import (
    Account,
    Balance,
    CreditLot,
    CreditWatch,
    EntryLine,
    Hold,
    JournalEntry,
)
from apps.billing.services import ledger
from apps.common.admin import Large, OrganizationFilter, ReadOnly, in_usd
from apps.common.money import format_usd

TOTAL = F("allowance") + F("promo") + F("purchased")


class CreditFilter(admin.SimpleListFilter):
    title = "credit"
    parameter_name = "credit"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [("some", "Has credit"), ("none", "Has none"), ("held", "Has holds")]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Balance]) -> QuerySet[Balance]:
        match self.value():
            case "some":
                return queryset.alias(credit=TOTAL).filter(credit__gt=0)
            case "none":
                return queryset.alias(credit=TOTAL).filter(credit=0)
            case "held":
                return queryset.filter(held__gt=0)
            case _:
                return queryset


@admin.register(Balance)
class BalanceAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "organization",
        "total_usd",
        "available_usd",
        "held_usd",
        "allowance_usd",
        "promo_usd",
        "purchased_usd",
    )
    list_filter = (CreditFilter,)
    search_fields = ("organization__name", "organization__memberships__user__email")
    list_select_related = ("organization",)
    ordering = ("-organization_id",)
    fields = list_display
    actions_detail: ClassVar = ["grant"]

    allowance_usd = in_usd("allowance")
    promo_usd = in_usd("promo")
    purchased_usd = in_usd("purchased")
    held_usd = in_usd("held", "on hold")

    @admin.display(description="total", ordering=TOTAL)
    def total_usd(self, balance: Balance) -> str:
        return format_usd(balance.total)

    @admin.display(description="available", ordering=TOTAL - F("held"))
    def available_usd(self, balance: Balance) -> str:
        return format_usd(balance.available)

    def has_grant_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whoever may add journal entries: this is the one way in which staff do."""
        return bool(request.user.has_perm("billing.add_journalentry"))

    @action(description="Grant promo credit", url_path="grant", permissions=["grant"])  # type: ignore[untyped-decorator]
    def grant(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form of its own: amount and memo, or the errors beside them."""
        balance = get_object_or_404(Balance.objects.select_related("organization"), pk=object_id)
        form = GrantForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._grant(request, balance, form.cleaned_data)
            return redirect(reverse("admin:billing_balance_change", args=[balance.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Grant promo credit to {balance.organization}",
            "opts": self.opts,
            "form": form,
            "balance": balance,
            "total": format_usd(balance.total),
            "held": format_usd(balance.held),
        }
        return TemplateResponse(request, "admin/billing/balance/grant.html", context)

    def _grant(self, request: HttpRequest, balance: Balance, given: dict[str, Any]) -> None:
        amount = given["amount_usd"]
        is_new = ledger.grant_promo(
            balance.pk,
            amount=amount,
            reference=f"grant:{given['token'].hex}",
            memo=f"{given['memo']} (staff {request.user.pk})",
            expires_at=given["expires_at"],
        )
        if not is_new:
            messages.warning(request, "This grant was given already; nothing has changed.")
            return
        self.log_change(request, balance, f"Granted {format_usd(amount)}: {given['memo']}")
        messages.success(request, f"{format_usd(amount)} granted to {balance.organization}.")


@admin.register(CreditLot)
class CreditLotAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "organization",
        "bucket",
        "amount_usd",
        "remaining_usd",
        "expires_at",
        "reference",
    )
    list_filter = ("bucket", OrganizationFilter, "expires_at")
    search_fields = ("reference__exact",)
    list_select_related = ("organization",)
    fields = (*list_display, "created_at")
    amount_usd = in_usd("amount")
    remaining_usd = in_usd("remaining", "left when spending was last booked")


@admin.register(Account)
class AccountAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "organization", "kind")
    list_filter = ("kind", ("organization", admin.EmptyFieldListFilter))
    search_fields = ("organization__name",)
    list_select_related = ("organization",)
    fields = ("organization", "kind", "sum_of_lines")
    readonly_fields = ("sum_of_lines",)

    @admin.display(description="sum of its lines")
    def sum_of_lines(self, account: Account) -> str:
        return format_usd(account.lines.aggregate(total=Sum("amount"))["total"] or 0)


class LineInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = EntryLine
    extra = 0
    fields = ("account", "amount_usd")
    readonly_fields = fields
    amount_usd = in_usd("amount")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EntryLine]:
        rows: QuerySet[EntryLine] = super().get_queryset(request)
        return rows.select_related("account__organization")


@admin.register(JournalEntry)
class JournalEntryAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = ("reference", "kind", "organization", "memo", "created_at")
    list_filter = ("kind", OrganizationFilter, "created_at")
    search_fields = ("reference__exact",)
    search_help_text = "A whole reference, as in settle:gen_…"
    list_select_related = ("organization",)
    fields = ("reference", "kind", "organization", "price_id", "memo", "created_at")
    inlines = (LineInline,)


@admin.register(EntryLine)
class EntryLineAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "entry", "account", "amount_usd")
    list_filter = ("account__kind", "entry__kind")
    search_fields = ("entry__reference__exact",)
    search_help_text = "A whole reference, as in settle:gen_…"
    list_select_related = ("entry", "account__organization")
    ordering = ("-id",)
    fields = ("entry", "account", "amount_usd")
    amount_usd = in_usd("amount")


@admin.register(Hold)
class HoldAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "request_id",
        "organization",
        "amount_usd",
        "model",
        "owner",
        "created_at",
        "expires_at",
    )
    list_filter = (OrganizationFilter, "created_at", "expires_at")
    search_fields = ("request_id__exact", "owner__exact", "model")
    list_select_related = ("organization",)
    ordering = ("-created_at",)
    fields = (
        "request_id",
        "organization",
        "amount_usd",
        "api_key_id",
        "model",
        "owner",
        "created_at",
        "expires_at",
    )
    amount_usd = in_usd("amount")


@admin.register(CreditWatch)
class CreditWatchAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("organization", "level", "since")
    list_select_related = ("organization",)
    list_filter = ("level", "since")
    search_fields = ("organization__name",)
