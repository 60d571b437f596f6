"""The books of one organisation, as the ledger's tests see them. Amounts are a few nano-dollars, to be read at a glance."""

import asyncio
import itertools
from dataclasses import dataclass

from apps.accounts.models import Organization
from apps.billing.models import AccountKind, Balance, EntryKind, Hold, JournalEntry
from apps.billing.services import ledger
from apps.billing.services.values import HoldRequest, Posting, Settlement
from apps.common import clock
from apps.common.ids import new_id
from apps.inference import recorder
from apps.inference.settlement import Books as HotBooks
from apps.inference.settlement import Closing

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Books:
    organization_id: int

    @property
    def balance(self) -> Balance:
        return Balance.objects.get(pk=self.organization_id)

    @property
    def buckets(self) -> tuple[int, int, int]:
        balance = self.balance
        return balance.allowance, balance.promo, balance.purchased

    def grant(self, kind: AccountKind, amount: int) -> bool:
        """Credit in a bucket, or out of it, against the house."""
        return ledger.post(
            Posting(
                reference=f"test:{new_id('grant')}",
                kind=EntryKind.GRANT,
                organization_id=self.organization_id,
                lines=((kind, amount), (AccountKind.STRIPE_CLEARING, -amount)),
            )
        )

    def wants(self, amount: int, *, request_id: str = "") -> HoldRequest:
        return HoldRequest(request_id or new_request_id(), self.organization_id, amount)

    def costs(self, cost: int, *, request_id: str = "") -> Settlement:
        return Settlement(request_id or new_request_id(), self.organization_id, cost)

    def hold(self, amount: int) -> str:
        """An open hold; its request id."""
        wanted = self.wants(amount)
        (decision,) = ledger.place_holds([wanted], owner="web_test")
        assert decision.placed
        return wanted.request_id

    def holds(self) -> dict[str, int]:
        return dict(
            Hold.objects.filter(organization_id=self.organization_id).values_list("pk", "amount")
        )

    def expire(self, *request_ids: str) -> None:
        """As if the owning process had died a lease ago."""
        Hold.objects.filter(pk__in=request_ids).update(expires_at=clock.now())


def open_books(*, allowance: int = 0, promo: int = 0, purchased: int = 0) -> Books:
    books = Books(Organization.objects.create(name=new_id("test")).pk)
    amounts = (
        (AccountKind.ALLOWANCE, allowance),
        (AccountKind.PROMO, promo),
        (AccountKind.PURCHASED, purchased),
    )
    for kind, amount in amounts:
        if amount:
            books.grant(kind, amount)
    return books


def new_request_id() -> str:
    return f"gen_{next(_numbers)}_{new_id('t')[-12:]}"


def lines_of(request_id: str) -> dict[str, int]:
    """Account kind → amount of a request's entry; empty when it has none."""
    entry = JournalEntry.objects.filter(reference=f"settle:{request_id}").first()
    return dict(entry.lines.values_list("account__kind", "amount")) if entry else {}


def closing_of(books, request_id, *, cost):
    """The end of a request that was answered after all."""
    row = recorder.lost_row(
        organization_id=books.organization_id,
        api_key_id=None,
        model="acme/large",
        created_at=clock.now(),
        latency_ms=90_000,
    )
    attempt = {"provider": "acme", "model": "large", "fault": "", "status": None, "ms": 80_000}
    answered = {
        "outcome": "completed",
        "status": 200,
        "model": "acme/large",
        "provider": "acme",
        "price_id": 7,
        "usage_source": "provider",
        "streamed": True,
        "output_tokens": 12,
        "first_token_ms": 250,
        "cost": cost,
        "attempts": [attempt],
        "app_title": "it's 100 % \N{SNOWMAN}",
    }
    settlement = Settlement(request_id, books.organization_id, cost, price_id=7)
    return Closing(settlement, {**row, **answered})


def settle_through_books(*closings):
    """As the hot path does; what each was charged."""

    async def run():
        books = HotBooks()
        try:
            return await asyncio.gather(*map(books.close_request, closings))
        finally:
            await books.shut()

    return asyncio.run(run())
