"""Any programme of budgets, holds, settlements, sweeps and midnights leaves every window as a few lines of plain Python say.

Runs through the ledger of the database at hand and through the portable one, as the books themselves do.
"""

import datetime
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.accounts.models import Organization
from apps.billing.models import Budget, BudgetWindow, Hold, Period
from apps.billing.services import ledger
from apps.billing.services.known_budgets import Spender, terms_now
from apps.billing.services.periods import period_at
from apps.billing.services.values import Extension, HoldRequest, Settlement
from apps.billing.services.verification import verify
from apps.common import cache, clock
from tests.billing.books import Books, new_request_id, open_books
from tests.billing.test_ledger_property import IMPLEMENTATIONS, Implementation

KEYS = (1, 2, 3)
MEMBER_OF = {1: 10, 2: 10, 3: None}
SUBJECTS = ((None, None), (1, None), (2, None), (None, 10))
REQUESTS = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(
        st.just("budget"),
        st.integers(0, 1),
        st.sampled_from(SUBJECTS),
        st.sampled_from(list(Period)),
        st.integers(1, 400),
        st.booleans(),
    ),
    st.tuples(st.just("change"), st.integers(0, 9), st.integers(1, 400), st.booleans()),
    st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(
        st.just("hold"),
        st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from(KEYS), st.integers(0, 250)),
            min_size=1,
            max_size=8,
        ),
    ),
    st.tuples(
        st.just("settle"),
        st.lists(st.tuples(REQUESTS, st.integers(0, 250)), min_size=1, max_size=8),
    ),
    st.tuples(st.just("sweep"), st.lists(REQUESTS, max_size=3)),
    st.tuples(st.just("extend"), REQUESTS, st.integers(1, 250)),
    st.tuples(st.just("wait"), st.sampled_from((1, 6, 14))),
)
PROGRAMMES = st.lists(STEPS, min_size=4, max_size=16)
ZONE = "America/New_York"
BEGINNING = datetime.datetime(2026, 10, 30, 2, tzinfo=datetime.UTC)
"""The clocks go back two days later, on a Sunday, the first of a month."""


@dataclass
class Request:
    number: int
    key: int
    at: datetime.datetime
    held: int | None = None
    charged: int = 0
    is_settled: bool = False


@dataclass
class Rule:
    """A budget."""

    number: int
    subject: tuple[int | None, int | None]
    period: Period
    amount: int
    is_hard: bool
    is_over: bool = False


@dataclass
class Run:
    implementation: Implementation
    books: list[Books]
    rules: dict[int, Rule] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    moment: datetime.datetime = BEGINNING
    credit: list[int] = field(default_factory=lambda: [900, 900])

    def counts(self, rule: Rule, request: Request) -> bool:
        key, member = rule.subject
        return (
            rule.number == request.number
            and key in (None, request.key)
            and member in (None, MEMBER_OF[request.key])
        )

    def used(self, rule: Rule, moment: datetime.datetime) -> tuple[int, int]:
        """(spent, held) of a rule in its window around the moment."""
        start, end = period_at(rule.period, moment, ZoneInfo(ZONE))
        there = [r for r in self.requests.values() if self.counts(rule, r) and start <= r.at < end]
        return sum(r.charged for r in there), sum(r.held or 0 for r in there)

    def available(self, number: int) -> int:
        mine = [r for r in self.requests.values() if r.number == number]
        return self.credit[number] - sum(r.held or 0 for r in mine)

    def fits(self, request: Request, amount: int) -> Extension:
        if amount > self.available(request.number):
            return Extension.NO_CREDIT
        limits = [r for r in self.rules.values() if r.is_hard and not r.is_over]
        if any(
            amount + sum(self.used(rule, request.at)) > rule.amount
            for rule in limits
            if self.counts(rule, request)
        ):
            return Extension.NO_BUDGET
        return Extension.PLACED

    def compare(self) -> None:
        assert verify(*(books.organization_id for books in self.books)).problems == ()
        for number, books in enumerate(self.books):
            assert books.balance.available == self.available(number)
        for window in BudgetWindow.objects.filter(budget__in=list(self.rules)):
            rule = self.rules[window.budget_id]
            if not rule.is_over:
                assert (window.spent, window.held) == self.used(rule, window.starts_at)

    def budget(self, number, subject, period, amount, is_hard) -> None:
        made = Budget.objects.create(
            organization_id=self.books[number].organization_id,
            api_key_id=subject[0],
            member_id=subject[1],
            period=period,
            amount=amount,
            is_hard=is_hard,
        )
        self.rules[made.pk] = Rule(number, subject, period, amount, is_hard)

    def change(self, at: int, amount: int, is_hard: bool) -> None:
        if self.rules:
            pk = list(self.rules)[at % len(self.rules)]
            Budget.objects.filter(pk=pk).update(amount=amount, is_hard=is_hard)
            self.rules[pk].amount, self.rules[pk].is_hard = amount, is_hard

    def end(self, at: int) -> None:
        if self.rules:
            pk = list(self.rules)[at % len(self.rules)]
            Budget.objects.filter(pk=pk).update(ended_at=clock.now())
            self.rules[pk].is_over = True

    def wait(self, hours: int) -> None:
        self.moment += datetime.timedelta(hours=hours)
        ledger.renew(list(Hold.objects.values_list("pk", flat=True)))

    def hold(self, members: list[tuple[int, int, int]]) -> None:
        now = clock.now()
        batch = []
        for number, key, amount in members:
            organization, member = self.books[number].organization_id, MEMBER_OF[key]
            terms = terms_now(Spender(organization, key, member), now)
            batch.append(
                HoldRequest(
                    new_request_id(),
                    organization,
                    amount,
                    api_key_id=key,
                    member_id=member,
                    held_at=now,
                    budget_version=terms.version,
                    windows=terms.windows,
                )
            )
        decisions = self.implementation.place_holds(batch)
        expected = []
        for wanted, (number, key, amount) in zip(batch, members, strict=True):
            request = self.requests[wanted.request_id] = Request(number, key, now)
            placed = self.fits(request, amount) is Extension.PLACED
            request.held = amount if placed else None
            expected.append(placed)
        assert [decision.placed for decision in decisions] == expected

    def chosen(self, numbers: list[int]) -> list[str]:
        names = list(self.requests)
        return [names[n % len(names)] for n in numbers] if names else []

    def settle(self, members: list[tuple[int, int]]) -> None:
        names = self.chosen([n for n, _ in members])
        costs = [cost for _, cost in members]
        batch = [
            Settlement(
                name,
                self.books[self.requests[name].number].organization_id,
                cost,
                api_key_id=self.requests[name].key,
                member_id=MEMBER_OF[self.requests[name].key],
                held_at=self.requests[name].at,
            )
            for name, cost in zip(names, costs, strict=False)
        ]
        if not batch:
            return
        charged = self.implementation.settle(batch)
        for name in names:
            self.requests[name].held = None
        for name, cost, amount in zip(names, costs, charged, strict=True):
            request = self.requests[name]
            due = 0
            if cost and not request.is_settled:
                request.is_settled = True
                due = request.charged = min(cost, self.available(request.number))
                self.credit[request.number] -= due
            assert amount == due

    def extend(self, at: int, amount: int) -> None:
        for name in self.chosen([at]):
            request = self.requests[name]
            expected = Extension.NO_CREDIT
            if request.held is not None:
                expected = self.fits(request, amount)
            organization = self.books[request.number].organization_id
            found = ledger.extend_hold(name, organization, amount=amount)
            if request.held is None or expected is not Extension.NO_BUDGET:
                assert found is expected
            if found is Extension.PLACED and request.held is not None:
                request.held += amount

    def sweep(self, numbers: list[int]) -> None:
        dead = set(self.chosen(numbers))
        self.books[0].expire(*dead)
        for hold in ledger.release_expired():
            assert hold.pk in dead
            self.requests[hold.pk].held = None


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes of database
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(programme=PROGRAMMES)
def test_windows_equal_the_model_when_any_programme_runs(db, monkeypatch, name, programme):
    cache.reset_all()  # the epoch goes back with the programme before
    with transaction.atomic(), monkeypatch.context() as patch:
        books = [open_books(purchased=900) for _ in range(2)]
        Organization.objects.update(time_zone=ZONE)
        run = Run(IMPLEMENTATIONS[name], books)
        patch.setattr(clock, "now", lambda: run.moment)
        for step, *arguments in programme:
            getattr(run, step)(*arguments)
            run.compare()
        transaction.set_rollback(True)
