"""Jobs of the catalogue; when they run stands in gatewayz.celery."""

import structlog
from celery import shared_task

from apps.catalog.services import pricing

log = structlog.get_logger(__name__)


@shared_task
def refresh_prices() -> None:
    """Take over what changed in the price book."""
    summary = pricing.import_price_book()
    log.info(
        "catalog.prices_refreshed",
        added=summary.added,
        unchanged=summary.unchanged,
        overridden=summary.overridden,
        models=summary.models,
        skipped=len(summary.skipped),
        quarantined=len(summary.quarantined),
    )
