"""The ledger's tables."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.hold import Hold

__all__ = [
    "Account",
    "AccountKind",
    "Balance",
    "EntryKind",
    "EntryLine",
    "Hold",
    "JournalEntry",
]
