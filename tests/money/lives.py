"""Short lives of a process that handles money, run inside an installation by test_kills.py.

What a process is about to commit it writes to a file first, and what was committed once more, so that it is known after
its death what it had begun and what it knew to be done.
"""

import asyncio
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from django.db.models import Sum

from apps.billing.models import Balance, Hold, JournalEntry, Order, OrderKind
from apps.billing.services import ledger, orders
from apps.billing.services.orders import NANO_PER_CENT, Paid, Wanted
from apps.billing.services.values import HoldRequest
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.ids import new_id
from apps.inference.models import RequestRecord
from apps.inference.settlement import Books as HotBooks
from apps.inference.settlement import settle_and_record
from apps.inference.sweep import sweep
from tests.billing.books import Books, closing_of

CUSTOMER = "cus_test"
LONGEST_LIFE_SECONDS = 0.15
"""From the first thing that it tells."""


class Life:
    """Requests, payments and grants of one organisation at the same time, until the process dies."""

    def __init__(self, organization: int, told: Path, chance: random.Random) -> None:
        self.books = Books(organization)
        self.chance = chance
        self._told = os.open(told, os.O_WRONLY | os.O_APPEND)

    def tell(self, state: str, kind: str, reference: str, amount: int) -> None:
        """In one write, that a kill does not cut. ``amount`` is what changes in the balance, in nano-USD."""
        os.write(self._told, f"{state} {kind} {reference} {amount}\n".encode())

    async def live(self) -> None:
        hot = HotBooks()
        requests = (self.ask(hot) for _ in range(self.chance.randint(1, 16)))
        await asyncio.gather(*requests, asyncio.to_thread(self.trade))

    async def ask(self, hot: HotBooks) -> None:
        while True:
            request, cost = new_id("gen"), self.chance.randint(1, 1_000)
            wanted = HoldRequest(request, self.books.organization_id, 2 * cost)
            self.tell("begun", "hold", request, 0)
            assert (await hot.hold(wanted)).placed
            self.tell("done", "hold", request, 0)
            await asyncio.sleep(self.chance.uniform(0, 0.005))
            self.tell("begun", "settle", request, -cost)
            assert await hot.close_request(closing_of(self.books, request, cost=cost)) == cost
            self.tell("done", "settle", request, -cost)

    def trade(self) -> None:
        while True:
            amount = self.chance.randint(1, 1_000)
            reference = new_id("grant")
            self.tell("begun", "grant", reference, amount)
            assert grant(self.books.organization_id, reference, amount)
            self.tell("done", "grant", reference, amount)
            order = orders.begin(
                self.books.organization_id,
                kind=OrderKind.INTENT,
                wanted=Wanted(price_cents=amount, credit=amount * NANO_PER_CENT),
                request={},
            )
            self.tell("begun", "payment", order.pk, order.credit)
            pay(order)
            self.tell("done", "payment", order.pk, order.credit)
            time.sleep(self.chance.uniform(0, 0.01))  # SQLite has one writer: the requests' turn


def grant(organization: int, reference: str, amount: int) -> bool:
    return ledger.grant_promo(organization, amount=amount, reference=reference, memo="")


def pay(order: Order) -> None:
    paid = Paid(
        intent_id=f"pi_{order.pk}",
        amount_cents=order.amount_cents,
        currency=order.currency,
        customer_id=CUSTOMER,
        metadata=orders.metadata_of(order),
    )
    assert orders.settle(order.pk, paid, customer_id=CUSTOMER) == "paid"


def live_and_die(organization: int, told: Path, *, seed: int, times: int) -> int:
    """So many processes, one after another, each killed at a random moment of its work; how many were killed.

    This process itself has no connection to the database that they could inherit.
    """
    chance = random.Random(seed)
    for number in range(times):
        length = told.stat().st_size
        process = os.fork()
        if not process:
            try:
                asyncio.run(Life(organization, told, random.Random(f"{seed}:{number}")).live())
            finally:
                os._exit(1)
        while told.stat().st_size == length:
            assert os.waitpid(process, os.WNOHANG) == (0, 0)
            time.sleep(0.001)
        time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status), "it ended by itself"
    return times


def expire_and_sweep() -> int:
    """As if a lease had passed; how many requests were lost."""
    Hold.objects.update(expires_at=clock.now())
    return sweep()


def repeat(organization: int, begun: list[tuple[str, str, int]]) -> None:
    """Everything that was begun, as if nobody knew what became of it."""
    books = Books(organization)
    closings = []
    for kind, reference, amount in begun:
        if kind == "grant":
            grant(organization, reference, amount)
        elif kind == "payment":
            pay(Order.objects.get(pk=reference))
        else:
            closings.append(closing_of(books, reference, cost=-amount))
    for start in range(0, len(closings), 100):
        settle_and_record(closings[start : start + 100])


def read_books(organization: int) -> dict[str, Any]:
    balance = Balance.objects.get(pk=organization)
    entries = JournalEntry.objects.filter(
        organization_id=organization, lines__account__organization_id=organization
    )
    return {
        "moved": list(entries.values_list("reference").annotate(Sum("lines__amount"))),
        "records": list(RequestRecord.objects.values_list("id", "outcome", "charged")),
        "total": balance.total,
        "held": balance.held,
        "holds": Hold.objects.count(),
        "problems": verify().problems,
    }
