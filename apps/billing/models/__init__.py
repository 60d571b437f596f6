"""The ledger's tables."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.hold import Hold
from apps.billing.models.lot import CreditLot

__all__ = [
    "Account",
    "AccountKind",
    "Balance",
    "CreditLot",
    "EntryKind",
    "EntryLine",
    "Hold",
    "JournalEntry",
]
