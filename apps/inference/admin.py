"""Request records for staff: what was asked, who answered, what it used and cost. Only to look at."""

from typing import ClassVar

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from apps.common.admin import Large, OrganizationFilter, in_usd, recent_values
from apps.inference import budget_admin as budget_admin  # registers its own page
from apps.inference.models import RequestRecord

ATTEMPT_COLUMNS = ("provider", "model", "fault", "status", "ms")


@admin.register(RequestRecord)
class RequestRecordAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = (
        "id",
        "created_at",
        "organization",
        "model",
        "provider",
        "outcome",
        "status",
        "tokens",
        "charged_usd",
        "first_token_ms",
        "latency_ms",
    )
    list_filter = (
        "outcome",
        recent_values("provider", title="provider"),
        recent_values("model", title="model"),
        OrganizationFilter,
        "created_at",
        "streamed",
        "cached",
        "is_byok",
        "usage_source",
        "surface",
    )
    search_fields = ("id__exact", "model__exact", "error_code__exact")
    search_help_text = "A whole generation id, model or error code"
    list_select_related = ("organization",)
    ordering = ("-created_at",)
    readonly_fields = ("cost_usd", "charged_usd", "saved_usd", "attempts_table")
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    "id",
                    "organization",
                    "api_key",
                    "created_at",
                    "app_title",
                    "app_url",
                    "tag",
                )
            },
        ),
        ("Asked", {"fields": ("surface", "streamed", "requested_model")}),
        (
            "Answered",
            {
                "fields": (
                    "model",
                    "provider",
                    "cached",
                    "is_byok",
                    "outcome",
                    "status",
                    "error_code",
                    "finish_reason",
                    "first_token_ms",
                    "latency_ms",
                )
            },
        ),
        ("Attempts", {"fields": ("attempts_table",)}),
        (
            "Usage",
            {
                "fields": (
                    "usage_source",
                    "input_tokens",
                    "cache_read_tokens",
                    "cache_write_5m_tokens",
                    "cache_write_1h_tokens",
                    "output_tokens",
                    "reasoning_tokens",
                    "audio_input_tokens",
                    "audio_output_tokens",
                    "images",
                    "characters",
                    "seconds",
                    "searches",
                )
            },
        ),
        (
            "Money",
            {
                "fields": (
                    "price_id",
                    "markup_ppm",
                    "terms_bp",
                    "share_bp",
                    "cost_usd",
                    "charged_usd",
                    "saved_usd",
                )
            },
        ),
    )

    cost_usd = in_usd("cost")
    charged_usd = in_usd("charged")
    saved_usd = in_usd("saved")

    @admin.display(description="tokens in / out")
    def tokens(self, record: RequestRecord) -> str:
        return f"{record.total_input:,} / {record.total_output:,}"

    @admin.display(description="attempts")
    def attempts_table(self, record: RequestRecord) -> SafeString | str:
        """One line for each call of a host, in order; a fault is empty where the host answered."""
        if not record.attempts:
            return "none"
        head = format_html_join(
            "", '<th class="pr-6 text-left">{}</th>', ((c,) for c in ATTEMPT_COLUMNS)
        )
        rows = format_html_join(
            "",
            "<tr>{}</tr>",
            (
                (format_html_join("", '<td class="pr-6">{}</td>', _cells(attempt)),)
                for attempt in record.attempts
            ),
        )
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, rows)


def _cells(attempt: dict[str, object]) -> list[tuple[object]]:
    values = [attempt.get(column) for column in ATTEMPT_COLUMNS]
    return [("-" if value in {None, ""} else value,) for value in values]
