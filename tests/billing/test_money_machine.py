"""Any interleaving of all that changes a balance, with crashes and repetitions, leaves what a few lines of Python say.

Each step is what a process would do: it succeeds, dies before its commit (rolled back after its statements), dies and is
repeated, or is done and repeated by somebody who has not heard of it.
"""

import datetime
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Count, Sum
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.billing.models import AccountKind, EntryKind, EntryLine, JournalEntry, Order, OrderKind
from apps.billing.services import ledger, orders, reversals
from apps.billing.services.orders import Paid, Wanted
from apps.billing.services.values import Extension, Posting, Settlement
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.ids import new_id
from tests.billing.books import open_books
from tests.billing.money_model import CENT, Lot, Model, Payment, Reversal

CUSTOMER = "cus_test"
ORGANIZATIONS = st.integers(0, 1)
AMOUNTS = st.builds(
    lambda cents, odd: cents * CENT + odd, st.integers(1, 40), st.sampled_from([-1, 0, 0, 1])
)
COSTS = st.one_of(st.just(0), AMOUNTS)
NUMBERS = st.integers(0, 30)
"""Of requests, from the last one back, and of payments: as many as there are."""
FATES = st.sampled_from(["done", "done", "crashed", "crashed and repeated", "done and repeated"])


class Crash(Exception):
    """The process dies before its transaction is committed."""


class Money(RuleBasedStateMachine):
    """Two organisations, their real books, and the model of each."""

    def __init__(self) -> None:
        super().__init__()
        # What one programme leaves must not expire in the next.
        self.programme = transaction.atomic()
        self.programme.__enter__()

    @initialize()
    def begin(self) -> None:
        self.books = [open_books() for _ in range(2)]
        self.models = [Model() for _ in self.books]
        self.began = clock.now()
        self.hour = 0

    def perform(self, fate: str, work: Callable[[], Any]) -> Any:
        """What the work has said; None when it was lost with its process."""
        if fate.startswith("crashed"):
            before = self.facts()
            try:
                with transaction.atomic():
                    work()
                    raise Crash
            except Crash:
                assert self.facts() == before
            if fate == "crashed":
                return None
        said = work()
        if fate == "done and repeated":
            before = self.facts()
            work()
            assert self.facts() == before
        return said

    def facts(self) -> list[Any]:
        """Of each organisation: buckets, holds, Σ of the lines by account, entries by kind."""
        found = []
        for books in self.books:
            lines = EntryLine.objects.filter(entry__organization_id=books.organization_id)
            entries = JournalEntry.objects.filter(organization_id=books.organization_id)
            found.append(
                (
                    books.buckets,
                    books.balance.held,
                    books.holds(),
                    dict(lines.values_list("account__kind").annotate(Sum("amount"))),
                    dict(entries.order_by().values_list("kind").annotate(Count("pk"))),
                )
            )
        return found

    @rule(n=ORGANIZATIONS, tens=st.integers(1, 4), bonus=st.sampled_from([0, 7, CENT]), fate=FATES)
    def top_up(self, n: int, tens: int, bonus: int, fate: str) -> None:
        order = orders.begin(
            self.books[n].organization_id,
            kind=OrderKind.INTENT,
            wanted=Wanted(10 * tens, 10 * tens * CENT, bonus),
            request={},
        )
        paid = Paid(
            f"pi_{order.pk}",
            order.amount_cents,
            order.currency,
            CUSTOMER,
            orders.metadata_of(order),
        )
        if self.perform(fate, lambda: orders.settle(order.pk, paid, customer_id=CUSTOMER)):
            payment = Payment(order.pk, order.amount_cents, order.fee_cents, bonus)
            parts = payment.parts(payment.cents)
            self.models[n].payments.append(payment)
            self.models[n].enter(
                "payment",
                purchased=parts["credit"],
                stripe_clearing=-parts["money"],
                fees=parts["fee"],
                promo_expense=-parts["bonus"],
            )

    @rule(
        n=ORGANIZATIONS,
        bucket=st.sampled_from(["allowance", "promo"]),
        amount=AMOUNTS,
        within=st.sampled_from([None, 1, 5, 9]),
        fate=FATES,
    )
    def grant(self, n: int, bucket: str, amount: int, within: int | None, fate: str) -> None:
        ends = None if within is None else self.hour + within
        posting = Posting(
            reference=new_id("grant"),
            kind=EntryKind.GRANT,
            organization_id=self.books[n].organization_id,
            lines=((AccountKind(bucket), amount), (AccountKind.PROMO_EXPENSE, -amount)),
            expires_at=None if ends is None else self.began + datetime.timedelta(hours=ends),
        )
        if self.perform(fate, lambda: ledger.post(posting)):
            self.models[n].lots.append(Lot(bucket, amount, ends))
            self.models[n].enter("grant", **{bucket: amount}, promo_expense=-amount)

    @rule(members=st.lists(st.tuples(ORGANIZATIONS, AMOUNTS), min_size=1, max_size=4), fate=FATES)
    def hold(self, members: list[tuple[int, int]], fate: str) -> None:
        batch = [self.books[n].wants(amount) for n, amount in members]
        # Who was refused may be placed when asked again, so only those who were placed are repeated.
        decisions = self.perform(
            fate.replace("done and repeated", "done"),
            lambda: ledger.place_holds(batch, owner="web_test"),
        )
        if decisions is None:
            return
        for wanted, (n, amount), decision in zip(batch, members, decisions, strict=True):
            model = self.models[n]
            assert decision.placed == (amount <= model.available)
            model.requests.append(wanted.request_id)
            if decision.placed:
                model.holds[wanted.request_id] = amount
        placed = [w for w, decision in zip(batch, decisions, strict=True) if decision.placed]
        if placed and fate == "done and repeated":
            assert all(again.placed for again in ledger.place_holds(placed, owner="web_test"))

    @rule(n=ORGANIZATIONS, number=NUMBERS, amount=AMOUNTS, fate=FATES)
    def extend(self, n: int, number: int, amount: int, fate: str) -> None:
        """Of a request that is under way, or not any more. It has no reference: a process does it once."""
        model = self.models[n]
        if not model.requests:
            return
        request = model.requests[-1 - number % len(model.requests)]
        fits = request in model.holds and amount <= model.available
        said = self.perform(
            fate.replace("done and repeated", "done"),
            lambda: ledger.extend_hold(request, self.books[n].organization_id, amount=amount),
        )
        if said is not None:
            assert (said is Extension.PLACED) == fits
            if fits:
                model.holds[request] += amount

    @rule(
        members=st.lists(st.tuples(ORGANIZATIONS, NUMBERS, COSTS), min_size=1, max_size=4),
        fate=FATES,
    )
    def settle(self, members: list[tuple[int, int, int]], fate: str) -> None:
        """Of requests that were held, refused, swept or settled already."""
        chosen = [
            (
                self.models[n],
                Settlement(requests[-1 - k % len(requests)], self.books[n].organization_id, cost),
            )
            for n, k, cost in members
            if (requests := self.models[n].requests)
        ]
        if not chosen:
            return
        charged = self.perform(fate, lambda: ledger.settle([member for _, member in chosen]))
        if charged is not None:
            for model, member in chosen:
                model.holds.pop(member.request_id, None)
            assert charged == [model.settle(m.request_id, m.cost) for model, m in chosen]

    @rule(hours=st.integers(0, 6), fate=FATES)
    def wait(self, hours: int, fate: str) -> None:
        now = self.began + datetime.timedelta(hours=self.hour + hours)
        expired = self.perform(fate, lambda: ledger.expire_credit(now))
        if expired is not None:
            self.hour += hours
            for model in self.models:
                model.expire(self.hour)

    @rule(n=ORGANIZATIONS, numbers=st.lists(NUMBERS, max_size=3), fate=FATES)
    def sweep(self, n: int, numbers: list[int], fate: str) -> None:
        """The owners of some holds are gone."""
        model = self.models[n]
        dead = {model.requests[-1 - k % len(model.requests)] for k in numbers if model.requests}
        self.books[n].expire(*dead)
        self.perform(fate.replace("crashed", "crashed and repeated"), ledger.release_expired)
        for request in dead:
            model.holds.pop(request, None)

    @precondition(lambda self: any(model.payments for model in self.models))
    @rule(
        kind=st.sampled_from(["refund", "dispute"]),
        number=NUMBERS,
        cents=st.integers(1, 100),
        fate=FATES,
    )
    def reverse(self, kind: str, number: int, cents: int, fate: str) -> None:
        """Part of a payment, or all of it, goes back: what has been spent of it is written off."""
        model, payment = self.choose([(m, p) for m in self.models for p in m.payments], number)
        cents = min(cents, payment.cents - payment.gone_cents)
        if not cents:
            return
        stripe_id = new_id("re")
        if self.perform(fate, lambda: self.tell(kind, stripe_id, payment, cents, is_over=False)):
            reversal = Reversal(kind, payment, cents, Counter())
            model.take_back(reversal)
            model.reversals[stripe_id] = reversal

    @precondition(lambda self: any(model.reversals for model in self.models))
    @rule(number=NUMBERS, fate=FATES)
    def return_reversal(self, number: int, fate: str) -> None:
        """A refund failed or a dispute was won: said once more of one that has come back already, it changes nothing."""
        model, stripe_id = self.choose([(m, r) for m in self.models for r in m.reversals], number)
        reversal = model.reversals[stripe_id]
        tell = (reversal.kind, stripe_id, reversal.payment, reversal.cents)
        if self.perform(fate, lambda: self.tell(*tell, is_over=True)) and not reversal.is_returned:
            model.give_back(reversal)

    @staticmethod
    def choose(among: list[Any], number: int) -> Any:
        return among[number % len(among)]

    def tell(
        self, kind: str, stripe_id: str, payment: Payment, cents: int, *, is_over: bool
    ) -> bool:
        """What Stripe says of a refund or dispute, applied to its order."""
        order = Order.objects.get(pk=payment.order)
        said = {"id": stripe_id, "amount": cents, "currency": "usd", "reason": ""}
        if kind == "refund":
            reversals.apply_refund(order, {**said, "status": "failed" if is_over else "succeeded"})
        else:
            reversals.apply_dispute(
                order, {**said, "status": "won" if is_over else "needs_response"}
            )
        return True

    @invariant()
    def books_equal_the_model(self) -> None:
        if not hasattr(self, "books"):
            return
        for books, model, facts in zip(self.books, self.models, self.facts(), strict=True):
            buckets, held, holds, accounts, entries = facts
            assert buckets == (model.allowance, model.promo, model.purchased)
            assert min(buckets) >= 0
            assert (held, holds) == (model.held, model.holds)
            assert model.available >= 0
            assert {k: a for k, a in accounts.items() if a} == {
                k: a for k, a in model.accounts.items() if a
            }
            assert entries == dict(model.entries)
            assert verify(books.organization_id).problems == ()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.programme.__exit__(None, None, None)


@pytest.mark.parametrize("_part", range(3))  # no transaction of a test should be open for long
def test_books_equal_the_model_whatever_happens_in_whatever_order(db, _part):
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=4,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking takes minutes of database
            suppress_health_check=list(HealthCheck),
        ),
    )
