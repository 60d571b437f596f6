"""Jobs of the accounts app."""

import structlog
from celery import shared_task

from apps.accounts import notices

log = structlog.get_logger(__name__)


@shared_task
def send_notices() -> None:
    if sent := notices.send_due():
        log.info("notices.sent", number=sent)
