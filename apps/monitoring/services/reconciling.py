"""Reconciling: what providers say they were asked, against what the records say, by their day and their name of the model.

    exports ──► of each day and measure the newest that tells it ──► theirs ┐
    records and probes of the provider's day ──────────────────────► ours   ┴─► comparisons ──► drift of the day ──► alerts

A day is judged as a whole: a request that a bill puts under another model is in no sum twice. Comparisons are derived: the
same exports and records give the same ones, however often they are made.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max, Min, Sum

from apps.catalog.selectors import read_upstream_names
from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.inference.provider_costs import read_provider_use
from apps.inference.usage_sums import Range
from apps.monitoring import periods
from apps.monitoring.model_names import normal_name
from apps.monitoring.models import (
    AlertStatus,
    BillRules,
    DriftAlert,
    Probe,
    ReconciliationRun,
    RunReason,
    Side,
    UsageComparison,
    UsageExport,
    UsageExportLine,
)
from apps.monitoring.models.export import MEASURES
from apps.monitoring.models.reconciliation import ALARMED

log = structlog.get_logger(__name__)

DAY = datetime.timedelta(days=1)
MOST_NOTE = 500
NOT_TOLD_ANY_MORE = "No export tells of it any more."
WITHIN = "The numbers agree again."


@dataclass(slots=True)
class Ours:
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0))
    uncertain: int = 0


Theirs = dict[str, dict[str, int]]
"""By model, by measure."""


class Changes(NamedTuple):
    opened: int
    resolved: int


def rules_of(provider: str) -> BillRules:
    """The provider's own, else those of all others."""
    own = BillRules.objects.filter(provider__in=["", provider]).order_by("-provider").first()
    return own or BillRules()


def lock() -> None:
    """For as long as the transaction lasts: one import or comparison at a time. SQLite has one writer anyway."""
    BillRules.objects.get_or_create(provider="")
    BillRules.objects.select_for_update().get(provider="")


def compare(
    provider: str,
    first: datetime.date,
    last: datetime.date,
    *,
    reason: RunReason,
    export: UsageExport | None = None,
    made_by: str = "",
) -> ReconciliationRun:
    """The days from ``first`` to ``last``, a transaction for each. A day that no export tells of has no comparison."""
    rules = rules_of(provider)
    found: list[UsageComparison] = []
    days = opened = resolved = 0
    for number in range((last - first).days + 1):
        day = first + DAY * number
        is_told, rows, changes = _compare_day(provider, day, rules)
        days += is_told
        opened += changes.opened
        resolved += changes.resolved
        found += rows
    sides = [one.side for one in found]
    return ReconciliationRun.objects.create(
        provider=provider,
        reason=reason,
        export=export,
        first_day=first,
        last_day=last,
        days=days,
        models_compared=len(found),
        only_theirs=sides.count(Side.THEIRS),
        only_ours=sides.count(Side.OURS),
        opened=opened,
        resolved=resolved,
        made_at=clock.now(),
        made_by=made_by,
    )


def _compare_day(
    provider: str, day: datetime.date, rules: BillRules
) -> tuple[bool, list[UsageComparison], Changes]:
    """What is read is read before the transaction: it may take seconds, and SQLite has one writer."""
    while True:
        exports = _exports_of(provider, day)
        rows, measures = _read_day(exports, provider, day, rules) if exports else ([], [])
        with transaction.atomic():
            lock()
            if _exports_of(provider, day) != exports:
                continue  # one was imported or withdrawn meanwhile
            UsageComparison.objects.filter(provider=provider, day=day).delete()
            UsageComparison.objects.bulk_create(rows)
            return bool(exports), rows, _judge(provider, day, rules, measures, rows)


def _read_day(
    exports: Sequence[UsageExport], provider: str, day: datetime.date, rules: BillRules
) -> tuple[list[UsageComparison], list[str]]:
    """A row for each model, and the measures that are told."""
    measures, theirs = _read_theirs(exports, day, rules)
    ours = _read_ours(provider, day, ZoneInfo(exports[0].time_zone), rules)
    now = clock.now()
    rows = [
        _row(provider, day, model, theirs.get(model), ours.get(model), measures, now)
        for model in sorted({*theirs, *ours})
    ]
    return rows, measures


def _exports_of(provider: str, day: datetime.date) -> list[UsageExport]:
    """Those that tell of the day, the newest first."""
    return list(
        UsageExport.objects.filter(
            provider=provider,
            first_day__lte=day,
            last_day__gte=day,
            withdrawn_at=None,
            superseded_by=None,
        ).order_by("-pk")
    )


def _read_theirs(
    exports: Sequence[UsageExport], day: datetime.date, rules: BillRules
) -> tuple[list[str], Theirs]:
    """What is told, and it, by model. For each account a measure is the newest export's that tells it; a measure that
    the exports of some account do not tell cannot be compared."""
    tellers: dict[str, dict[str, int]] = defaultdict(dict)
    for export in exports:
        for measure in export.measures:
            tellers[export.account].setdefault(measure, export.pk)
    measures = [one for one in MEASURES if all(one in told for told in tellers.values())]
    of = {(measure, told[measure]) for told in tellers.values() for measure in measures}
    theirs: Theirs = {}
    lines = UsageExportLine.objects.filter(export__in=[pk for _, pk in of], day=day)
    for line in lines:
        told = {
            measure: number
            for measure, number in line.told.items()
            if (measure, line.export_id) in of and number is not None
        }
        if told:
            sums = theirs.setdefault(normal_name(line.model, rules.model_rules), {})
            for measure, number in told.items():
                sums[measure] = sums.get(measure, 0) + number
    return measures, theirs


def _read_ours(
    provider: str, day: datetime.date, zone: ZoneInfo, rules: BillRules
) -> dict[str, Ours]:
    """By model. What probes used in tokens is not known; it is little."""
    within = Range(periods.start_of_day(day, zone), periods.start_of_day(day + DAY, zone))
    ours: dict[str, Ours] = defaultdict(Ours)
    for use in read_provider_use(provider, within):
        found = ours[normal_name(use.model, rules.model_rules)]
        found.uncertain += use.uncertain
        usage = use.usage
        _add(
            found,
            requests=use.requests,
            input_tokens=usage.total_input,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write_5m + usage.cache_write_1h,
            output_tokens=usage.total_output,
            cost=use.cost,
        )
    for model, requests, cost in _read_probes(provider, within):
        _add(ours[normal_name(model, rules.model_rules)], requests=requests, cost=cost)
    return dict(ours)


def _add(found: Ours, **numbers: int) -> None:
    for measure, number in numbers.items():
        found.numbers[measure] += number


def _read_probes(provider: str, within: Range) -> list[tuple[str, int, int]]:
    """The provider's name of the model, how often it was asked, what that cost."""
    rows = (
        Probe.objects.filter(provider=provider, at__gte=within.start, at__lt=within.end)
        .order_by()
        .values_list("offering_id", "model")
        .annotate(requests=Count("pk"), spent=Sum("cost"))
    )
    found = list(rows)
    names = read_upstream_names({offering for offering, *_ in found})
    return [
        (names.get(offering, model), requests, int(spent))
        for offering, model, requests, spent in found
    ]


def _row(
    provider: str,
    day: datetime.date,
    model: str,
    theirs: Mapping[str, int] | None,
    ours: Ours | None,
    measures: Iterable[str],
    now: datetime.datetime,
) -> UsageComparison:
    told = dict.fromkeys(measures, 0) | dict(theirs or {})
    mine = ours or Ours()
    side = Side.BOTH if theirs and ours else Side.THEIRS if theirs else Side.OURS
    return UsageComparison(
        provider=provider,
        day=day,
        model=model,
        side=side,
        uncertain=mine.uncertain,
        compared_at=now,
        **{f"theirs_{measure}": told.get(measure) for measure in MEASURES},
        **{f"ours_{measure}": mine.numbers[measure] for measure in MEASURES},
    )


def _judge(
    provider: str,
    day: datetime.date,
    rules: BillRules,
    measures: Sequence[str],
    rows: Sequence[UsageComparison],
) -> Changes:
    known = {
        alert.measure: alert for alert in DriftAlert.objects.filter(provider=provider, day=day)
    }
    opened = resolved = 0
    for measure in ALARMED:
        alert = known.get(measure)
        if measure not in measures:
            resolved += _resolve(alert, NOT_TOLD_ANY_MORE)
            continue
        alert = alert or DriftAlert(provider=provider, day=day, measure=measure)
        alert.theirs = sum(row.theirs(measure) or 0 for row in rows)
        alert.ours = sum(row.ours(measure) for row in rows)
        alert.drift_ppm = rules.drift_ppm
        if rules.is_drift(measure, theirs=alert.theirs, ours=alert.ours):
            opened += _open(alert)
        elif alert.pk:
            resolved += _resolve(alert, WITHIN)
    return Changes(opened, resolved)


def _open(alert: DriftAlert) -> bool:
    """Whether staff are told: of a new drift, and of one that has grown since it was handled."""
    now = clock.now()
    grown = abs(alert.difference) > abs(alert.handled_difference or 0)
    is_told = not alert.pk or (alert.status != AlertStatus.OPEN and grown)
    if is_told:
        alert.status, alert.opened_at = AlertStatus.OPEN, now
        alert.handled_at, alert.handled_by, alert.note = None, "", ""
        alert.handled_difference = None
        log.error(
            "reconciliation.drift",
            provider=alert.provider,
            day=alert.day.isoformat(),
            measure=alert.measure,
            theirs=alert.theirs,
            ours=alert.ours,
        )
    alert.changed_at = now
    alert.save()
    return is_told


def _resolve(alert: DriftAlert | None, note: str) -> bool:
    """By a comparison. What staff resolved keeps their note; its numbers are kept true."""
    if alert is None:
        return False
    alert.changed_at = clock.now()
    is_resolved = alert.status != AlertStatus.RESOLVED
    if is_resolved:
        alert.status = AlertStatus.RESOLVED
        alert.handled_at, alert.handled_by, alert.note = alert.changed_at, "", note
    # Whatever comes after this is a new drift.
    alert.handled_difference = 0
    alert.save()
    return is_resolved


@transaction.atomic
def handle(alert_id: int, *, status: AlertStatus, note: str, handled_by: str) -> DriftAlert:
    """Acknowledge or resolve, with a note. It opens again when the drift grows. Raises InvalidRequest by field."""
    if status == AlertStatus.OPEN:
        raise InvalidRequest(
            "'status' is acknowledged or resolved.", param="status", code="invalid_value"
        )
    if not note.strip():
        raise InvalidRequest("Say what was found.", param="note", code="missing_field")
    if len(note.strip()) > MOST_NOTE:
        raise InvalidRequest(f"At most {MOST_NOTE} characters.", param="note", code="invalid_value")
    alert = DriftAlert.objects.select_for_update().get(pk=alert_id)
    alert.status, alert.note, alert.handled_by = status, note.strip(), handled_by
    alert.handled_at = clock.now()
    alert.handled_difference = alert.difference
    alert.save()
    return alert


def compare_recent() -> list[ReconciliationRun]:
    """Anew, of each provider, the days of the last while that an export tells of: records may have come late. And what
    a process that died after its import did not compare."""
    since = clock.now().date() - settings.RECONCILED_FOR
    counting = UsageExport.objects.filter(withdrawn_at=None, superseded_by=None)
    told = (
        counting.filter(last_day__gte=since)
        .order_by("provider")
        .values_list("provider")
        .annotate(first=Min("first_day"), last=Max("last_day"))
    )
    runs = [
        compare(provider, max(first, since), last, reason=RunReason.SCHEDULE)
        for provider, first, last in list(told)
    ]
    compared = ReconciliationRun.objects.exclude(export=None).values("export")
    return runs + [
        compare(one.provider, one.first_day, one.last_day, reason=RunReason.SCHEDULE, export=one)
        for one in counting.exclude(pk__in=compared)
    ]
