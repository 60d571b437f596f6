"""Payments for staff: packages are theirs to change; orders, refunds and webhooks are to look at, compare and do again."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from apps.billing.forms import RefundForm
from apps.billing.models import (
    AutoTopUp,
    CreditPackage,
    Order,
    OrderStatus,
    Reversal,
    StripeCustomer,
    StripeEvent,
)
from apps.billing.services import checkout, inbox, reversals
from apps.billing.services.orders import NANO_PER_CENT
from apps.common.admin import Large, OrganizationFilter, ReadOnly, in_usd
from apps.common.errors import GatewayzError
from apps.common.money import format_usd


def in_dollars(field: str, description: str = "") -> Any:
    """A column for cents."""

    @admin.display(description=description or field.removesuffix("_cents"), ordering=field)
    def show(_admin: Any, row: Any) -> str:
        cents = getattr(row, field)
        return "" if cents is None else format_usd(cents * NANO_PER_CENT)

    return show


@admin.register(CreditPackage)
class CreditPackageAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "slug", "price", "credit_usd", "bonus_usd", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    fields = ("name", "slug", "price_cents", "credit", "bonus", "is_active")
    price = in_dollars("price_cents")
    credit_usd = in_usd("credit")
    bonus_usd = in_usd("bonus")

    @override
    def has_delete_permission(self, request: HttpRequest, obj: CreditPackage | None = None) -> bool:
        """Orders name it: it is turned off instead."""
        return False


@admin.register(StripeCustomer)
class StripeCustomerAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("organization", "stripe_id", "created_at")
    search_fields = ("organization__name", "stripe_id__exact")
    list_select_related = ("organization",)
    fields = ("organization", "stripe_id", "token", "created_at")


class ReversalInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Reversal
    extra = 0
    fields = ("kind", "status", "amount", "taken_usd", "uncovered_usd", "stripe_id", "created_at")
    readonly_fields = fields
    amount = in_dollars("amount_cents")
    taken_usd = in_usd("taken")
    uncovered_usd = in_usd("uncovered")


@admin.register(Order)
class OrderAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "id",
        "organization",
        "kind",
        "status",
        "amount",
        "refunded",
        "problem",
        "created_at",
    )
    list_filter = ("status", "kind", OrganizationFilter, "created_at")
    search_fields = ("id__exact", "session_id__exact", "intent_id__exact", "organization__name")
    list_select_related = ("organization",)
    fields = (
        "id",
        "organization",
        "api_key_id",
        "kind",
        "status",
        "problem",
        "package",
        "credit_usd",
        "bonus_usd",
        "price",
        "fee",
        "amount",
        "refunded",
        "currency",
        "session_id",
        "intent_id",
        "created_at",
        "paid_at",
        "checked_at",
    )
    inlines = (ReversalInline,)
    actions = ("compare",)
    actions_detail: ClassVar = ["refund"]
    price = in_dollars("price_cents")
    fee = in_dollars("fee_cents")
    amount = in_dollars("amount_cents")
    refunded = in_dollars("refunded_cents")
    credit_usd = in_usd("credit")
    bonus_usd = in_usd("bonus")

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("billing.change_order"))

    has_refund_permission = has_compare_permission

    @admin.action(description="Compare with Stripe", permissions=["compare"])
    def compare(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Also the way out of quarantine, once the row or the payment was put right."""
        for order in orders:
            try:
                status = checkout.compare(order)
            except GatewayzError as error:
                messages.error(request, f"{order}: {error.message}")
                continue
            messages.info(request, f"{order}: {OrderStatus(status).label}")

    @action(description="Refund", url_path="refund", permissions=["refund"])  # type: ignore[untyped-decorator]
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        order = get_object_or_404(Order.objects.select_related("organization"), pk=object_id)
        form = RefundForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._refund(request, order, form.cleaned_data)
            return redirect(reverse("admin:billing_order_change", args=[quote(order.pk)]))
        left = order.amount_cents - order.refunded_cents if order.paid_at else 0
        context = {
            **self.admin_site.each_context(request),
            "title": f"Refund {order}",
            "opts": self.opts,
            "form": form,
            "order": order,
            "left": format_usd(left * NANO_PER_CENT),
        }
        return TemplateResponse(request, "admin/billing/order/refund.html", context)

    def _refund(self, request: HttpRequest, order: Order, given: dict[str, Any]) -> None:
        try:
            reversal = reversals.request_refund(
                order.pk,
                amount_cents=given["amount_usd"],
                reason=f"{given['reason']} (staff {request.user.pk})",
                idempotency_key=f"staff:{given['token'].hex}",
                is_staff=True,
            )
        except GatewayzError as error:
            messages.error(request, error.message)
            return
        amount = format_usd(reversal.amount_cents * NANO_PER_CENT)
        self.log_change(request, order, f"Refunded {amount}: {given['reason']}")
        messages.success(request, f"{amount}: {reversal.get_status_display()}")


@admin.register(Reversal)
class ReversalAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "id",
        "order",
        "kind",
        "status",
        "amount",
        "taken_usd",
        "uncovered_usd",
        "created_at",
    )
    list_filter = ("kind", "status", "created_at")
    search_fields = ("id__exact", "stripe_id__exact", "order__id__exact")
    list_select_related = ("order",)
    fields = (*list_display, "stripe_id", "reason")
    amount = in_dollars("amount_cents")
    taken_usd = in_usd("taken", "credit taken back")
    uncovered_usd = in_usd("uncovered", "spent already")


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "organization",
        "is_enabled",
        "threshold_usd",
        "price",
        "cap",
        "failures",
        "next_attempt_at",
        "stopped_because",
    )
    list_filter = ("is_enabled",)
    search_fields = ("organization__name",)
    list_select_related = ("organization",)
    fields = (*list_display, "card_id")
    threshold_usd = in_usd("threshold")
    price = in_dollars("price_cents")
    cap = in_dollars("monthly_cap_cents", "monthly cap")


@admin.register(StripeEvent)
class StripeEventAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "type", "status", "attempts", "problem", "received_at", "processed_at")
    list_filter = ("status", "received_at")
    search_fields = ("id__exact", "type")
    fields = (*list_display, "next_attempt_at", "payload")
    actions = ("process_again",)

    def has_process_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("billing.change_stripeevent"))

    @admin.action(description="Process again", permissions=["process"])
    def process_again(self, request: HttpRequest, events: QuerySet[StripeEvent]) -> None:
        """By the sweep, of which one runs every minute. Changes nothing twice."""
        for event in events:
            inbox.process_again(event.pk)
        messages.info(request, f"{len(events)} will be processed within a minute.")
