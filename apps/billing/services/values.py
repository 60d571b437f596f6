"""What the ledger is asked and what it answers: frozen values, all amounts in nano-USD."""

from dataclasses import dataclass

from apps.billing.models import AccountKind, EntryKind


@dataclass(frozen=True, slots=True)
class HoldRequest:
    request_id: str
    organization_id: int
    amount: int
    api_key_id: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class HoldDecision:
    placed: bool
    available: int
    """What the organisation could still hold after this batch."""


@dataclass(frozen=True, slots=True)
class Settlement:
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
