"""Jobs of monitoring; when they run stands in gatewayz.celery."""

import structlog
from celery import shared_task

from apps.monitoring.services import probes, reconciling, rollups, rounds

log = structlog.get_logger(__name__)


@shared_task
def probe_hosts() -> None:
    """The probes of this minute."""
    rounds.run_round()


@shared_task
def roll_up_usage() -> None:
    """What ended up to a minute ago."""
    rollups.roll_up()


@shared_task
def forget_probes() -> None:
    if forgotten := probes.forget_old():
        log.info("probes.forgotten", number=forgotten)


@shared_task
def reconcile_usage() -> None:
    """The last days of every provider that an export tells of, anew."""
    for run in reconciling.compare_recent():
        log.info("reconciliation.compared", provider=run.provider, days=run.days)
