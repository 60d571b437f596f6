"""The ledger's tables, and those of credit that is given away."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.budget import Budget, BudgetAlert, BudgetEpoch, BudgetWindow, Period
from apps.billing.models.coupon import Coupon, CouponRedemption
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.guess import CodeGuesses
from apps.billing.models.hold import Hold
from apps.billing.models.lot import CreditLot
from apps.billing.models.redemption_code import RedemptionBatch, RedemptionCode
from apps.billing.models.referral import Referral, ReferralCode, ReferralStatus, ReferralTerms
from apps.billing.models.trial import PartnerOffer, Trial, TrialEnd, TrialTerms
from apps.billing.models.watch import CreditLevel, CreditWatch

__all__ = [
    "Account",
    "AccountKind",
    "Balance",
    "Budget",
    "BudgetAlert",
    "BudgetEpoch",
    "BudgetWindow",
    "CodeGuesses",
    "Coupon",
    "CouponRedemption",
    "CreditLevel",
    "CreditLot",
    "CreditWatch",
    "EntryKind",
    "EntryLine",
    "Hold",
    "JournalEntry",
    "PartnerOffer",
    "Period",
    "RedemptionBatch",
    "RedemptionCode",
    "Referral",
    "ReferralCode",
    "ReferralStatus",
    "ReferralTerms",
    "Trial",
    "TrialEnd",
    "TrialTerms",
]
