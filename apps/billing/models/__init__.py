"""The ledger's tables."""

from apps.billing.models.account import Account, AccountKind, Balance
from apps.billing.models.budget import Budget, BudgetAlert, BudgetEpoch, BudgetWindow, Period
from apps.billing.models.entry import EntryKind, EntryLine, JournalEntry
from apps.billing.models.hold import Hold
from apps.billing.models.lot import CreditLot

__all__ = [
    "Account",
    "AccountKind",
    "Balance",
    "Budget",
    "BudgetAlert",
    "BudgetEpoch",
    "BudgetWindow",
    "CreditLot",
    "EntryKind",
    "EntryLine",
    "Hold",
    "JournalEntry",
    "Period",
]
