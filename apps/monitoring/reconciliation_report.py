"""The report of reconciliation: days of providers, theirs and ours, for the page and the file. Money is nano-USD."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from apps.common.money import format_usd
from apps.monitoring.models import AlertStatus, DriftAlert, Side, UsageComparison
from apps.monitoring.models.export import COST, MEASURES
from apps.monitoring.models.reconciliation import ALARMED, WHOLE_PPM
from apps.monitoring.periods import ONE_DAY, start_of_day
from apps.monitoring.services.reconciling import rules_of
from apps.monitoring.showing import csv_line

MOST_DAYS = 366
SHOWN = (COST, "input_tokens", "output_tokens", "requests")
"""On the page; the file has all."""
PLACES = Decimal("0.0001")
HUNDRED = 100
CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    first: datetime.date
    last: datetime.date
    provider: str = ""
    """Empty for all."""
    model: str = ""
    side: str = ""
    is_drift_only: bool = False
    """Only days with a drift that was told, whatever became of the alert."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A measure of a model, or of a day. ``theirs`` is None where no export tells."""

    measure: str
    theirs: int | None
    ours: int

    @property
    def difference(self) -> int | None:
        """Ours less theirs."""
        return None if self.theirs is None else self.ours - self.theirs

    @property
    def percent(self) -> Decimal | None:
        """Of theirs; None where there is nothing to take a share of."""
        if not self.theirs or self.difference is None:
            return None
        share = Decimal(self.difference) * HUNDRED / abs(self.theirs)
        return share.quantize(PLACES)

    def text(self, value: int | None) -> str:
        if value is None:
            return "-"
        return format_usd(value) if self.measure == COST else f"{value:,}"

    @property
    def theirs_text(self) -> str:
        return self.text(self.theirs)

    @property
    def ours_text(self) -> str:
        return self.text(self.ours)

    @property
    def difference_text(self) -> str:
        """With its sign and share."""
        if not self.difference:
            return "-" if self.difference is None else "0"
        sign = "+" if self.difference > 0 else ""
        share = f" ({self.percent:+.2f} %)" if self.percent is not None else ""
        return f"{sign}{self.text(self.difference)}{share}"


@dataclass(frozen=True, slots=True)
class Line:
    model: str
    side: str
    cells: tuple[Cell, ...]
    uncertain: int


@dataclass(frozen=True, slots=True)
class Day:
    provider: str
    day: datetime.date
    cells: tuple[Cell, ...]
    uncertain: int
    lines: tuple[Line, ...]
    alerts: tuple[DriftAlert, ...]

    time_zone: str

    @property
    def records_query(self) -> str:
        """Of the list of request records: those of this day here."""
        zone = ZoneInfo(self.time_zone)
        return urlencode(
            {
                "provider": self.provider,
                "created_at__gte": start_of_day(self.day, zone).isoformat(),
                "created_at__lt": start_of_day(self.day + ONE_DAY, zone).isoformat(),
            }
        )

    @property
    def open_alerts(self) -> int:
        return sum(alert.status == AlertStatus.OPEN for alert in self.alerts)


def read_days(wanted: Wanted) -> list[Day]:
    """The newest first. Sums are of the models that are wanted."""
    alerts: dict[tuple[str, datetime.date], list[DriftAlert]] = {}
    for alert in DriftAlert.objects.filter(day__gte=wanted.first, day__lte=wanted.last):
        alerts.setdefault((alert.provider, alert.day), []).append(alert)
    found = []
    rows = _rows(wanted).order_by("-day", "provider", "model")
    for (day, provider), group in groupby(rows, key=lambda row: (row.day, row.provider)):
        lines = tuple(_line(row) for row in group)
        found.append(
            Day(
                provider=provider,
                day=day,
                cells=_sum(lines),
                uncertain=sum(line.uncertain for line in lines),
                lines=lines,
                alerts=tuple(alerts.get((provider, day), ())),
                time_zone=rules_of(provider).time_zone,
            )
        )
    return found


def _rows(wanted: Wanted) -> QuerySet[UsageComparison]:
    rows = UsageComparison.objects.filter(day__gte=wanted.first, day__lte=wanted.last)
    if wanted.provider:
        rows = rows.filter(provider=wanted.provider)
    if wanted.model:
        rows = rows.filter(model__icontains=wanted.model)
    if wanted.side:
        rows = rows.filter(side=wanted.side)
    if wanted.is_drift_only:
        told = DriftAlert.objects.filter(day__gte=wanted.first, day__lte=wanted.last)
        days = {(alert.provider, alert.day) for alert in told}
        keys = [row.pk for row in rows.only("provider", "day") if (row.provider, row.day) in days]
        rows = UsageComparison.objects.filter(pk__in=keys)
    return rows


def _line(row: UsageComparison) -> Line:
    cells = tuple(Cell(measure, row.theirs(measure), row.ours(measure)) for measure in SHOWN)
    return Line(row.model, row.get_side_display(), cells, row.uncertain)


def _sum(lines: Sequence[Line]) -> tuple[Cell, ...]:
    cells = []
    for place, measure in enumerate(SHOWN):
        told = [line.cells[place].theirs for line in lines]
        known = [number for number in told if number is not None]
        ours = sum(line.cells[place].ours for line in lines)
        cells.append(Cell(measure, sum(known) if known else None, ours))
    return tuple(cells)


def csv_lines(wanted: Wanted) -> Iterator[bytes]:
    """A line for each model of each day, all measures; money is nano-USD, shares are percent of theirs."""
    names = [
        f"{part}_{measure}{'_nano_usd' if measure == COST else ''}"
        for measure in MEASURES
        for part in ("theirs", "ours", "difference")
    ]
    shares = [f"difference_{measure}_percent" for measure in ALARMED]
    yield csv_line(["provider", "day", "model", "side", *names, *shares, "uncertain_requests"])
    rows = _rows(wanted).order_by("-day", "provider", "model")
    for row in rows.iterator(chunk_size=CHUNK):
        cells = {
            measure: Cell(measure, row.theirs(measure), row.ours(measure)) for measure in MEASURES
        }
        numbers: list[Any] = []
        for cell in cells.values():
            numbers += [cell.theirs, cell.ours, cell.difference]
        percents = [cells[measure].percent for measure in ALARMED]
        yield csv_line(
            [row.provider, row.day.isoformat(), row.model, Side(row.side).label, *numbers, *percents, row.uncertain]
        )  # fmt: skip


def share_of(alert: DriftAlert) -> str:
    """The drift in percent, and what was allowed."""
    share = Cell(alert.measure, alert.theirs, alert.ours).percent
    allowed = Decimal(alert.drift_ppm) * HUNDRED / WHOLE_PPM
    told = "no share of nothing" if share is None else f"{share:+.2f} %"
    return f"{told} (more than {allowed.normalize():f} % is told)"
