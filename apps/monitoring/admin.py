"""Probes for staff: what was found, which hosts are watched how, and the wish to know of some of them now. Roll-ups of usage."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.common import histograms
from apps.common.admin import Large, OrganizationFilter, ReadOnly, in_usd
from apps.monitoring import exports_admin as exports_admin  # registers its own pages
from apps.monitoring import reconciliation_admin as reconciliation_admin  # the same
from apps.monitoring.models import Probe, ProbeTotal, UsageHour, Watch
from apps.monitoring.services import on_demand

MOST_AT_ONCE = 20
"""As many as are asked at the same time, so that the page answers within one host's time."""


class ProbesNow(ReadOnly):
    """Rows that name an offering, which can be probed now by those who may spend the house's money."""

    actions = ("probe_now",)

    def has_probe_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("monitoring.probe_now")

    @admin.action(description="Probe now", permissions=("probe",))
    def probe_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        offerings = list(dict.fromkeys(queryset.values_list("offering_id", flat=True)))
        if len(offerings) > MOST_AT_ONCE:
            told = f"Choose at most {MOST_AT_ONCE} offerings; manage.py probe takes any number."
            messages.error(request, told)
            return
        found = on_demand.probe_now(offerings)
        for one in found:
            level = messages.SUCCESS if one.finding and one.finding.succeeded else messages.WARNING
            messages.add_message(request, level, f"{one.model} at {one.provider} {one.words}.")
        if gone := len(offerings) - len(found):
            messages.warning(request, f"{gone} cannot be asked any more.")


@admin.register(Probe)
class ProbeAdmin(ProbesNow, Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "at",
        "provider",
        "model",
        "tier",
        "succeeded",
        "fault",
        "status",
        "latency_ms",
        "first_content_ms",
        "cost_usd",
    )
    list_filter = ("succeeded", "tier", "fault", "at")
    search_fields = ("provider__exact", "model__exact")
    search_help_text = "A whole provider or model"
    ordering = ("-at",)

    cost_usd = in_usd("cost")


@admin.register(Watch)
class WatchAdmin(ProbesNow, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "provider",
        "model",
        "tier",
        "requests",
        "failures",
        "probed_at",
        "exercised_at",
        "due_at",
    )
    list_filter = ("tier", "provider")
    search_fields = ("provider", "model")


@admin.register(ProbeTotal)
class ProbeTotalAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("provider", "tier", "result", "number", "cost_usd")
    list_filter = ("tier", "result", "provider")
    search_fields = ("provider",)

    cost_usd = in_usd("cost")


@admin.register(UsageHour)
class UsageHourAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "began_at",
        "organization",
        "model",
        "provider",
        "tag",
        "billing",
        "requests",
        "charged_usd",
        "saved_usd",
        "p95_ms",
    )
    list_filter = (OrganizationFilter, "billing")
    search_fields = ("model__exact", "provider__exact", "tag__exact")
    search_help_text = "A whole model, provider or tag"
    list_select_related = ("organization",)
    ordering = ("-hour", "-pk")

    charged_usd = in_usd("charged")
    saved_usd = in_usd("saved")

    @admin.display(description="p95, ms")
    def p95_ms(self, row: UsageHour) -> str:
        found = histograms.percentile(histograms.decode(row.latency), 95)
        return "-" if found is None else f"{found:,.0f}"
