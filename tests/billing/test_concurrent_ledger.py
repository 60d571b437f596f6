"""Many threads on the same books: nothing is lost, nothing is spent twice, nobody waits in a circle."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, transaction

from apps.billing.services import ledger
from apps.billing.services.verification import verify
from tests.billing.books import lines_of, open_books

THREADS = 8
ROUNDS = 50


def run_in_threads(work):
    """``work(number)`` in each of the threads, all starting together; their results in order."""
    start = threading.Barrier(THREADS)

    def run(number):
        start.wait()
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


@pytest.fixture
def sweeping(committed):
    """Renewals and sweeps meanwhile: they touch the same rows in an order of their own."""
    stop = threading.Event()
    errors: list[Exception] = []
    alive: list[str] = []

    def sweep():
        try:
            while not stop.wait(0.005):
                ledger.renew(alive)
                ledger.release_expired()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=sweep)
    thread.start()
    yield alive
    stop.set()
    thread.join(timeout=30)
    assert errors == []


def test_balance_is_exact_when_many_threads_settle_on_one_organisation(sweeping):
    books = open_books(promo=100_000, purchased=900_000)

    def work(number):
        charged = 0
        for _ in range(ROUNDS):
            request = books.hold(1_000)
            sweeping.append(request)
            charged += sum(ledger.settle([books.costs(number + 1, request_id=request)]))
        return charged

    charged = run_in_threads(work)

    assert charged == [(number + 1) * ROUNDS for number in range(THREADS)]
    assert books.balance.total == 1_000_000 - sum(charged)
    assert books.holds() == {}
    assert verify().problems == ()


def test_balances_are_exact_when_batches_name_organisations_in_any_order(sweeping):
    all_books = [open_books(purchased=100_000) for _ in range(5)]

    def work(number):
        order = random.Random(number)
        for _ in range(ROUNDS):
            batch = [books.wants(100) for books in order.sample(all_books, len(all_books))]
            assert all(d.placed for d in ledger.place_holds(batch, owner="web_test"))
            sweeping.extend(wanted.request_id for wanted in batch)
            by_id = {books.organization_id: books for books in all_books}
            order.shuffle(batch)
            ledger.settle(
                [by_id[w.organization_id].costs(7, request_id=w.request_id) for w in batch]
            )

    run_in_threads(work)

    assert [books.balance.total for books in all_books] == [100_000 - 7 * THREADS * ROUNDS] * 5
    assert [books.balance.held for books in all_books] == [0] * 5
    assert verify().problems == ()


def test_only_what_is_covered_is_held_when_threads_race_for_the_rest(committed):
    books = open_books(purchased=100)

    def work(_number):
        batches = ([books.wants(1) for _ in range(3)] for _ in range(ROUNDS))
        return sum(d.placed for b in batches for d in ledger.place_holds(b, owner="web_test"))

    assert sum(run_in_threads(work)) == 100
    held = books.holds()
    assert sum(held.values()) == books.balance.held == 100
    ledger.settle([books.costs(0, request_id=request) for request in held])


def test_request_is_charged_once_when_threads_settle_it_together(committed):
    books = open_books(purchased=100_000)
    requests = [books.hold(10) for _ in range(ROUNDS)]

    def work(_number):
        return sum(ledger.settle([books.costs(10, request_id=r)])[0] for r in requests)

    charged = run_in_threads(work)

    assert sum(charged) == 10 * ROUNDS
    assert books.balance.total == 100_000 - 10 * ROUNDS
    assert all(lines_of(request) == {"purchased": -10, "revenue": 10} for request in requests)
    assert verify().problems == ()


if not settings.EMBEDDED:  # SQLite has one writer: there everybody waits

    def test_renewal_waits_for_nobody_when_a_hold_is_being_settled(committed):
        books = open_books(purchased=1_000)
        settled, other = books.hold(100), books.hold(100)
        books.expire(settled, other)

        def renew():
            try:
                ledger.renew([settled, other])
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as thread, transaction.atomic():
            ledger.settle([books.costs(10, request_id=settled)])
            thread.submit(renew).result(timeout=5)

        assert ledger.release_expired() == []
        assert books.holds() == {other: 100}
        ledger.settle([books.costs(0, request_id=other)])


def test_grant_is_written_once_when_threads_give_it_together(committed):
    books = open_books()

    def work(_number):
        return ledger.grant_promo(
            books.organization_id, amount=5, reference=f"test:once:{books.organization_id}", memo=""
        )

    assert sorted(run_in_threads(work)) == [False] * (THREADS - 1) + [True]
    assert books.buckets == (0, 5, 0)


def test_nobody_is_refused_by_a_constraint_when_batches_fight_for_little_credit(committed):
    """PostgreSQL checks constraints on what an UPDATE makes of the row that its snapshot knows, which may be an old one."""
    books = open_books(promo=1_000)

    def hold_and_release(number):
        served = 0
        for turn in range(ROUNDS):
            batch = [books.wants(100) for _ in range(1 + (number + turn) % 12)]
            decisions = ledger.place_holds(batch, owner="test")
            placed = [hold for hold, found in zip(batch, decisions, strict=True) if found.placed]
            assert len(placed) <= 10
            ledger.settle([books.costs(0, request_id=hold.request_id) for hold in placed])
            served += len(placed)
        return served

    assert sum(run_in_threads(hold_and_release)) > 0
    assert books.balance.held == 0
    assert verify().problems == ()
