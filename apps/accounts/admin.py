"""Users, organisations and memberships for staff."""

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.accounts.models import (
    FIRST_PLAN,
    EmailDomainRule,
    Membership,
    Notice,
    Organization,
    Plan,
    User,
)
from apps.common import clock
from apps.common.admin import Large, in_usd
from apps.common.forms import DollarsField


class MembershipInline(TabularInline):  # type: ignore[misc]
    model = Membership
    extra = 0
    autocomplete_fields = ("user", "organization")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "email",
        "first_name",
        "last_name",
        "email_verified_at",
        "is_active",
        "is_staff",
        "date_joined",
    )
    list_filter = (
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        ("email_verified_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("email", "email_verified_at", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        (
            "Access",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets: ClassVar = (  # type: ignore[misc]
        (None, {"classes": ("wide",), "fields": ("email", "password1", "password2")}),
    )

    @override
    def save_model(self, request: HttpRequest, obj: User, form: object, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            Organization.objects.create_personal(obj)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(Organization)
class OrganizationAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = (
        "name",
        "plan",
        "is_personal",
        "is_active",
        "spending_frozen_at",
        "created_at",
    )
    list_select_related = ("plan",)
    list_filter = (
        "is_active",
        ("spending_frozen_at", admin.EmptyFieldListFilter),
        "plan",
        "is_personal",
        "created_at",
    )
    search_fields = ("name", "memberships__user__email")
    inlines = (MembershipInline,)
    readonly_fields = ("created_at", "updated_at")


class PlanForm(forms.ModelForm[Plan]):
    allowance = DollarsField(
        label="Monthly allowance",
        min_value=0,
        max_value=1_000_000,
        initial=0,
        help_text="Dollars of credit that come with each month and are spent first.",
    )

    class Meta:
        model = Plan
        exclude = ()  # noqa: DJ006 - the admin names the fields


@admin.register(Plan)
class PlanAdmin(ModelAdmin):  # type: ignore[misc]
    form = PlanForm
    list_display = (
        "name",
        "price_cents",
        "allowance_usd",
        "is_public",
        "requests_per_minute",
        "tokens_per_minute",
        "concurrency",
        "admission_percent",
        "velocity_percent",
    )
    search_fields = ("name", "slug")
    allowance_usd = in_usd("allowance")

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """New organisations get this one."""
        return super().has_delete_permission(request, obj) and not (obj and obj.pk == FIRST_PLAN)


@admin.register(Notice)
class NoticeAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = ("created_at", "kind", "organization", "sent_at", "tries", "due_at", "error")
    list_select_related = ("organization",)
    list_filter = ("kind", "created_at")
    search_fields = ("reference__exact",)
    actions = ("send_again",)

    @admin.action(description="Send again")
    def send_again(self, request: HttpRequest, chosen: QuerySet[Notice]) -> None:
        number = chosen.update(due_at=clock.now(), tries=0, sent_at=None)
        self.message_user(request, f"{number} will be sent within a minute.")


@admin.register(EmailDomainRule)
class EmailDomainRuleAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("domain", "verdict", "note", "updated_at")
    list_filter = ("verdict",)
    search_fields = ("domain", "note")
