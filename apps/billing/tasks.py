"""Jobs of the billing app."""

import structlog
from celery import shared_task

from apps.billing.services.verification import verify

log = structlog.get_logger(__name__)


@shared_task
def verify_ledger() -> None:
    """Nightly proof of the books; an unsound ledger is an error that Sentry reports."""
    found = verify()
    if found.is_sound:
        log.info("ledger.sound", entries=found.entries, open_holds=found.open_holds)
    else:
        log.error("ledger.unsound", problems=found.problems)
