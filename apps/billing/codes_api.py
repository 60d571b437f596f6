"""Codes that give credit: /v1/coupons, /v1/redemption-codes and /v1/referral."""

from django.http import HttpRequest
from ninja import Router

from apps.billing.promotion_schemas import (
    CodeInput,
    CouponHistory,
    CouponHistoryRow,
    OfferedCoupon,
    OfferedCouponList,
    RedeemedBody,
    RedeemedCode,
    ReferralApplied,
    ReferralAppliedBody,
    ReferralCheck,
    ReferralCheckBody,
    ReferralCodeBody,
    ReferralCodeInfo,
    ReferralNumbers,
    ReferralNumbersBody,
)
from apps.billing.services import coupons, guesses, redemption_codes, referrals
from apps.billing.services.coupons import Redeemed
from apps.common.db import to_iso
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of

router = Router(tags=["Coupons and referrals"])


@router.post("/coupons/redeem", response=RedeemedBody, summary="Redeem a coupon")
def redeem_coupon(request: HttpRequest, asked: CodeInput) -> RedeemedBody:
    """Its credit is there at once. Each organisation and each person may redeem a coupon once."""
    return _body(guesses.attempt(coupons.redeem, organization_of(request), code=asked.code))


@router.get("/coupons/available", response=OfferedCouponList, summary="Coupons made for you")
def list_coupons(request: HttpRequest) -> OfferedCouponList:
    """Those of this organisation and of its owner; coupons for everybody are found where they are announced."""
    return OfferedCouponList(
        data=[
            OfferedCoupon(
                code=found.code,
                amount=nano_to_usd(found.amount),
                amount_nano_usd=found.amount,
                valid_until=to_iso(found.valid_until),
            )
            for found in coupons.list_offered(organization_of(request))
        ]
    )


@router.get("/coupons/history", response=CouponHistory, summary="Coupons that you redeemed")
def list_redeemed_coupons(request: HttpRequest) -> CouponHistory:
    return CouponHistory(
        data=[
            CouponHistoryRow(
                code=found.code,
                amount=nano_to_usd(found.amount),
                amount_nano_usd=found.amount,
                redeemed_at=to_iso(found.redeemed_at) or "",
            )
            for found in coupons.list_redeemed(organization_of(request))
        ]
    )


@router.post("/redemption-codes/redeem", response=RedeemedBody, summary="Redeem a code")
def redeem_code(request: HttpRequest, asked: CodeInput) -> RedeemedBody:
    """A code that was handed to you, good for once; hyphens may be left out."""
    return _body(
        guesses.attempt(redemption_codes.redeem, organization_of(request), code=asked.code)
    )


@router.get("/referral/code", response=ReferralCodeBody, summary="Your referral code")
def read_referral_code(request: HttpRequest) -> ReferralCodeBody:
    found = referrals.stats_of(organization_of(request))
    return ReferralCodeBody(data=ReferralCodeInfo(code=found.code))


@router.post("/referral/generate", response=ReferralCodeBody, summary="Make your referral code")
def make_referral_code(request: HttpRequest) -> ReferralCodeBody:
    """The same one when you have it already."""
    code = referrals.make_code(organization_of(request))
    return ReferralCodeBody(data=ReferralCodeInfo(code=code))


@router.get("/referral/stats", response=ReferralNumbersBody, summary="Whom you brought")
def read_referral_stats(request: HttpRequest) -> ReferralNumbersBody:
    found = referrals.stats_of(organization_of(request))
    return ReferralNumbersBody(
        data=ReferralNumbers(
            code=found.code,
            used=found.used,
            max_uses=found.max_uses,
            pending=found.pending,
            completed=found.completed,
            earned=nano_to_usd(found.earned),
            earned_nano_usd=found.earned,
            reward=nano_to_usd(found.reward),
            least_purchase=nano_to_usd(found.least_purchase),
        )
    )


@router.post(
    "/referral/validate", response=ReferralCheckBody, summary="Whether you could use a code"
)
def check_referral_code(request: HttpRequest, asked: CodeInput) -> ReferralCheckBody:
    """Refused as its use would be; nothing is written."""
    found = guesses.attempt(referrals.find_code, organization_of(request), code=asked.code)
    terms = referrals.terms()
    return ReferralCheckBody(
        data=ReferralCheck(
            code=found.code,
            is_valid=True,
            reward=nano_to_usd(terms.reward),
            reward_nano_usd=terms.reward,
            least_purchase=nano_to_usd(terms.least_purchase),
            least_purchase_nano_usd=terms.least_purchase,
        )
    )


@router.post("/referral/apply", response=ReferralAppliedBody, summary="Say who brought you")
def apply_referral_code(request: HttpRequest, asked: CodeInput) -> ReferralAppliedBody:
    """Once, and before the first purchase. Both sides get their credit with the first one that is large enough."""
    referral = guesses.attempt(referrals.refer, organization_of(request), code=asked.code)
    return ReferralAppliedBody(
        data=ReferralApplied(code=referral.code.code, status=referral.status)
    )


def _body(redeemed: Redeemed) -> RedeemedBody:
    return RedeemedBody(
        data=RedeemedCode(
            code=redeemed.code,
            amount=nano_to_usd(redeemed.amount),
            amount_nano_usd=redeemed.amount,
            redeemed_at=to_iso(redeemed.redeemed_at) or "",
            expires_at=to_iso(redeemed.expires_at),
        )
    )
