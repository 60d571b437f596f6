"""Subscriptions for staff: to look at, to compare with Stripe, to end when a period does. Everything else is done at Stripe."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from apps.billing.models import PlanPrice, Subscription, SubscriptionInvoice
from apps.billing.payments_admin import in_dollars
from apps.billing.services import subscription_changes, subscription_checkout
from apps.common.admin import Large, OrganizationFilter, ReadOnly, in_usd
from apps.common.errors import GatewayzError


@admin.register(PlanPrice)
class PlanPriceAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """What plans have cost; a plan that is changed gets another when it is next sold."""

    list_display = ("plan", "price", "allowance_usd", "stripe_id", "created_at")
    list_filter = ("plan",)
    search_fields = ("stripe_id__exact",)
    list_select_related = ("plan",)
    fields = (*list_display, "token")
    price = in_dollars("price_cents")
    allowance_usd = in_usd("allowance")


class InvoiceInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = SubscriptionInvoice
    extra = 0
    fields = (
        "id",
        "status",
        "reason",
        "paid",
        "earned_usd",
        "granted_usd",
        "returned",
        "taken_usd",
        "uncovered_usd",
        "invoiced_at",
        "problem",
    )
    readonly_fields = fields
    paid = in_dollars("paid_cents")
    earned_usd = in_usd("earned")
    granted_usd = in_usd("granted")
    returned = in_dollars("returned_cents")
    taken_usd = in_usd("taken", "taken back")
    uncovered_usd = in_usd("uncovered", "spent already")


@admin.register(Subscription)
class SubscriptionAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "id",
        "organization",
        "status",
        "price",
        "next_price",
        "period_end",
        "cancel_at_period_end",
        "problem",
        "created_at",
    )
    list_filter = ("status", OrganizationFilter, "cancel_at_period_end", "created_at")
    search_fields = ("id__exact", "session_id__exact", "stripe_id__exact", "organization__name")
    list_select_related = ("organization", "price", "next_price")
    fields = (
        *list_display,
        "api_key_id",
        "period_start",
        "ended_at",
        "session_id",
        "stripe_id",
        "checked_at",
    )
    inlines = (InvoiceInline,)
    actions = ("compare", "cancel_at_the_end", "resume")

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("billing.change_subscription"))

    @admin.action(description="Compare with Stripe", permissions=["compare"])
    def compare(self, request: HttpRequest, rows: QuerySet[Subscription]) -> None:
        """Also the way out of quarantine, once the row or what is at Stripe was put right."""
        self._do(request, rows, subscription_checkout.compare)

    @admin.action(description="Cancel when the period ends", permissions=["compare"])
    def cancel_at_the_end(self, request: HttpRequest, rows: QuerySet[Subscription]) -> None:
        self._do(
            request,
            rows.exclude(stripe_id=None),
            lambda row: subscription_changes.cancel(row, at_period_end=True),
            told="Cancelled for the end of its period",
        )

    @admin.action(description="Take back what waits for the period's end", permissions=["compare"])
    def resume(self, request: HttpRequest, rows: QuerySet[Subscription]) -> None:
        self._do(request, rows.exclude(stripe_id=None), subscription_changes.resume, told="Resumed")

    def _do(
        self,
        request: HttpRequest,
        rows: QuerySet[Subscription],
        change: Callable[[Subscription], Subscription],
        *,
        told: str = "",
    ) -> None:
        for row in rows:
            try:
                row = change(row)
            except GatewayzError as error:
                messages.error(request, f"{row}: {error.message}")
                continue
            if told:
                self.log_change(request, row, told)
            messages.info(request, f"{row}: {row.get_status_display()} {row.problem}".strip())
