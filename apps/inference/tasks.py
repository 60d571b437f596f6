"""Jobs of the inference app."""

import structlog
from celery import shared_task

from apps.common import clock
from apps.inference import certifying, conversations
from apps.inference.sweep import sweep

log = structlog.get_logger(__name__)


@shared_task
def forget_expired_responses() -> None:
    if forgotten := conversations.forget_expired(clock.now()):
        log.info("responses.forgotten", number=forgotten)


@shared_task
def sign_receipts() -> None:
    if signed := certifying.sign_missing():
        log.info("receipts.signed", number=signed)


@shared_task
def sweep_holds() -> None:
    if lost := sweep():
        log.warning("holds.swept", lost=lost)
