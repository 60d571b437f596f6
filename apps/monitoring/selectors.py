"""Reading what probes have found and cost, and which drifts wait for somebody."""

import datetime
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Count, Q, Sum

from apps.common import clock
from apps.monitoring import pacing
from apps.monitoring.models import AlertStatus, DriftAlert, Probe, ProbeTotal, Watch
from apps.monitoring.pacing import Purse


def read_purse(now: datetime.datetime) -> Purse:
    """The month so far. What is under way counts as spent today."""
    today = pacing.today_of(now)
    spent = Probe.objects.filter(at__gte=pacing.month_of(now), cost__gt=0).aggregate(
        before=Sum("cost", filter=Q(at__lt=today), default=0),
        today=Sum("cost", filter=Q(at__gte=today), default=0),
    )
    under_way = Watch.objects.filter(claimed_until__isnull=False).aggregate(
        all=Sum("reserved", default=0)
    )
    return Purse(
        cap=settings.PROBE_MONTHLY_BUDGET,
        before_today=int(spent["before"]),
        today=int(spent["today"]) + int(under_way["all"]),
    )


def read_month() -> int:
    """Nano-USD spent in this month."""
    purse = read_purse(clock.now())
    return purse.before_today + purse.today


def read_results() -> Iterable[tuple[str, str, str, int]]:
    """Provider, tier, result and how often, since the beginning."""
    return ProbeTotal.objects.values_list("provider", "tier", "result", "number")


def read_costs() -> Iterable[tuple[str, int]]:
    """Nano-USD by provider, since the beginning."""
    return ProbeTotal.objects.values_list("provider").annotate(spent=Sum("cost")).order_by()


def read_failing() -> Iterable[tuple[str, int]]:
    """How many offerings of a provider failed their last probe; 0 for a provider all of whose answered."""
    failing = Count("pk", filter=Q(failures__gt=0))
    rows = Watch.objects.exclude(probed_at=None).values_list("provider").annotate(number=failing)
    return rows.order_by()


def read_open_drifts() -> Iterable[tuple[str, int]]:
    """How many alerts of a provider are open; 0 where all were handled."""
    is_open = Count("pk", filter=Q(status=AlertStatus.OPEN))
    return DriftAlert.objects.order_by().values_list("provider").annotate(number=is_open)
