"""Budgets for staff: made, changed and ended by the same services as a customer's own (docs/budgets.md).

A budget is ended, never deleted: requests under way still count in its windows.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override
from unfold.admin import ModelAdmin

from apps.billing.services import budgets
from apps.billing.services.budgets import Budget, Period, Standing, check_alerts
from apps.common import clock
from apps.common.admin import OrganizationFilter, in_usd
from apps.common.db import to_iso
from apps.common.errors import InvalidRequest
from apps.common.forms import DollarsField
from apps.common.money import format_usd
from apps.inference.budget_schemas import MOST_USD
from apps.inference.budget_subjects import check_subject

SUBJECT = ("organization", "api_key_id", "member_id", "period")
"""What stays as it is: end the budget and make another one."""


class BudgetForm(forms.ModelForm[Budget]):
    amount = DollarsField(
        label="Amount",
        min_value=0,
        max_value=MOST_USD,
        help_text="Dollars a period.",
    )

    class Meta:
        model = Budget
        exclude = ()  # noqa: DJ006 - the admin names the fields

    def clean_amount(self) -> int:
        """Nano-dollars."""
        amount: int = self.cleaned_data["amount"]
        if amount <= 0:
            raise ValidationError("More than nothing.")
        return amount

    def clean_alerts(self) -> list[int]:
        """Empty means none: the model's own check is not made of what is empty."""
        alerts = self.cleaned_data["alerts"]
        if alerts is None:
            return []
        check_alerts(alerts)
        return list(alerts)

    @override
    def clean(self) -> None:
        super().clean()
        organization = self.cleaned_data.get("organization")
        if organization is None:  # it stays, or was told to be wrong already
            return
        try:
            check_subject(
                organization.pk,
                api_key_id=self.cleaned_data.get("api_key_id"),
                member_id=self.cleaned_data.get("member_id"),
            )
        except InvalidRequest as error:
            self.add_error(error.param, error.message)


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [("ended", "Ended"), ("all", "All")]

    @override
    def choices(self, changelist: Any) -> Any:
        """Without a choice: those in force."""
        for choice in super().choices(changelist):
            if choice["display"] == "All" and "state" not in choice["query_string"]:
                choice["display"] = "In force"
            yield choice

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> QuerySet[Budget]:
        if self.value() == "all":
            return queryset
        return queryset.filter(ended_at__isnull=self.value() != "ended")


def _of_window(name: str) -> Callable[[Any, Budget], str]:
    @admin.display(description=f"{name} now")
    def show(_admin: Any, budget: Budget) -> str:
        return format_usd(getattr(_standing(budget), name)) if _is_in_force(budget) else "-"

    return show


def _is_in_force(budget: Budget) -> bool:
    """Not one that is being made."""
    return not budget._state.adding and budget.ended_at is None


def _standing(budget: Budget) -> Standing:
    return budgets.standing_of(budget, clock.now())


@admin.register(Budget)
class BudgetAdmin(ModelAdmin):  # type: ignore[misc]
    form = BudgetForm
    list_display = (
        "id", "organization", "whose", "period", "amount_usd", "is_hard", "created_at", "ended_at",
    )  # fmt: skip
    list_filter = (StateFilter, "period", "is_hard", OrganizationFilter)
    search_fields = ("organization__name", "=api_key_id", "=member_id")
    list_select_related = ("organization",)
    ordering = ("-id",)
    autocomplete_fields = ("organization",)
    fields = (
        *SUBJECT, "amount", "is_hard", "alerts", "spent", "held", "remaining", "resets_at", "created_at", "ended_at",
    )  # fmt: skip
    readonly_fields = ("spent", "held", "remaining", "resets_at", "created_at", "ended_at")
    amount_usd = in_usd("amount")
    spent, held, remaining = _of_window("spent"), _of_window("held"), _of_window("remaining")

    @admin.display(description="starts again")
    def resets_at(self, budget: Budget) -> str:
        return to_iso(_standing(budget).resets_at) or "" if _is_in_force(budget) else "-"

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        return (*self.readonly_fields, *SUBJECT) if obj else self.readonly_fields

    @override
    def has_change_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        """What has ended can be looked at."""
        return super().has_change_permission(request, obj) and (not obj or _is_in_force(obj))

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Budget | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (not obj or _is_in_force(obj))

    @override
    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        terms = {"amount": obj.amount, "is_hard": obj.is_hard, "alerts": obj.alerts}
        if change:
            budgets.change(obj, **terms)
            return
        made = budgets.make(
            obj.organization_id,
            period=Period(obj.period),
            api_key_id=obj.api_key_id,
            member_id=obj.member_id,
            **terms,
        )
        obj.pk = made.pk

    @override
    def delete_model(self, request: HttpRequest, obj: Budget) -> None:
        budgets.end(obj)

    @override
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Budget]) -> None:
        for budget in queryset:
            budgets.end(budget)

    @override
    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The windows stay: nothing but the budgets themselves is ended."""
        named = [f"{budget} of {budget.organization}" for budget in objs]
        return named, {"budgets": len(named)}, set(), []
