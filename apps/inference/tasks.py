"""Jobs of the inference app."""

import structlog
from celery import shared_task

from apps.inference.sweep import sweep

log = structlog.get_logger(__name__)


@shared_task
def sweep_holds() -> None:
    if lost := sweep():
        log.warning("holds.swept", lost=lost)
