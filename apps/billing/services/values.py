"""What the ledger is asked and what it answers: frozen values, all amounts in nano-USD."""

import datetime
from dataclasses import dataclass

import msgspec

from apps.billing.models import AccountKind, EntryKind


class HoldRequest(msgspec.Struct, frozen=True, gc=False):
    request_id: str
    organization_id: int
    amount: int
    api_key_id: int | None = None
    model: str = ""


class HoldDecision(msgspec.Struct, frozen=True, gc=False):
    placed: bool
    available: int
    """What the organisation could still hold after this batch."""


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """The end of a request: ``cost`` is usage times price, 0 when nothing is charged."""

    request_id: str
    organization_id: int
    cost: int
    price_id: int | None = None

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
