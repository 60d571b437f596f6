"""The ledger: the only writer of balances, entries, lines and holds.

    post      an entry by hand (grant, adjustment), once per reference
    hold      set credit aside before a provider is called: available = balance - open holds, never below zero
    extend    set more aside for an answer that is longer than expected
    settle    charge the cost and release the hold: one entry per request, exactly once
    renew / release_expired    keep the holds of living requests, give back those of dead processes

``hold`` and ``settle`` take a batch: one element from a view or a task, many from the hot path's group commit. On
PostgreSQL a batch is one statement, elsewhere one transaction; both are in the two modules beside this one.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from django.conf import settings
from django.db import connection, transaction
from msgspec.structs import replace

from apps.billing.models import AccountKind, Balance, CreditLot, EntryKind, Hold, JournalEntry
from apps.billing.selectors import EXPIRING, open_lots
from apps.billing.services import ledger_budgets, ledger_portable, lots
from apps.billing.services.ledger_postgresql import (
    PLACE_HOLDS,
    PLACE_HOLDS_IN_BUDGETS,
    settle_statement,
)
from apps.billing.services.values import Extension, HoldDecision, HoldRequest, Posting, Settlement
from apps.common import clock
from apps.common.db import is_postgresql
from apps.common.money import format_usd
from apps.common.postgresql import StatementConnection


class Unbalanced(ValueError):
    """The lines of a posting do not sum to zero."""


class BalanceTooLow(ValueError):
    """A posting would take more from a bucket than the organisation has there, or more than its holds leave."""


@transaction.atomic
def post(posting: Posting) -> bool:
    """Write an entry by hand and change the balance with it. False when the reference was already written."""
    if sum(amount for _, amount in posting.lines) != 0:
        raise Unbalanced(posting.reference)
    balance = Balance.objects.select_for_update().get(pk=posting.organization_id)
    if JournalEntry.objects.filter(reference=posting.reference).exists():
        return False
    lots.book_spending(balance)
    for kind, amount in posting.lines:
        if kind in ledger_portable.SPEND_ORDER:
            setattr(balance, kind, getattr(balance, kind) + amount)
            if getattr(balance, kind) < 0:
                raise BalanceTooLow(f"{posting.reference}: {kind} would fall below zero")
    if balance.available < 0:
        raise BalanceTooLow(f"{posting.reference}: {format_usd(balance.held)} is on hold")
    entry = JournalEntry.objects.create(
        reference=posting.reference,
        kind=posting.kind,
        organization_id=posting.organization_id,
        price_id=posting.price_id,
        memo=posting.memo,
        created_at=clock.now(),
    )
    ledger_portable.post_lines(entry, posting.lines)
    for kind, amount in posting.lines:
        if kind in EXPIRING and amount > 0:
            lots.add(
                balance,
                kind,
                amount,
                reference=posting.reference,
                expires_at=posting.expires_at,
                now=entry.created_at,
            )
    lots.book_spending(balance)
    balance.save()
    return True


def expire_credit(now: datetime.datetime) -> int:
    """Take back the allowance and promo credit whose time is over; nano-USD.

    What requests under way have on hold is left to them, and taken the next time.
    """
    late = CreditLot.objects.filter(remaining__gt=0, expires_at__lte=now).order_by()
    organizations = late.values_list("organization_id", flat=True).distinct()
    return sum(_expire_credit_of(organization, now) for organization in list(organizations))


@transaction.atomic
def _expire_credit_of(organization_id: int, now: datetime.datetime) -> int:
    balance = Balance.objects.select_for_update().get(pk=organization_id)
    lots.book_spending(balance)
    expired = 0
    for kind in EXPIRING:
        late = list(open_lots(organization_id, kind).filter(expires_at__lte=now))
        for lot in late:
            amount = min(lot.remaining, balance.available - expired)
            if amount > 0:
                post(
                    Posting(
                        # What remains only falls, so no two expiries of a lot have the same reference.
                        reference=f"expiry:{lot.pk}:{lot.remaining}",
                        kind=EntryKind.EXPIRY,
                        organization_id=organization_id,
                        lines=((kind, -amount), (AccountKind.PROMO_EXPENSE, amount)),
                        memo=f"Not used by {lot.expires_at:%Y-%m-%d %H:%M} UTC",
                    )
                )
                expired += amount
    return expired


@transaction.atomic
def move_expiry(organization_id: int, *, reference: str, expires_at: datetime.datetime) -> None:
    """Credit that came with this entry expires at another moment; when that has passed, it is taken back now."""
    balance = Balance.objects.select_for_update().get(pk=organization_id)
    lots.book_spending(balance)
    CreditLot.objects.filter(organization_id=organization_id, reference=reference).update(
        expires_at=expires_at
    )
    now = clock.now()
    if expires_at <= now:
        _expire_credit_of(organization_id, now)


def grant_promo(
    organization_id: int,
    *,
    amount: int,
    reference: str,
    memo: str,
    expires_at: datetime.datetime | None = None,
) -> bool:
    """Give credit away: promo credit against promo expense. False when the reference was already written."""
    return post(
        Posting(
            reference=reference,
            kind=EntryKind.GRANT,
            organization_id=organization_id,
            lines=((AccountKind.PROMO, amount), (AccountKind.PROMO_EXPENSE, -amount)),
            memo=memo,
            expires_at=expires_at,
        )
    )


def place_holds(batch: Sequence[HoldRequest], *, owner: str) -> list[HoldDecision]:
    """Whether each member's amount could be set aside, in order of arrival. The whole batch is one transaction."""
    if is_postgresql():
        return _place_holds_by_statement(batch, owner=owner)
    with transaction.atomic(savepoint=False):
        now = clock.now()
        return ledger_portable.place_holds(
            batch, owner=owner, now=now, expires_at=now + settings.HOLD_LEASE
        )


def _place_holds_by_statement(batch: Sequence[HoldRequest], *, owner: str) -> list[HoldDecision]:
    decisions = _read_decisions(_fetch(_placing(batch), _hold_parameters(batch, owner=owner)))
    while again := _undecided(batch, decisions):
        members = [batch[index] for index in again]
        rows = _fetch(_placing(members), _hold_parameters(members, owner=owner))
        if not _take_over(decisions, again, _read_decisions(rows), batch):
            break
    return decisions


async def place_holds_on(
    database: StatementConnection, batch: Sequence[HoldRequest], *, owner: str
) -> list[HoldDecision]:
    """``place_holds`` on an event loop's own PostgreSQL connection."""
    rows = await database.fetch(_placing(batch), _hold_parameters(batch, owner=owner))
    decisions = _read_decisions(rows)
    while again := _undecided(batch, decisions):
        members = [batch[index] for index in again]
        rows = await database.fetch(_placing(members), _hold_parameters(members, owner=owner))
        if not _take_over(decisions, again, _read_decisions(rows), batch):
            break
    return decisions


def extend_hold(request_id: str, organization_id: int, *, amount: int) -> Extension:
    """Set ``amount`` more aside for a request that is under way."""
    with transaction.atomic():
        return ledger_portable.extend_hold(request_id, organization_id, amount)


def settle(batch: Sequence[Settlement]) -> list[int]:
    """Charge and release; what each member was really charged, in order. Part of the caller's transaction, if any."""
    if is_postgresql():
        rows = _fetch(settle_statement(), settle_parameters(batch))
        return [charged for (charged,) in rows]
    with transaction.atomic(savepoint=False):
        return ledger_portable.settle(batch, now=clock.now())


def settle_parameters(
    batch: Sequence[Settlement], *, more: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Parameters of ``settle_statement``. ``more`` adds columns, member by member, for its further CTE."""
    members = [
        {
            "n": n,
            "request_id": member.request_id,
            "organization_id": member.organization_id,
            "cost": member.cost,
            "price_id": member.price_id,
            "api_key_id": member.api_key_id,
            "member_id": member.member_id,
            "held_at": member.held_at,
            **(more[n] if more else {}),
        }
        for n, member in enumerate(batch)
    ]
    return {"batch": orjson.dumps(members).decode(), "now": clock.now()}


def renew(request_ids: Sequence[str]) -> None:
    """The process that serves these requests lives: their holds stay for another lease."""
    # A hold that is being settled right now needs no renewal, and waiting for it could be a deadlock.
    with transaction.atomic():
        mine = Hold.objects.select_for_update(skip_locked=True).filter(pk__in=request_ids)
        found = list(mine.values_list("pk", flat=True))
        Hold.objects.filter(pk__in=found).update(expires_at=clock.now() + settings.HOLD_LEASE)


def release_expired() -> list[Hold]:
    """Release the holds that nobody renewed, and tell which: their requests are lost and cost nothing."""
    with transaction.atomic():
        # Balances first, as everywhere, so that a settlement at the same moment cannot deadlock with the sweep.
        expired = Hold.objects.filter(expires_at__lt=clock.now())
        organizations = sorted(set(expired.values_list("organization_id", flat=True)))
        if not organizations:
            return []
        balances = (
            Balance.objects.select_for_update()
            .filter(pk__in=organizations)
            .order_by("pk")
            .in_bulk()
        )
        released = list(expired.filter(organization_id__in=organizations))
        for hold in released:
            balances[hold.organization_id].held -= hold.amount
        Hold.objects.filter(pk__in=[hold.pk for hold in released]).delete()
        ledger_budgets.give_back(released)
        for balance in balances.values():
            balance.save(update_fields=["held"])
        return released


def _fetch(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _placing(batch: Sequence[HoldRequest]) -> str:
    return PLACE_HOLDS_IN_BUDGETS if any(member.windows for member in batch) else PLACE_HOLDS


def _hold_parameters(batch: Sequence[HoldRequest], *, owner: str) -> dict[str, Any]:
    now = clock.now()
    return {
        "batch": msgspec.json.encode(batch).decode(),
        "owner": owner,
        "now": now,
        "expires_at": now + settings.HOLD_LEASE,
    }


def _read_decisions(rows: Sequence[tuple[Any, ...]]) -> list[HoldDecision]:
    return [HoldDecision(*row) for row in rows]


def _undecided(batch: Sequence[HoldRequest], decisions: Sequence[HoldDecision]) -> list[int]:
    """Members behind one too large for the credit or the budget left, who would still fit themselves.

    The statement serves the longest run of members that fits. Each further round serves at least its first member.
    """
    return [
        index
        for index, (member, decision) in enumerate(zip(batch, decisions, strict=True))
        if not decision.placed and not decision.is_outdated and decision.fits(member.amount)
    ]


def _take_over(
    decisions: list[HoldDecision],
    indices: Sequence[int],
    again: Sequence[HoldDecision],
    batch: Sequence[HoldRequest],
) -> bool:
    """Write the decisions of a further round over the old ones; whether it has placed any hold."""
    left = {
        batch[index].organization_id: new.available
        for index, new in zip(indices, again, strict=True)
    }
    for index, member in enumerate(batch):
        if member.organization_id in left:
            decisions[index] = replace(decisions[index], available=left[member.organization_id])
    for index, new in zip(indices, again, strict=True):
        decisions[index] = new
    return any(new.placed for new in again)
