"""What monitoring keeps: probes, roll-ups of usage, providers' usage exports and what their comparison found."""

from apps.monitoring.models.export import UsageExport, UsageExportLine, UsageExportMapping
from apps.monitoring.models.probe import Probe, ProbeRound, ProbeTotal, Result, Tier, Watch
from apps.monitoring.models.reconciliation import (
    AlertStatus,
    BillRules,
    DriftAlert,
    ReconciliationRun,
    RunReason,
    Side,
    UsageComparison,
)
from apps.monitoring.models.usage import (
    UsageDay,
    UsageHour,
    UsageLate,
    UsageProgress,
    UsageSums,
    UsageTail,
)

__all__ = [
    "AlertStatus",
    "BillRules",
    "DriftAlert",
    "Probe",
    "ProbeRound",
    "ProbeTotal",
    "ReconciliationRun",
    "Result",
    "RunReason",
    "Side",
    "Tier",
    "UsageComparison",
    "UsageDay",
    "UsageExport",
    "UsageExportLine",
    "UsageExportMapping",
    "UsageHour",
    "UsageLate",
    "UsageProgress",
    "UsageSums",
    "UsageTail",
    "Watch",
]
