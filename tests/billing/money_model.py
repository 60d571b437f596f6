"""The books of an organisation in plain Python: credit in lots, payments, what went back, and Σ of the lines. Nano-USD."""

from collections import Counter
from dataclasses import dataclass, field

CENT = 10_000_000


@dataclass
class Lot:
    bucket: str
    amount: int
    ends: int | None
    """Hours after the beginning."""


@dataclass
class Payment:
    order: str
    cents: int
    fee_cents: int
    bonus: int
    gone_cents: int = 0

    def parts(self, cents: int) -> Counter[str]:
        """What the next so many cents are in each account of the house, and ``credit``."""
        before, after = self.gone_cents, self.gone_cents + cents
        fee = self._share(self.fee_cents * CENT, after) - self._share(self.fee_cents * CENT, before)
        bonus = self._share(self.bonus, after) - self._share(self.bonus, before)
        money = cents * CENT
        return Counter(money=money, fee=fee, bonus=bonus, credit=money - fee + bonus)

    def _share(self, whole: int, cents: int) -> int:
        return whole * cents // self.cents


@dataclass
class Reversal:
    kind: str
    payment: Payment
    cents: int
    lines: Counter[str]
    is_returned: bool = False


@dataclass
class Model:
    """The books of one organisation."""

    lots: list[Lot] = field(default_factory=list)
    purchased: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    settled: dict[str, int] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    reversals: dict[str, Reversal] = field(default_factory=dict)
    accounts: Counter[str] = field(default_factory=Counter)
    """Σ of the lines by kind of account, the house's included."""
    entries: Counter[str] = field(default_factory=Counter)
    """By kind: a reference written twice is one too many."""

    @property
    def allowance(self) -> int:
        return sum(lot.amount for lot in self.lots if lot.bucket == "allowance")

    @property
    def promo(self) -> int:
        return sum(lot.amount for lot in self.lots if lot.bucket == "promo")

    @property
    def held(self) -> int:
        return sum(self.holds.values())

    @property
    def available(self) -> int:
        return self.allowance + self.promo + self.purchased - self.held

    def enter(self, kind: str, **lines: int) -> None:
        assert sum(lines.values()) == 0
        self.entries[kind] += 1
        self.accounts.update(lines)
        self.purchased += lines.get("purchased", 0)

    def settle(self, request: str, cost: int) -> int:
        self.holds.pop(request, None)
        if not cost or request in self.settled:
            return 0
        charged = min(cost, self.available)
        allowance = min(charged, self.allowance)
        promo = min(charged - allowance, self.promo)
        self.spend("allowance", allowance)
        self.spend("promo", promo)
        self.enter(
            "settlement",
            allowance=-allowance,
            promo=-promo,
            purchased=allowance + promo - charged,
            revenue=cost,
            written_off=charged - cost,
        )
        self.settled[request] = charged
        return charged

    def spend(self, bucket: str, amount: int) -> None:
        for lot in sorted(self.lots, key=lambda lot: (lot.ends is None, lot.ends or 0)):
            if lot.bucket == bucket:
                part = min(amount, lot.amount)
                lot.amount -= part
                amount -= part

    def expire(self, hour: int) -> None:
        """What requests have on hold is left to them."""
        late = [lot for lot in self.lots if lot.ends is not None and lot.ends <= hour]
        for lot in sorted(late, key=lambda lot: (lot.bucket, lot.ends)):
            part = min(lot.amount, self.available)
            if part:
                lot.amount -= part
                self.enter("expiry", **{lot.bucket: -part}, promo_expense=part)

    def take_back(self, reversal: Reversal) -> None:
        parts = reversal.payment.parts(reversal.cents)
        taken = min(parts["credit"], max(0, min(self.purchased, self.available)))
        reversal.lines = Counter(
            purchased=-taken,
            written_off=taken - parts["credit"],
            stripe_clearing=parts["money"],
            fees=-parts["fee"],
            promo_expense=parts["bonus"],
        )
        self.enter(reversal.kind, **reversal.lines)
        reversal.payment.gone_cents += reversal.cents

    def give_back(self, reversal: Reversal) -> None:
        self.enter(
            reversal.kind, **{account: -amount for account, amount in reversal.lines.items()}
        )
        reversal.payment.gone_cents -= reversal.cents
        reversal.is_returned = True
