"""How often in a row an auto top-up has failed. Counted where its order ends, which happens once, whoever hears of it first."""

import structlog
from django.conf import settings
from django.db import transaction

from apps.accounts import notices
from apps.accounts.notices import PaymentFailed
from apps.billing.models import AutoTopUp, Order
from apps.common import clock

log = structlog.get_logger(__name__)


@transaction.atomic
def count(order: Order, problem: str) -> None:
    """Waits longer each time; after the third in a row it is off. The people of the organisation are told of each."""
    organization_id = order.organization_id
    row = AutoTopUp.objects.select_for_update().filter(organization_id=organization_id).first()
    if row is None:
        return
    row.failures += 1
    row.stopped_because = problem[:200]
    row.next_attempt_at = clock.now() + settings.AUTO_TOP_UP_RETRY * 2 ** (row.failures - 1)
    if row.failures >= settings.AUTO_TOP_UP_FAILURES:
        row.is_enabled = False
        row.stopped_because = f"Turned off after {row.failures} failures. {problem}"[:200]
        log.error("payments.auto_top_up_off", organization=organization_id, failures=row.failures)
    row.save()
    notices.notify(
        organization_id,
        PaymentFailed(
            amount_cents=order.amount_cents,
            what_for="an automatic top-up",
            is_given_up=not row.is_enabled,
        ),
        reference=f"payment-failed:{order.pk}",
    )


def forget(organization_id: int) -> None:
    """It has bought."""
    AutoTopUp.objects.filter(organization_id=organization_id).update(
        failures=0, next_attempt_at=None, stopped_because=""
    )
