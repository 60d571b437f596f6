"""Usage exports for staff: how they are read, which were imported; imported, compared anew and withdrawn here."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.decorators import action

from apps.common.admin import Large, ReadOnly
from apps.common.errors import GatewayzError
from apps.common.money import format_usd
from apps.monitoring.admin_pages import form_page, report_link, user_of
from apps.monitoring.forms import ImportForm, WithdrawalForm
from apps.monitoring.models import (
    ReconciliationRun,
    RunReason,
    UsageExport,
    UsageExportLine,
    UsageExportMapping,
)
from apps.monitoring.services import exports, reconciling


@admin.register(UsageExportMapping)
class UsageExportMappingAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "slug", "provider", "is_active", "told")
    list_filter = ("is_active", "provider")
    search_fields = ("name", "slug", "provider")
    save_as = True

    @admin.display(description="tells")
    def told(self, mapping: UsageExportMapping) -> str:
        return ", ".join(mapping.told)


@admin.register(UsageExport)
class UsageExportAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "imported_at",
        "provider",
        "account",
        "mapping",
        "first_day",
        "last_day",
        "rows",
        "state",
        "imported_by",
    )
    list_filter = ("provider", "mapping", ("withdrawn_at", admin.EmptyFieldListFilter), "imported_at")  # fmt: skip
    search_fields = ("provider__exact", "file_name", "digest__exact")
    fields = (
        "provider",
        "account",
        "state",
        "superseded_by",
        "withdrawn_at",
        "withdrawn_by",
        "withdrawn_note",
        "first_day",
        "last_day",
        "time_zone",
        "measures",
        "its_lines",
        "its_report",
        "file_name",
        "size",
        "digest",
        "rows",
        "rows_left_out",
        "rows_unfinished",
        "mapping",
        "read_with",
        "imported_at",
        "imported_by",
    )
    readonly_fields = ("state", "its_lines", "its_report")
    actions_list: ClassVar = ["import_export"]
    actions = ("compare",)
    actions_detail: ClassVar = ["withdraw"]

    @admin.display(description="state")
    def state(self, export: UsageExport) -> str:
        return export.state

    @admin.display(description="lines")
    def its_lines(self, export: UsageExport) -> SafeString:
        page = reverse("admin:monitoring_usageexportline_changelist")
        return format_html(
            '<a href="{}?export__id__exact={}">By day and model</a>', page, export.pk
        )

    @admin.display(description="report")
    def its_report(self, export: UsageExport) -> SafeString:
        return report_link(export)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("monitoring.add_usageexport"))

    def has_withdraw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("monitoring.change_usageexport"))

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("monitoring.add_reconciliationrun"))

    @action(description="Import an export", url_path="import", permissions=["import"])  # type: ignore[untyped-decorator]
    def import_export(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            found = self._import(request, form)
            if found is not None:
                return redirect(reverse("admin:monitoring_usageexport_change", args=[found.pk]))
        return form_page(
            self, request, title="Import a provider's usage export", form=form, button="Import"
        )

    def _import(self, request: HttpRequest, form: ImportForm) -> UsageExport | None:
        """None when it was refused; the form then says why."""
        given = form.cleaned_data
        try:
            done = exports.import_export(
                given["file"].file,
                provider=given["provider"],
                file_name=given["file"].name,
                mapping=given["mapping"],
                account=given["account"],
                override=given["override"],
                imported_by=user_of(request),
            )
        except GatewayzError as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return None
        export = done.export
        if not done.is_new:
            messages.warning(request, f"This file is there already, and {export.state}: {export}.")
            return export
        self.log_addition(request, export, f"Imported {export.file_name}")
        run = done.run
        told = f"{export.rows} rows imported, {run.days if run else 0} days compared"
        if export.rows_unfinished:
            told += f"; {export.rows_unfinished} rows are of a day that is not over"
        messages.success(request, f"{told}.")
        _tell_of(request, run)
        return export

    @admin.action(description="Compare anew", permissions=["compare"])
    def compare(self, request: HttpRequest, chosen: QuerySet[UsageExport]) -> None:
        for export in chosen:
            run = reconciling.compare(
                export.provider, export.first_day, export.last_day,
                reason=RunReason.STAFF, export=export, made_by=user_of(request),
            )  # fmt: skip
            messages.success(request, f"{export}: {run.days} days compared.")
            _tell_of(request, run)

    @action(description="Withdraw", url_path="withdraw", permissions=["withdraw"])  # type: ignore[untyped-decorator]
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        export = get_object_or_404(UsageExport, pk=object_id)
        form = WithdrawalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            note = form.cleaned_data["note"]
            run = exports.withdraw(export.pk, note=note, withdrawn_by=user_of(request))
            if run is None:
                messages.warning(request, "It was withdrawn before.")
            else:
                self.log_change(request, export, f"Withdrawn: {note}")
                messages.success(request, "Withdrawn; its days were compared anew.")
            return redirect(reverse("admin:monitoring_usageexport_change", args=[export.pk]))
        text = "It stays, and counts no more. What it had replaced counts again."
        return form_page(
            self, request, title=f"Withdraw {export}", form=form, button="Withdraw", text=text
        )


def _tell_of(request: HttpRequest, run: ReconciliationRun | None) -> None:
    if run is not None and run.opened:
        messages.error(request, f"{run.opened} drifts were found: see the alerts.")


@admin.register(UsageExportLine)
class UsageExportLineAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "day",
        "model",
        "requests",
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "cost_usd",
        "export",
    )
    list_filter = ("day",)
    search_fields = ("model__exact",)
    search_help_text = "A whole model, as the provider writes it"
    list_select_related = ("export",)
    ordering = ("-export_id", "day", "model")

    @admin.display(description="cost", ordering="cost")
    def cost_usd(self, line: UsageExportLine) -> str:
        return "-" if line.cost is None else format_usd(line.cost)

    @override
    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "export__id__exact" or bool(super().lookup_allowed(lookup, value, request))
