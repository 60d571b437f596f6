"""The ledger's tables, and those of payments."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
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

__all__ = [
    "UNSETTLED",
    "Account",
    "AccountKind",
    "AutoTopUp",
    "Balance",
    "CreditLot",
    "CreditPackage",
    "EntryKind",
    "EntryLine",
    "EventStatus",
    "Hold",
    "JournalEntry",
    "Order",
    "OrderKind",
    "OrderStatus",
    "Reversal",
    "ReversalKind",
    "ReversalStatus",
    "StripeCustomer",
    "StripeEvent",
]
