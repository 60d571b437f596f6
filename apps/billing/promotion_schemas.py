"""JSON of trials and codes. Dollars are JSON numbers; the exact nano-dollars stand beside them."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field


class CodeInput(Schema):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "WELCOME5"}})

    code: Annotated[str, Field(min_length=1, max_length=64)]
    """As it was given to you; small letters are taken for capital ones."""


class RedeemedCode(Schema):
    code: str
    amount: float
    amount_nano_usd: int
    redeemed_at: str
    expires_at: str | None
    """When what is left of this credit is taken back; null: never."""


class RedeemedBody(Schema):
    data: RedeemedCode


class OfferedCoupon(Schema):
    code: str
    amount: float
    amount_nano_usd: int
    valid_until: str | None


class OfferedCouponList(Schema):
    data: list[OfferedCoupon]


class CouponHistoryRow(Schema):
    code: str
    amount: float
    amount_nano_usd: int
    redeemed_at: str


class CouponHistory(Schema):
    data: list[CouponHistoryRow]


class TrialInfo(Schema):
    status: Literal["none", "active", "ended"]
    partner: str | None = None
    credit: float = 0
    credit_nano_usd: int = 0
    credit_left_nano_usd: int = 0
    tokens: int = 0
    tokens_used: int = 0
    """Of requests that cost something, as last counted: at most a minute ago."""
    requests: int = 0
    requests_used: int = 0
    started_at: str | None = None
    ends_at: str | None = None
    ended_at: str | None = None
    end_reason: str | None = None
    """`time`, `tokens`, `requests` or `staff`."""


class TrialBody(Schema):
    data: TrialInfo


class PartnerTerms(Schema):
    """What a partner's code gives."""

    code: str
    partner: str
    days: int
    credit: float
    credit_nano_usd: int
    tokens: int
    requests: int
    valid_until: str | None


class PartnerTermsBody(Schema):
    data: PartnerTerms


class PartnerCheck(Schema):
    code: str
    is_open: bool
    """Whether a trial can begin with it now."""
    reason: str | None
    """Else the error code that one would be refused with."""


class PartnerCheckBody(Schema):
    data: PartnerCheck


class DailyLimit(Schema):
    limit_nano_usd: int | None
    """Null: a trial has no limit a day; its credit, tokens and requests are its limits."""
    spent_today: float
    """Dollars, since midnight UTC."""
    spent_today_nano_usd: int


class DailyLimitBody(Schema):
    data: DailyLimit


class ReferralCodeInfo(Schema):
    code: str | None
    """Null until one is made, by `POST /v1/referral/generate`."""


class ReferralCodeBody(Schema):
    data: ReferralCodeInfo


class ReferralCheck(Schema):
    code: str
    is_valid: bool
    reward: float
    reward_nano_usd: int
    least_purchase: float
    least_purchase_nano_usd: int


class ReferralCheckBody(Schema):
    data: ReferralCheck


class ReferralApplied(Schema):
    code: str
    status: str


class ReferralAppliedBody(Schema):
    data: ReferralApplied


class ReferralNumbers(Schema):
    code: str | None
    used: int
    max_uses: int
    pending: int
    """Organisations that you brought and that have not bought enough yet."""
    completed: int
    earned: float
    earned_nano_usd: int
    reward: float
    """Dollars for each side."""
    least_purchase: float


class ReferralNumbersBody(Schema):
    data: ReferralNumbers
