"""Coupons: a code that gives credit, once to each organisation and person, and no more often than it says.

The coupon's row is locked while one is redeemed, and its counter rises in the transaction that grants.
"""

import datetime
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from apps.accounts.identities import identity_of
from apps.accounts.selectors import Owner, owner_of
from apps.billing.models import Coupon, CouponRedemption
from apps.billing.services import codes, ledger
from apps.common import clock


@dataclass(frozen=True, slots=True)
class Redeemed:
    """``amount`` is nano-USD of promo credit, which expires with ``expires_at``; None: never."""

    code: str
    amount: int
    redeemed_at: datetime.datetime
    expires_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """A coupon that waits for the organisation."""

    code: str
    amount: int
    valid_until: datetime.datetime | None


@transaction.atomic
def redeem(organization_id: int, *, code: str) -> Redeemed:
    """Raises NotFound, CodeRefused; then nothing is written."""
    coupon = Coupon.objects.select_for_update().filter(code=codes.clean(code)).first()
    if coupon is None or not coupon.is_active:
        raise codes.not_found("coupon")
    owner = owner_of(organization_id)
    now = clock.now()
    _require_theirs(coupon, organization_id, owner)
    redemption = CouponRedemption(
        coupon=coupon,
        organization_id=organization_id,
        identity=identity_of(owner.email) if owner else "",
        amount=coupon.amount,
        created_at=now,
    )
    try:
        with transaction.atomic():
            redemption.save(force_insert=True)
    except IntegrityError as error:
        raise codes.refuse(
            "code_already_redeemed", "This coupon was redeemed by you before; it is good for once."
        ) from error
    codes.require_dates(now, valid_from=coupon.valid_from, valid_until=coupon.valid_until)
    _count(coupon)
    expires_at = now + datetime.timedelta(days=coupon.credit_days) if coupon.credit_days else None
    ledger.grant_promo(
        organization_id,
        amount=coupon.amount,
        reference=redemption.reference,
        memo=f"Coupon {coupon.code}",
        expires_at=expires_at,
    )
    return Redeemed(coupon.code, coupon.amount, now, expires_at)


def _require_theirs(coupon: Coupon, organization_id: int, owner: Owner | None) -> None:
    if coupon.organization_id not in {None, organization_id} or (
        coupon.user_id is not None and (owner is None or owner.user_id != coupon.user_id)
    ):
        raise codes.refuse("code_not_yours", "This coupon is meant for somebody else.")


def _count(coupon: Coupon) -> None:
    if not Coupon.objects.filter(pk=coupon.pk, used__lt=F("max_uses")).update(used=F("used") + 1):
        raise codes.refuse("code_used_up", "This coupon was redeemed as often as it may be.")


def list_offered(organization_id: int) -> list[Offered]:
    """Coupons that were made for this organisation, or for its owner, and can be redeemed now."""
    owner = owner_of(organization_id)
    theirs = Q(organization_id=organization_id)
    if owner is not None:
        theirs |= Q(user_id=owner.user_id)
    now = clock.now()
    found = Coupon.objects.filter(
        theirs,
        Q(valid_until=None) | Q(valid_until__gt=now),
        is_active=True,
        valid_from__lte=now,
        used__lt=F("max_uses"),
    )
    return [Offered(coupon.code, coupon.amount, coupon.valid_until) for coupon in found]


def list_redeemed(organization_id: int) -> list[Redeemed]:
    """The newest first."""
    found = CouponRedemption.objects.filter(organization_id=organization_id)
    rows = found.values_list("coupon__code", "amount", "created_at")
    return [Redeemed(*row) for row in rows]
