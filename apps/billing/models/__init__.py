"""The ledger's tables."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.hold import Hold
from apps.billing.models.lot import CreditLot
from apps.billing.models.watch import CreditLevel, CreditWatch

__all__ = [
    "Account",
    "AccountKind",
    "Balance",
    "CreditLevel",
    "CreditLot",
    "CreditWatch",
    "EntryKind",
    "EntryLine",
    "Hold",
    "JournalEntry",
]
