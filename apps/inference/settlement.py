"""Books: the hold before a request and the settlement after it, each committed together with those of others.

The settlement runs in a task of its own that the client's disconnect cannot cancel; usage, cost, entry and request
record are one transaction, once per request id. The answer's bytes do not wait for it.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import django.db
import msgspec
import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from apps.billing.services import ledger
from apps.billing.services.ledger_postgresql import settle_statement
from apps.billing.services.values import Extension, HoldDecision, HoldRequest, Settlement
from apps.common import background
from apps.common.db import is_postgresql, run_db
from apps.common.groupcommit import GroupCommit
from apps.common.ids import new_id
from apps.common.postgresql import StatementConnection
from apps.inference import recorder
from apps.inference.certifying import certified

log = structlog.get_logger(__name__)

LINGER_SECONDS = 0.01
"""No client waits for a settlement, so it waits for others: fewer, larger batches, and the next hold finds the balance free."""

RETRY_SECONDS = (0.2, 1.0, 3.0, 10.0)

LEDGER_AWAY = (DatabaseError, psycopg.Error, OSError)
"""What a ledger that cannot be reached raises, through Django or on a connection of our own."""


BAD_MEMBER = (
    django.db.DataError, django.db.IntegrityError, psycopg.DataError, psycopg.IntegrityError,
)  # fmt: skip


class Closing(msgspec.Struct, frozen=True):
    """The end of a request: what the ledger and what the record must know."""

    settlement: Settlement
    row: recorder.Row


class Books:
    """Holds and settlements of one event loop."""

    def __init__(self) -> None:
        self.owner = new_id("web")
        self._in_flight: set[str] = set()
        self._holds: GroupCommit[HoldRequest, HoldDecision] = GroupCommit(
            self._place, alone_after=BAD_MEMBER
        )
        self._closings: GroupCommit[Closing, int] = GroupCommit(
            self._settle, alone_after=BAD_MEMBER
        )
        self._postgresql = is_postgresql()
        self._hold_connection = StatementConnection("holds")
        self._settle_connection = StatementConnection("settlements")
        # SQLite has one writer: one thread for all writes of this process keeps them from waiting for each other.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._statement = settle_statement(also=recorder.INSERT_WITH_SETTLEMENT)

    def hold(self, request: HoldRequest) -> asyncio.Future[HoldDecision]:
        """Set credit aside. The future raises one of LEDGER_AWAY when the ledger cannot be reached.

        Await it through ``asyncio.shield``: whoever ends the request must still learn whether the hold was placed.
        """
        decision = self._holds.submit(request)
        self._in_flight.add(request.request_id)
        decision.add_done_callback(lambda done: self._forget_unplaced(request.request_id, done))
        return decision

    def _forget_unplaced(self, request_id: str, decision: asyncio.Future[HoldDecision]) -> None:
        # After an error nobody knows whether the hold was placed: not renewed, it is given back by the sweep.
        if decision.cancelled() or decision.exception() or not decision.result().placed:
            self._in_flight.discard(request_id)

    async def extend(self, request_id: str, organization_id: int, amount: int) -> Extension:
        """Set nano-USD more aside. Placed while the ledger cannot be reached: the answer goes on, and is settled later."""

        def work() -> Extension:
            return ledger.extend_hold(request_id, organization_id, amount=amount)

        try:
            if self._postgresql:
                return await run_db(work)
            return await asyncio.get_running_loop().run_in_executor(self._writer, work)
        except LEDGER_AWAY as error:
            log.warning("holds.extension_failed", request_id=request_id, error=type(error).__name__)
            return Extension.PLACED

    def close_request(self, closing: Closing) -> asyncio.Future[int]:
        """Settle and record; nano-USD really charged. Tried again while the database is away.

        Goes on whether or not anybody waits for it; then the hold is renewed no longer.
        """
        charged: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        background.keep(charged)
        self._try_to_close(closing, charged, RETRY_SECONDS)
        return charged

    def _try_to_close(
        self, closing: Closing, charged: asyncio.Future[int], pauses: tuple[float, ...]
    ) -> None:
        def tried(attempt: asyncio.Future[int]) -> None:
            error = attempt.exception()
            if isinstance(error, LEDGER_AWAY):
                log.error(
                    "settlement.failed",
                    request_id=closing.settlement.request_id,
                    error=type(error).__name__,
                    cost=closing.settlement.cost,
                )
                if pauses:
                    attempt.get_loop().call_later(
                        pauses[0], self._try_to_close, closing, charged, pauses[1:]
                    )
                    return
            self.forget(closing.settlement.request_id)
            if error is None:
                charged.set_result(attempt.result())
            else:
                charged.set_exception(error)

        self._closings.submit(closing, linger=LINGER_SECONDS).add_done_callback(tried)

    def forget(self, request_id: str) -> None:
        """The request is over: its hold, if it still stands, is renewed no longer."""
        self._in_flight.discard(request_id)

    async def keep_holds(self) -> None:
        """Renew the holds of the requests in flight until cancelled."""
        while True:
            await asyncio.sleep(settings.HOLD_LEASE.total_seconds() / 3)
            if not self._in_flight:
                continue
            try:
                await run_db(ledger.renew, list(self._in_flight))
            except DatabaseError as error:
                log.warning("holds.renewal_failed", error=type(error).__name__)

    async def shut(self) -> None:
        await self._hold_connection.close()
        await self._settle_connection.close()
        if not self._postgresql:
            await asyncio.get_running_loop().run_in_executor(
                self._writer, lambda: connection.close()
            )
        self._writer.shutdown(wait=False)

    async def _place(self, batch: list[HoldRequest]) -> Sequence[HoldDecision]:
        if self._postgresql:
            return await ledger.place_holds_on(self._hold_connection, batch, owner=self.owner)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._writer, lambda: ledger.place_holds(batch, owner=self.owner)
        )

    async def _settle(self, batch: list[Closing]) -> Sequence[int]:
        settlements = [closing.settlement for closing in batch]
        if self._postgresql:
            parameters = ledger.settle_parameters(settlements, more=_rows(batch))
            rows = await self._settle_connection.fetch(self._statement, parameters)
            return [charged for (charged,) in rows]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: settle_and_record(batch))


@transaction.atomic
def settle_and_record(batch: Sequence[Closing]) -> list[int]:
    """The same for synchronous code and for SQLite: one transaction for the whole batch."""
    charged = ledger.settle([closing.settlement for closing in batch])
    recorder.insert(
        [
            (closing.settlement.request_id, amount, row)
            for closing, amount, row in zip(batch, charged, _rows(batch), strict=True)
        ]
    )
    return charged


def _rows(batch: Sequence[Closing]) -> list[recorder.Row]:
    return certified([(closing.settlement.request_id, closing.row) for closing in batch])
