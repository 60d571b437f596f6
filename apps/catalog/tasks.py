"""Jobs of the catalogue; when they run stands in gatewayz.celery."""

import structlog
from celery import shared_task

from apps.catalog.services import balances, feeds, pricing
from apps.common import clock

log = structlog.get_logger(__name__)


@shared_task
def refresh_prices() -> None:
    """Take over what changed in the price book; the seed is compared with it."""
    summary = pricing.import_prices()
    log.info(
        "catalog.prices_refreshed",
        added=summary.added,
        unchanged=summary.unchanged,
        overridden=summary.overridden,
        models=summary.models,
        skipped=len(summary.skipped),
        quarantined=len(summary.quarantined),
    )


@shared_task
def refresh_due() -> None:
    """Start the refreshes of this minute, each a task of its own."""
    for slug in feeds.due(clock.now()):
        refresh_provider.delay(slug)


@shared_task
def refresh_provider(slug: str) -> None:
    """Read one provider's list of models."""
    feeds.refresh(slug)


@shared_task
def read_balances() -> None:
    """Ask the providers that tell it what is left in the house's accounts."""
    balances.read_due()
