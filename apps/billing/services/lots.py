"""Lots: which credit of a bucket is spent, and which is left when it expires.

What expires soonest is spent first. Settlements know buckets alone, so that none of this stands on the hot path: between
two changes of a bucket's lots, what was spent of it is the sum of what the lots had less what the bucket has now.
"""

import datetime

from apps.billing.models import AccountKind, Balance, CreditLot
from apps.billing.selectors import EXPIRING, open_lots, split_spending


def book_spending(balance: Balance) -> None:
    """Take what was spent since the last time from the lots that expire soonest. The caller has locked the balance."""
    for kind in EXPIRING:
        for lot, part in split_spending(
            open_lots(balance.pk, kind), balance=getattr(balance, kind.value)
        ):
            if part:
                lot.remaining -= part
                lot.save(update_fields=["remaining"])


def add(
    balance: Balance,
    kind: AccountKind,
    amount: int,
    *,
    reference: str,
    expires_at: datetime.datetime | None,
    now: datetime.datetime,
) -> None:
    CreditLot.objects.create(
        organization_id=balance.pk,
        bucket=kind.value,
        reference=reference,
        amount=amount,
        remaining=amount,
        expires_at=expires_at,
        created_at=now,
    )
