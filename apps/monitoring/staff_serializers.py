"""JSON of the staff API of reconciliation. Amounts are dollars as text, exact to the nano-dollar."""

from typing import Any

from rest_framework import serializers

from apps.common.staff import Dollars
from apps.monitoring.models import AlertStatus, DriftAlert, UsageComparison, UsageExport
from apps.monitoring.models.export import COST
from apps.monitoring.reconciliation_report import Cell
from apps.monitoring.services.exports import MOST_ACCOUNT
from apps.monitoring.services.reconciling import MOST_NOTE


class NewExportSerializer(serializers.Serializer[Any]):
    """The fields of a form with a file; ``override`` is JSON as text there."""

    provider = serializers.CharField(max_length=60)
    file = serializers.FileField()
    mapping = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)
    account = serializers.CharField(
        max_length=MOST_ACCOUNT, required=False, default="", allow_blank=True
    )
    override = serializers.JSONField(required=False, default=dict)

    def validate_override(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise serializers.ValidationError("An object.")
        return value


class ExportSerializer(serializers.ModelSerializer[UsageExport]):
    state = serializers.CharField(read_only=True)

    class Meta:
        model = UsageExport
        fields = (
            "id", "provider", "account", "state", "mapping", "read_with", "measures", "time_zone", "first_day", "last_day",
            "rows", "rows_left_out", "rows_unfinished", "file_name", "size", "digest", "imported_at", "imported_by",
            "superseded_by", "withdrawn_at", "withdrawn_by", "withdrawn_note",
        )  # fmt: skip


class WithdrawalSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=200)


class HandledSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=MOST_NOTE)
    status = serializers.ChoiceField(choices=[AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED])


class AlertSerializer(serializers.ModelSerializer[DriftAlert]):
    """``theirs``, ``ours`` and ``difference`` are tokens, or nano-dollars of a cost."""

    difference = serializers.IntegerField(read_only=True)
    difference_percent = serializers.SerializerMethodField()

    class Meta:
        model = DriftAlert
        fields = (
            "id", "provider", "day", "measure", "status", "theirs", "ours", "difference", "difference_percent",
            "drift_ppm", "opened_at", "changed_at", "handled_at", "handled_by", "note",
        )  # fmt: skip

    def get_difference_percent(self, alert: DriftAlert) -> str | None:
        share = Cell(alert.measure, alert.theirs, alert.ours).percent
        return None if share is None else f"{share:f}"


class ComparisonSerializer(serializers.ModelSerializer[UsageComparison]):
    theirs_cost_usd = Dollars(source=f"theirs_{COST}")
    ours_cost_usd = Dollars(source=f"ours_{COST}")

    class Meta:
        model = UsageComparison
        fields = (
            "provider", "day", "model", "side", "theirs_requests", "ours_requests", "theirs_input_tokens",
            "ours_input_tokens", "theirs_cache_read_tokens", "ours_cache_read_tokens", "theirs_cache_write_tokens",
            "ours_cache_write_tokens", "theirs_output_tokens", "ours_output_tokens", "theirs_cost_usd", "ours_cost_usd",
            "uncertain", "compared_at",
        )  # fmt: skip
