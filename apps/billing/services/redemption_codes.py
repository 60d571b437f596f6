"""Redemption codes: made by the batch for staff to hand out, each good for once. Only hashes are kept.

Sixteen letters are eighty bits: nobody finds one by trying.
"""

import datetime

from django.db import transaction

from apps.billing.models import RedemptionBatch, RedemptionCode
from apps.billing.services import codes, ledger
from apps.billing.services.coupons import Redeemed
from apps.common import clock, crypto
from apps.common.errors import InvalidRequest

LETTERS = 16
GROUP = 4
MOST_AT_ONCE = 1_000


@transaction.atomic
def make_batch(
    *,
    name: str,
    amount: int,
    count: int,
    valid_until: datetime.datetime | None = None,
    is_active: bool = True,
    created_by_id: int | None = None,
) -> tuple[RedemptionBatch, list[str]]:
    """The batch and its codes, which can be told this one time. ``amount`` is nano-USD of each. Raises InvalidRequest."""
    if not 1 <= count <= MOST_AT_ONCE:
        raise InvalidRequest(
            f"'count' must be from 1 to {MOST_AT_ONCE:,}.", param="count", code="invalid_value"
        )
    batch = RedemptionBatch.objects.create(
        name=name,
        amount=amount,
        valid_until=valid_until,
        is_active=is_active,
        created_by_id=created_by_id,
    )
    made = [codes.make(LETTERS) for _ in range(count)]
    RedemptionCode.objects.bulk_create(
        RedemptionCode(batch=batch, lookup=_lookup(code), last4=code[-4:]) for code in made
    )
    return batch, [_as_printed(code) for code in made]


@transaction.atomic
def redeem(organization_id: int, *, code: str) -> Redeemed:
    """Raises NotFound, CodeRefused; then nothing is written."""
    found = (
        RedemptionCode.objects.select_related("batch")
        .filter(lookup=_lookup(_as_kept(code)), batch__is_active=True)
        .first()
    )
    if found is None:
        raise codes.not_found("redemption code")
    now = clock.now()
    unused = RedemptionCode.objects.filter(pk=found.pk, redeemed_at=None)
    if not unused.update(redeemed_by_id=organization_id, redeemed_at=now):
        raise codes.refuse("code_already_redeemed", "This code was redeemed before.")
    codes.require_dates(now, valid_until=found.batch.valid_until)
    ledger.grant_promo(
        organization_id,
        amount=found.batch.amount,
        reference=found.reference,
        memo=f"Redemption code …{found.last4}",
    )
    return Redeemed(f"…{found.last4}", found.batch.amount, now)


def _lookup(code: str) -> str:
    return crypto.lookup_hash(f"redemption:{code}")


def _as_kept(code: str) -> str:
    return codes.clean(code).replace("-", "").replace(" ", "")


def _as_printed(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))
