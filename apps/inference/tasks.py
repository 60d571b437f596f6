"""Jobs of the inference app."""

import structlog
from celery import shared_task

from apps.billing.services import trials
from apps.common import clock
from apps.inference import certifying, conversations
from apps.inference.selectors import usage_since
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


@shared_task
def review_trials() -> None:
    """Count what trials have used, and end those whose time, tokens or requests are used up."""
    for trial in trials.running():
        used = usage_since(trial.organization_id, trial.started_at)
        reason = trials.review(trial.id, tokens=used.tokens, requests=used.requests)
        if reason is not None:
            log.info("trial.ended", organization_id=trial.organization_id, reason=reason.value)
