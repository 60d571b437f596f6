"""Series that are read from the database when somebody asks: what scheduled jobs find, workers have no page to show.

Every web process tells the same numbers, so a sum over them would count them several times: take one, or the greatest.
"""

from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import DatabaseError
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from apps.catalog.selectors import read_balances
from apps.monitoring import selectors

log = structlog.get_logger(__name__)


class Stored(Collector):
    """Nothing while the database is away: /metrics has more to tell than this."""

    def describe(self) -> Iterable[Metric]:
        return _families()

    @override
    def collect(self) -> Iterable[Metric]:
        try:
            return _filled()
        except DatabaseError as error:
            log.warning("metrics.unreadable", error=type(error).__name__)
            return ()


def _families() -> tuple[Metric, ...]:
    return (
        CounterMetricFamily(
            "gatewayz_probes",
            "Probes of hosts that were due, by what became of them.",
            labels=["provider", "tier", "result"],
        ),
        CounterMetricFamily(
            "gatewayz_probe_cost_nano_usd",
            "What probes have cost the house, in nano-USD.",
            labels=["provider"],
        ),
        GaugeMetricFamily(
            "gatewayz_probe_month_nano_usd",
            "What probes have cost in this month, with those under way, in nano-USD.",
        ),
        GaugeMetricFamily(
            "gatewayz_probe_month_cap_nano_usd", "What they may cost in a month, in nano-USD."
        ),
        GaugeMetricFamily(
            "gatewayz_hosts_failing",
            "Offerings whose last probe failed.",
            labels=["provider"],
        ),
        GaugeMetricFamily(
            "gatewayz_provider_balance_nano",
            "What is left in the house's account at a provider, in billionths of the currency.",
            labels=["provider", "currency"],
        ),
        GaugeMetricFamily(
            "gatewayz_drift_alerts_open",
            "Drifts between a provider's bill and the records that nobody has looked at yet.",
            labels=["provider"],
        ),
    )


def _filled() -> tuple[Metric, ...]:
    probes, cost, month, cap, failing, balance, drift = families = _families()
    for provider, tier, result, number in selectors.read_results():
        probes.add_sample("gatewayz_probes_total", _labels(provider, tier, result), number)
    for provider, spent in selectors.read_costs():
        cost.add_sample("gatewayz_probe_cost_nano_usd_total", {"provider": provider}, spent)
    month.add_sample(month.name, {}, selectors.read_month())
    cap.add_sample(cap.name, {}, settings.PROBE_MONTHLY_BUDGET)
    for provider, number in selectors.read_failing():
        failing.add_sample(failing.name, {"provider": provider}, number)
    for provider, currency, amount in read_balances():
        balance.add_sample(balance.name, {"provider": provider, "currency": currency}, amount)
    for provider, number in selectors.read_open_drifts():
        drift.add_sample(drift.name, {"provider": provider}, number)
    return families


def _labels(provider: str, tier: str, result: str) -> dict[str, str]:
    return {"provider": provider, "tier": tier, "result": result}


stored = Stored()
REGISTRY.register(stored)
