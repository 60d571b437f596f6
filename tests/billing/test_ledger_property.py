"""Any programme of grants, holds, settlements and sweeps leaves the books as a few lines of plain Python say.

Runs through the ledger of the database at hand and, on PostgreSQL, through the portable one too: these are two implementations,
the one-statement form and the readable form, and both agreeing with the same model is the proof that they agree.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.billing.models import AccountKind
from apps.billing.services import ledger, ledger_portable
from apps.billing.services.values import Extension, HoldDecision, HoldRequest, Settlement
from apps.billing.services.verification import verify
from apps.common import clock
from tests.billing.books import Books, lines_of, open_books

KINDS = ("allowance", "promo", "purchased")
ORGANIZATIONS = st.integers(0, 2)
REQUESTS = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(st.just("grant"), ORGANIZATIONS, st.sampled_from(KINDS), st.integers(1, 300)),
    st.tuples(
        st.just("hold"),
        st.lists(st.tuples(ORGANIZATIONS, st.integers(0, 250)), min_size=1, max_size=8),
    ),
    st.tuples(
        st.just("settle"),
        st.lists(st.tuples(REQUESTS, st.integers(0, 250)), min_size=1, max_size=8),
    ),
    st.tuples(st.just("sweep"), st.lists(REQUESTS, max_size=3)),
    st.tuples(st.just("extend"), REQUESTS, st.integers(1, 250)),
)
PROGRAMMES = st.lists(STEPS, min_size=1, max_size=14)


@dataclass(frozen=True)
class Implementation:
    place_holds: Callable[[Sequence[HoldRequest]], list[HoldDecision]]
    settle: Callable[[Sequence[Settlement]], list[int]]


@transaction.atomic
def place_portably(batch):
    now = clock.now()
    return ledger_portable.place_holds(
        batch, owner="web_test", now=now, expires_at=now + datetime.timedelta(minutes=1)
    )


@transaction.atomic
def settle_portably(batch):
    return ledger_portable.settle(batch, now=clock.now())


IMPLEMENTATIONS = {
    "of this database": Implementation(
        lambda batch: ledger.place_holds(batch, owner="web_test"), ledger.settle
    ),
}
if connection.vendor == "postgresql":  # on SQLite the portable ledger is that of the database
    IMPLEMENTATIONS["portable"] = Implementation(place_portably, settle_portably)


@dataclass
class Model:
    """The books in plain Python: one organisation after another, one member after another."""

    buckets: list[dict[str, int]] = field(
        default_factory=lambda: [dict.fromkeys(KINDS, 0) for _ in range(3)]
    )
    holds: dict[str, tuple[int, int]] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)

    def held(self, organization: int) -> int:
        return sum(amount for owner, amount in self.holds.values() if owner == organization)

    def available(self, organization: int) -> int:
        return sum(self.buckets[organization].values()) - self.held(organization)

    def hold(self, request: str, organization: int, amount: int) -> bool:
        fits = amount <= self.available(organization)
        if fits:
            self.holds[request] = (organization, amount)
        return fits

    def settle(self, request: str, organization: int, cost: int) -> int:
        if not cost or request in self.lines:
            return 0
        left = min(cost, self.available(organization))
        lines = {"revenue": cost, "written_off": left - cost}
        for kind in KINDS:
            part = min(left, self.buckets[organization][kind])
            self.buckets[organization][kind] -= part
            lines[kind] = -part
            left -= part
        self.lines[request] = {kind: amount for kind, amount in lines.items() if amount}
        return cost + lines["written_off"]


@dataclass
class Run:
    """A programme on real books and on the model, compared after every step."""

    implementation: Implementation
    books: list[Books]
    model: Model = field(default_factory=Model)
    requests: list[tuple[str, int]] = field(default_factory=list)

    def step(self, name: str, *arguments: Any) -> None:
        getattr(self, name)(*arguments)
        assert verify(*(books.organization_id for books in self.books)).problems == ()
        for number, books in enumerate(self.books):
            balance = books.balance
            assert {kind: getattr(balance, kind) for kind in KINDS} == self.model.buckets[number]
            assert balance.held == self.model.held(number)

    def compare_lines(self) -> None:
        for request, _ in self.requests:
            assert lines_of(request) == self.model.lines.get(request, {})

    def grant(self, number: int, kind: str, amount: int) -> None:
        assert self.books[number].grant(AccountKind(kind), amount)
        self.model.buckets[number][kind] += amount

    def hold(self, members: list[tuple[int, int]]) -> None:
        batch = [self.books[number].wants(amount) for number, amount in members]
        decisions = self.implementation.place_holds(batch)
        expected = [
            self.model.hold(wanted.request_id, number, amount)
            for wanted, (number, amount) in zip(batch, members, strict=True)
        ]
        assert [decision.placed for decision in decisions] == expected
        assert [d.available for d in decisions] == [self.model.available(n) for n, _ in members]
        self.requests += [
            (wanted.request_id, number) for wanted, (number, _) in zip(batch, members, strict=True)
        ]

    def settle(self, members: list[tuple[int, int]]) -> None:
        """Of requests that were held, refused, swept or settled already."""
        if not self.requests:
            return
        chosen = [(*self.requests[n % len(self.requests)], cost) for n, cost in members]
        charged = self.implementation.settle(
            [self.books[number].costs(cost, request_id=r) for r, number, cost in chosen]
        )
        for request, *_ in chosen:
            self.model.holds.pop(request, None)
        assert charged == [self.model.settle(*member) for member in chosen]

    def extend(self, number: int, amount: int) -> None:
        """Of requests that are under way, or not any more."""
        if not self.requests:
            return
        request, organization = self.requests[number % len(self.requests)]
        held = self.model.holds.get(request)
        fits = held is not None and amount <= self.model.available(organization)
        extended = ledger.extend_hold(
            request, self.books[organization].organization_id, amount=amount
        )
        assert (extended is Extension.PLACED) == fits
        if fits and held is not None:
            self.model.holds[request] = (organization, held[1] + amount)

    def sweep(self, numbers: list[int]) -> None:
        dead = {self.requests[n % len(self.requests)][0] for n in numbers if self.requests}
        self.books[0].expire(*dead)
        released = {hold.pk for hold in ledger.release_expired()}
        assert released == dead & self.model.holds.keys()
        for request in released:
            del self.model.holds[request]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes of database
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(programme=PROGRAMMES)
def test_books_equal_the_model_when_any_programme_runs(db, name, programme):
    with transaction.atomic():
        run = Run(IMPLEMENTATIONS[name], [open_books() for _ in range(3)])
        for step in programme:
            run.step(*step)
        run.compare_lines()
        transaction.set_rollback(True)  # the holds of one programme must not grow old in the next
