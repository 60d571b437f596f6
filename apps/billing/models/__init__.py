"""The ledger's tables, those of payments, and those of credit that is given away."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.budget import Budget, BudgetAlert, BudgetEpoch, BudgetWindow, Period
from apps.billing.models.coupon import Coupon, CouponRedemption
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.guess import CodeGuesses
from apps.billing.models.hold import Hold
from apps.billing.models.inbox import EventStatus, StripeEvent
from apps.billing.models.lot import CreditLot
from apps.billing.models.payment import (
    UNSETTLED,
    AutoTopUp,
    CreditPackage,
    Order,
    OrderKind,
    OrderStatus,
    Reversal,
    ReversalKind,
    ReversalStatus,
    StripeCustomer,
)
from apps.billing.models.redemption_code import RedemptionBatch, RedemptionCode
from apps.billing.models.referral import Referral, ReferralCode, ReferralStatus, ReferralTerms
from apps.billing.models.subscription import (
    ENTITLED,
    LIVE,
    WAITING,
    InvoiceStatus,
    PlanPrice,
    Subscription,
    SubscriptionInvoice,
    SubscriptionStatus,
)
from apps.billing.models.trial import PartnerOffer, Trial, TrialEnd, TrialTerms
from apps.billing.models.watch import CreditLevel, CreditWatch

__all__ = [
    "ENTITLED",
    "LIVE",
    "UNSETTLED",
    "WAITING",
    "Account",
    "AccountKind",
    "AutoTopUp",
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
    "CreditPackage",
    "CreditWatch",
    "EntryKind",
    "EntryLine",
    "EventStatus",
    "Hold",
    "InvoiceStatus",
    "JournalEntry",
    "Order",
    "OrderKind",
    "OrderStatus",
    "PartnerOffer",
    "Period",
    "PlanPrice",
    "RedemptionBatch",
    "RedemptionCode",
    "Referral",
    "ReferralCode",
    "ReferralStatus",
    "ReferralTerms",
    "Reversal",
    "ReversalKind",
    "ReversalStatus",
    "StripeCustomer",
    "StripeEvent",
    "Subscription",
    "SubscriptionInvoice",
    "SubscriptionStatus",
    "Trial",
    "TrialEnd",
    "TrialTerms",
]
