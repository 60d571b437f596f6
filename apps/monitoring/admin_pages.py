"""What the back office pages of reconciliation share: a form with one button, who is there, the way to the report."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.monitoring.models import ReconciliationRun, UsageExport


def form_page(
    page: Any, request: HttpRequest, *, title: str, form: Any, button: str, text: str = ""
) -> HttpResponse:
    """A form of its own with one button."""
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "opts": page.opts,
        "form": form,
        "button": button,
        "text": text,
    }
    return TemplateResponse(request, "admin/monitoring/form.html", context)


def user_of(request: HttpRequest) -> str:
    return str(getattr(request.user, "email", ""))


def report_link(row: UsageExport | ReconciliationRun) -> SafeString:
    page = reverse("admin:monitoring_usagecomparison_report")
    wanted = {"provider": row.provider, "first": f"{row.first_day}", "last": f"{row.last_day}"}
    return format_html('<a href="{}?{}">Theirs and ours</a>', page, urlencode(wanted))
