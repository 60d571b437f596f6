"""Promotions for staff. Terms, coupons, offers and batches are written here; what customers did with them is only shown.

Trials are ended and extended through the staff API (docs/promotions.md).
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers
from typing_extensions import override
from unfold.admin import ModelAdmin

from apps.billing.models import (
    CodeGuesses,
    Coupon,
    CouponRedemption,
    PartnerOffer,
    RedemptionBatch,
    RedemptionCode,
    Referral,
    ReferralCode,
    ReferralTerms,
    Trial,
    TrialTerms,
)
from apps.billing.promotion_forms import (
    CouponForm,
    NewBatchForm,
    ReferralTermsForm,
    TrialTermsForm,
)
from apps.billing.services import redemption_codes
from apps.billing.services.trials import STANDARD
from apps.common.admin import OrganizationFilter, ReadOnly, in_usd


@admin.register(TrialTerms)
class TrialTermsAdmin(ModelAdmin):  # type: ignore[misc]
    form = TrialTermsForm
    list_display = ("slug", "days", "credit_usd", "tokens", "requests", "is_offered")
    search_fields = ("slug",)
    credit_usd = in_usd("credit")

    @override
    def has_delete_permission(self, request: HttpRequest, obj: TrialTerms | None = None) -> bool:
        """Trials without a partner's code begin under these."""
        return super().has_delete_permission(request, obj) and not (obj and obj.pk == STANDARD)

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: TrialTerms | None = None
    ) -> tuple[str, ...]:
        return ("slug",) if obj else ()


@admin.register(Trial)
class TrialAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "organization",
        "offer",
        "credit_usd",
        "tokens_used",
        "requests_used",
        "started_at",
        "ends_at",
        "ended_at",
        "end_reason",
    )
    list_filter = ("end_reason", OrganizationFilter, "started_at")
    search_fields = ("organization__name", "organization__memberships__user__email")
    list_select_related = ("organization", "offer")
    fields = (*list_display, "tokens", "requests")
    credit_usd = in_usd("credit")


@admin.register(PartnerOffer)
class PartnerOfferAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("code", "partner", "terms", "used", "max_uses", "valid_until", "is_active")
    list_filter = ("is_active", "terms")
    search_fields = ("code", "partner")
    readonly_fields = ("used",)


@admin.register(Coupon)
class CouponAdmin(ModelAdmin):  # type: ignore[misc]
    form = CouponForm
    list_display = (
        "code",
        "amount_usd",
        "organization",
        "user",
        "used",
        "max_uses",
        "valid_until",
        "is_active",
    )
    list_filter = ("is_active", OrganizationFilter, "valid_until")
    search_fields = ("code", "note")
    list_select_related = ("organization", "user")
    autocomplete_fields = ("organization", "user")
    readonly_fields = ("used",)
    amount_usd = in_usd("amount")


@admin.register(CouponRedemption)
class CouponRedemptionAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("coupon", "organization", "amount_usd", "created_at")
    list_filter = (OrganizationFilter, "created_at")
    search_fields = ("coupon__code", "organization__name")
    list_select_related = ("coupon", "organization")
    fields = list_display
    amount_usd = in_usd("amount")


@admin.register(RedemptionBatch)
class RedemptionBatchAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "amount_usd", "valid_until", "is_active", "created_by", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name",)
    list_select_related = ("created_by",)
    amount_usd = in_usd("amount")

    @override
    def get_fields(
        self, request: HttpRequest, obj: RedemptionBatch | None = None
    ) -> tuple[str, ...]:
        amount = ("amount_usd",) if obj else ("amount", "count")
        return ("name", *amount, "valid_until", "is_active")

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: RedemptionBatch | None = None
    ) -> tuple[str, ...]:
        return ("amount_usd",) if obj else ()

    @override
    def get_form(
        self, request: HttpRequest, obj: RedemptionBatch | None = None, change: bool = False, **kwargs: Any
    ) -> Any:  # fmt: skip
        if not change:
            kwargs["form"] = NewBatchForm
        return super().get_form(request, obj, change=change, **kwargs)

    @override
    def save_model(
        self, request: HttpRequest, obj: RedemptionBatch, form: Any, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        batch, request.made_codes = redemption_codes.make_batch(  # type: ignore[attr-defined]
            name=obj.name,
            amount=obj.amount,
            count=form.cleaned_data["count"],
            valid_until=obj.valid_until,
            is_active=obj.is_active,
            created_by_id=request.user.pk,
        )
        obj.pk = batch.pk

    @override
    def response_add(
        self, request: HttpRequest, obj: RedemptionBatch, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A page with the codes, which nothing can show again."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Codes of {obj}",
            "opts": self.opts,
            "batch": obj,
            "codes": request.made_codes,  # type: ignore[attr-defined]
        }
        answer = TemplateResponse(request, "admin/billing/redemptionbatch/codes.html", context)
        add_never_cache_headers(answer)
        return answer


@admin.register(RedemptionCode)
class RedemptionCodeAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("last4", "batch", "redeemed_by", "redeemed_at")
    list_filter = ("redeemed_at",)
    search_fields = ("last4__exact", "batch__name")
    list_select_related = ("batch", "redeemed_by")
    fields = list_display


@admin.register(ReferralTerms)
class ReferralTermsAdmin(ModelAdmin):  # type: ignore[misc]
    form = ReferralTermsForm
    list_display = ("__str__", "reward_usd", "least_purchase_usd", "max_uses")
    reward_usd = in_usd("reward")
    least_purchase_usd = in_usd("least_purchase")

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one row."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ReferralCode)
class ReferralCodeAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("code", "organization", "used", "max_uses", "created_at")
    list_filter = (OrganizationFilter, "created_at")
    search_fields = ("code", "organization__name")
    list_select_related = ("organization",)
    fields = list_display
    readonly_fields = ("code", "organization", "used", "created_at")

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        """Organisations make their own."""
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Referral)
class ReferralAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("code", "organization", "status", "purchase_reference", "earned_at")
    list_filter = ("status", OrganizationFilter, "earned_at")
    search_fields = ("code__code", "organization__name")
    list_select_related = ("code", "organization")
    fields = (*list_display, "created_at")


@admin.register(CodeGuesses)
class CodeGuessesAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("organization", "wrong", "since")
    list_filter = (OrganizationFilter, "since")
    search_fields = ("organization__name",)
    list_select_related = ("organization",)
    fields = list_display
