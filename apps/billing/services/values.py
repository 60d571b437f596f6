"""What the ledger is asked and what it answers: frozen values, all amounts in nano-USD."""

import datetime
import enum
from dataclasses import dataclass

import msgspec

from apps.billing.models import AccountKind, EntryKind


class HoldRequest(msgspec.Struct, frozen=True, gc=False):
    request_id: str
    organization_id: int
    amount: int
    api_key_id: int | None = None
    model: str = ""
    member_id: int | None = None
    """The user who has made the key."""
    held_at: datetime.datetime | None = None
    """The moment that chose the ``windows``; None: when it is written."""
    budget_version: int = 0
    """Of the budgets that the caller knows: a hold that knows others than the balance does is not placed."""
    windows: tuple[int, ...] = ()
    """Of the budgets that apply."""


class HoldDecision(msgspec.Struct, frozen=True, gc=False):
    placed: bool
    available: int
    """What the organisation could still hold after this batch."""
    is_outdated: bool = False
    """Not placed because the organisation's budgets have changed: to be asked again."""
    room: int | None = None
    """What the tightest of its hard budgets still leaves after this batch; None: it has none."""

    def fits(self, amount: int) -> bool:
        """Whether so much could be held after this batch."""
        return amount <= self.available and (self.room is None or amount <= self.room)


class Extension(enum.Enum):
    """What became of a hold that was to grow."""

    PLACED = "placed"
    NO_CREDIT = "no_credit"
    """Or the hold is not there any more."""
    NO_BUDGET = "no_budget"


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """The end of a request: ``cost`` is usage times price, 0 when nothing is charged."""

    request_id: str
    organization_id: int
    cost: int
    price_id: int | None = None
    api_key_id: int | None = None
    member_id: int | None = None
    held_at: datetime.datetime | None = None

    @property
    def reference(self) -> str:
        return f"settle:{self.request_id}"


@dataclass(frozen=True, slots=True)
class Posting:
    """An entry by hand: a grant, an adjustment. ``lines`` must sum to zero."""

    reference: str
    kind: EntryKind
    organization_id: int
    lines: tuple[tuple[AccountKind, int], ...]
    memo: str = ""
    expires_at: datetime.datetime | None = None
    """Of the allowance or promo credit that it adds; None: never."""
    price_id: int | None = None
    """The price row that it is rated by."""
