"""Reconciliation for staff: the report is read, alerts are acknowledged and resolved, the rules are rows to change."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.decorators import action

from apps.common.admin import Large, ReadOnly, in_usd
from apps.common.money import format_usd
from apps.monitoring.admin_pages import form_page, report_link, user_of
from apps.monitoring.forms import BillRulesForm, NoteForm, ReportForm
from apps.monitoring.models import (
    AlertStatus,
    BillRules,
    DriftAlert,
    ReconciliationRun,
    UsageComparison,
)
from apps.monitoring.models.export import COST
from apps.monitoring.reconciliation_report import SHOWN, csv_lines, read_days, share_of
from apps.monitoring.services import reconciling


@admin.register(BillRules)
class BillRulesAdmin(ModelAdmin):  # type: ignore[misc]
    form = BillRulesForm
    list_display = ("__str__", "time_zone", "drift_ppm", "least_cost_usd", "least_tokens")
    search_fields = ("provider",)
    least_cost_usd = in_usd("least_cost")

    @override
    def has_delete_permission(self, request: HttpRequest, obj: BillRules | None = None) -> bool:
        """All providers without rules of their own go by that row."""
        return super().has_delete_permission(request, obj) and not (obj and not obj.provider)

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: BillRules | None = None
    ) -> tuple[str, ...]:
        return ("provider",) if obj else ()


@admin.register(UsageComparison)
class UsageComparisonAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "day",
        "provider",
        "model",
        "side",
        "theirs_cost_usd",
        "ours_cost_usd",
        "theirs_input_tokens",
        "ours_input_tokens",
        "theirs_output_tokens",
        "ours_output_tokens",
        "uncertain",
    )
    list_filter = ("side", "provider", "day")
    search_fields = ("provider__exact", "model__exact")
    search_help_text = "A whole provider or model"
    actions_list: ClassVar = ["report", "download"]

    ours_cost_usd = in_usd("ours_cost")

    @admin.display(description="theirs cost", ordering="theirs_cost")
    def theirs_cost_usd(self, row: UsageComparison) -> str:
        return "-" if row.theirs_cost is None else format_usd(row.theirs_cost)

    def has_read_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    @action(description="Report by day", url_path="report", permissions=["read"])  # type: ignore[untyped-decorator]
    def report(self, request: HttpRequest) -> HttpResponse:
        form = ReportForm(request.GET)
        days = read_days(form.wanted) if form.is_valid() else []
        context = {
            **self.admin_site.each_context(request),
            "title": "Providers' bills and ours",
            "opts": self.opts,
            "form": form,
            "measures": [measure.replace("_", " ") for measure in SHOWN],
            "days": days,
            "query": request.GET.urlencode(),
        }
        return TemplateResponse(request, "admin/monitoring/usagecomparison/report.html", context)

    @action(description="Download CSV", url_path="csv", permissions=["read"])  # type: ignore[untyped-decorator]
    def download(self, request: HttpRequest) -> Any:
        form = ReportForm(request.GET)
        if not form.is_valid():
            return self.report(request)
        wanted = form.wanted
        return StreamingHttpResponse(
            csv_lines(wanted),
            content_type="text/csv; charset=utf-8",
            headers={
                "content-disposition": f'attachment; filename="reconciliation-{wanted.first}-{wanted.last}.csv"'
            },
        )


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "made_at",
        "provider",
        "reason",
        "first_day",
        "last_day",
        "days",
        "models_compared",
        "only_theirs",
        "only_ours",
        "opened",
        "resolved",
        "its_report",
    )
    list_filter = ("reason", "provider", "made_at")
    search_fields = ("provider__exact",)
    search_help_text = "A whole provider"
    fields = (*list_display, "export", "made_by")
    readonly_fields = ("its_report",)

    @admin.display(description="report")
    def its_report(self, run: ReconciliationRun) -> SafeString:
        return report_link(run)


@admin.register(DriftAlert)
class DriftAlertAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "day",
        "provider",
        "measure",
        "status",
        "theirs_shown",
        "ours_shown",
        "drift",
        "opened_at",
        "handled_by",
        "note",
    )
    list_filter = ("status", "provider", "measure", "day")
    search_fields = ("provider__exact", "note")
    fields = (
        "provider",
        "day",
        "measure",
        "status",
        "theirs_shown",
        "ours_shown",
        "difference_shown",
        "drift",
        "opened_at",
        "changed_at",
        "handled_at",
        "handled_by",
        "note",
    )
    readonly_fields = ("theirs_shown", "ours_shown", "difference_shown", "drift")
    actions_detail: ClassVar = ["acknowledge", "resolve"]

    @admin.display(description="theirs", ordering="theirs")
    def theirs_shown(self, alert: DriftAlert) -> str:
        return _shown(alert, alert.theirs)

    @admin.display(description="ours", ordering="ours")
    def ours_shown(self, alert: DriftAlert) -> str:
        return _shown(alert, alert.ours)

    @admin.display(description="ours less theirs")
    def difference_shown(self, alert: DriftAlert) -> str:
        return _shown(alert, alert.difference)

    @admin.display(description="drift")
    def drift(self, alert: DriftAlert) -> str:
        return share_of(alert)

    def has_handle_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("monitoring.change_driftalert"))

    @action(description="Acknowledge", url_path="acknowledge", permissions=["handle"])  # type: ignore[untyped-decorator]
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._handle(request, object_id, AlertStatus.ACKNOWLEDGED, "Acknowledge")

    @action(description="Resolve", url_path="resolve", permissions=["handle"])  # type: ignore[untyped-decorator]
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._handle(request, object_id, AlertStatus.RESOLVED, "Resolve")

    def _handle(
        self, request: HttpRequest, object_id: str, status: AlertStatus, verb: str
    ) -> HttpResponse:
        alert = get_object_or_404(DriftAlert, pk=object_id)
        form = NoteForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            note = form.cleaned_data["note"]
            reconciling.handle(alert.pk, status=status, note=note, handled_by=user_of(request))
            self.log_change(request, alert, f"{AlertStatus(status).value}: {note}"[:200])
            messages.success(request, f"{alert}: {status.value}.")
            return redirect(reverse("admin:monitoring_driftalert_change", args=[alert.pk]))
        text = f"{share_of(alert)}. It opens again when the drift grows."
        return form_page(self, request, title=f"{verb}: {alert}", form=form, button=verb, text=text)


def _shown(alert: DriftAlert, number: int) -> str:
    return format_usd(number) if alert.measure == COST else f"{number:,}"
