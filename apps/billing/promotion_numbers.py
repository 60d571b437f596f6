"""What staff want to know of promotions, in numbers. Amounts are nano-USD."""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Sum

from apps.billing.models import AccountKind, Coupon, CouponRedemption, EntryLine, Trial


@dataclass(frozen=True, slots=True)
class CouponNumbers:
    redemptions: int
    granted: int
    uses_left: int
    first_at: datetime.datetime | None
    last_at: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class CouponOverview:
    coupons: int
    active: int
    used_up: int
    redemptions: int
    granted: int


@dataclass(frozen=True, slots=True)
class TrialNumbers:
    """``converted``: of those, the organisations that have bought credit."""

    started: int
    running: int
    ended: dict[str, int]
    """By reason."""
    converted: int
    granted: int


def coupon_numbers(coupon: Coupon) -> CouponNumbers:
    found = CouponRedemption.objects.filter(coupon=coupon).aggregate(
        number=Count("pk"), total=Sum("amount"), first=Min("created_at"), last=Max("created_at")
    )
    return CouponNumbers(
        redemptions=found["number"],
        granted=found["total"] or 0,
        uses_left=coupon.max_uses - coupon.used,
        first_at=found["first"],
        last_at=found["last"],
    )


def coupon_overview() -> CouponOverview:
    coupons = Coupon.objects.order_by().aggregate(
        number=Count("pk"),
        active=Count("pk", filter=Q(is_active=True)),
        used_up=Count("pk", filter=Q(used=F("max_uses"))),
    )
    given = CouponRedemption.objects.order_by().aggregate(number=Count("pk"), total=Sum("amount"))
    return CouponOverview(
        coupons=coupons["number"],
        active=coupons["active"],
        used_up=coupons["used_up"],
        redemptions=given["number"],
        granted=given["total"] or 0,
    )


def trial_numbers(trials: QuerySet[Trial]) -> TrialNumbers:
    bought = EntryLine.objects.filter(
        account__organization_id=OuterRef("organization_id"), account__kind=AccountKind.PURCHASED
    )
    rows = trials.order_by()
    reasons = dict(rows.values_list("end_reason").annotate(number=Count("pk")))
    running = reasons.pop("", 0)
    return TrialNumbers(
        started=running + sum(reasons.values()),
        running=running,
        ended=reasons,
        converted=rows.filter(Exists(bought)).count(),
        granted=rows.aggregate(total=Sum("credit"))["total"] or 0,
    )
