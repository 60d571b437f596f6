"""The sweep: release the holds of dead processes and mark their requests as lost."""

from django.db import transaction

from apps.billing.services import ledger
from apps.common import clock
from apps.inference import recorder


@transaction.atomic
def sweep() -> int:
    """How many requests were lost. They cost nothing, and their records say what became of them."""
    now = clock.now()
    released = ledger.release_expired()
    recorder.insert(
        [
            (
                hold.pk,
                0,
                recorder.lost_row(
                    organization_id=hold.organization_id,
                    api_key_id=hold.api_key_id,
                    model=hold.model,
                    created_at=hold.created_at,
                    latency_ms=min(
                        round((now - hold.created_at).total_seconds() * 1000), 2**31 - 1
                    ),
                ),
            )
            for hold in released
        ]
    )
    return len(released)
