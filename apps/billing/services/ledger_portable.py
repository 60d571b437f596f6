"""The ledger through plain SQL in one transaction: what SQLite runs, and the readable form of what PostgreSQL runs.

Every function here is called inside a transaction that already holds the write lock (SQLite: BEGIN IMMEDIATE).
The statements are few and bare because this is SQLite's hot path: through the ORM a request alone took four times as long.
"""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from apps.billing.models import AccountKind, EntryKind, EntryLine, JournalEntry
from apps.billing.services.values import Extension, HoldDecision, HoldRequest, Settlement

Held = tuple[str, int, int, tuple[int, ...]]
"""Request, organisation, amount, windows."""

SPEND_ORDER = (AccountKind.ALLOWANCE, AccountKind.PROMO, AccountKind.PURCHASED)


@dataclass(slots=True)
class _Balance:
    """An organisation's balance row while a batch changes it."""

    allowance: int
    promo: int
    purchased: int
    held: int
    budget_version: int

    @property
    def available(self) -> int:
        return self.allowance + self.promo + self.purchased - self.held

    def spend(self, cost: int) -> dict[AccountKind, int]:
        """Take ``cost`` from the buckets in spend order, up to what no other hold claims."""
        left = min(cost, self.available)
        parts: dict[AccountKind, int] = {}
        for kind in SPEND_ORDER:
            part = min(left, getattr(self, kind.value))
            if part:
                parts[kind] = part
                setattr(self, kind.value, getattr(self, kind.value) - part)
                left -= part
        return parts


def place_holds(
    batch: Sequence[HoldRequest],
    *,
    owner: str,
    now: datetime.datetime,
    expires_at: datetime.datetime,
) -> list[HoldDecision]:
    """In order of arrival, every member whose amount still fits is served. A hold that exists already stays."""
    balances = _lock_balances(member.organization_id for member in batch)
    windows = read_windows(window for member in batch for window in member.windows)
    served = {request_id for request_id, *_ in _holds(member.request_id for member in batch)}
    placed: list[HoldRequest] = []
    for member in batch:
        balance = balances.get(member.organization_id)
        if (
            balance
            and member.request_id not in served
            and member.budget_version == balance.budget_version
            and member.amount <= balance.available
            and _has_room(windows, member.windows, member.amount)
        ):
            balance.held += member.amount
            for window in member.windows:
                windows[window].held += member.amount
            served.add(member.request_id)
            placed.append(member)
    _write(
        "INSERT INTO billing_hold (request_id, organization_id, amount, owner, api_key_id, member_id, windows, "
        "model, created_at, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                m.request_id,
                m.organization_id,
                m.amount,
                owner,
                m.api_key_id,
                m.member_id,
                orjson.dumps(m.windows).decode() if m.windows else None,
                m.model,
                m.held_at or now,
                expires_at,
            )
            for m in placed
        ],
    )
    _write(
        "UPDATE billing_balance SET held = %s WHERE organization_id = %s",
        [(balances[pk].held, pk) for pk in {member.organization_id for member in placed}],
    )
    write_windows(windows, {window for member in placed for window in member.windows})
    return [
        HoldDecision(
            placed=member.request_id in served,
            available=balances[member.organization_id].available
            if member.organization_id in balances
            else 0,
            is_outdated=member.request_id not in served
            and member.organization_id in balances
            and member.budget_version != balances[member.organization_id].budget_version,
            room=_room(windows, member.windows),
        )
        for member in batch
    ]


def extend_hold(request_id: str, organization_id: int, amount: int) -> Extension:
    """Set more aside for a request that is under way."""
    balance = _lock_balances([organization_id]).get(organization_id)
    # Asked once the balance is locked: a settlement that came first has taken the hold away.
    held = _holds([request_id])
    if balance is None or amount > balance.available or not held:
        return Extension.NO_CREDIT
    windows = read_windows(held[0][3])
    if not _has_room(windows, windows, amount):
        return Extension.NO_BUDGET
    for window in windows.values():
        window.held += amount
    write_windows(windows, windows)
    _write(
        "UPDATE billing_hold SET amount = amount + %s WHERE request_id = %s", [(amount, request_id)]
    )
    _write(
        "UPDATE billing_balance SET held = held + %s WHERE organization_id = %s",
        [(amount, organization_id)],
    )
    return Extension.PLACED


def settle(batch: Sequence[Settlement], *, now: datetime.datetime) -> list[int]:
    """Release the holds, charge the costs; the charged amounts in order. A reference that exists is charged 0 again."""
    balances = _lock_balances(member.organization_id for member in batch)
    released = _release([member.request_id for member in batch], balances)
    known = set(_entry_ids(member.reference for member in batch if member.cost))
    charged: list[int] = []
    fresh: list[tuple[Settlement, dict[AccountKind, int]]] = []
    for member in batch:
        if not member.cost or member.reference in known:
            charged.append(0)
            continue
        known.add(member.reference)
        parts = balances[member.organization_id].spend(member.cost)
        fresh.append((member, parts))
        charged.append(sum(parts.values()))
    _count_in_windows(released, fresh, now=now)
    _post(fresh, now=now)
    _write(
        "UPDATE billing_balance SET allowance = %s, promo = %s, purchased = %s, held = %s "
        "WHERE organization_id = %s",
        [(b.allowance, b.promo, b.purchased, b.held, pk) for pk, b in balances.items()],
    )
    return charged


def _lock_balances(organization_ids: Iterable[int]) -> dict[int, _Balance]:
    """In order of id, so that two batches never wait for each other in a circle."""
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    rows = _rows(
        "SELECT organization_id, allowance, promo, purchased, held, budget_version FROM billing_balance "  # noqa: S608
        "WHERE organization_id IN ({}) ORDER BY organization_id" + lock,
        set(organization_ids),
    )
    return {organization_id: _Balance(*amounts) for organization_id, *amounts in rows}


def _holds(request_ids: Iterable[str]) -> list[Held]:
    rows = _rows(
        "SELECT request_id, organization_id, amount, windows FROM billing_hold WHERE request_id IN ({})",
        set(request_ids),
    )
    return [(*row, tuple(orjson.loads(windows or "[]"))) for *row, windows in rows]


def _release(request_ids: list[str], balances: dict[int, _Balance]) -> list[Held]:
    """Delete the holds of these requests; one of an organisation that is not in the batch is somebody else's."""
    released = [held for held in _holds(request_ids) if held[1] in balances]
    for _, organization_id, amount, _ in released:
        balances[organization_id].held -= amount
    _write("DELETE FROM billing_hold WHERE request_id = %s", [held[:1] for held in released])
    return released


def _entry_ids(references: Iterable[str]) -> dict[str, int]:
    return dict(
        _rows(
            "SELECT reference, id FROM billing_journalentry WHERE reference IN ({})",
            set(references),
        )
    )


def _post(
    fresh: list[tuple[Settlement, dict[AccountKind, int]]], *, now: datetime.datetime
) -> None:
    if not fresh:
        return
    _write(
        "INSERT INTO billing_journalentry (reference, kind, organization_id, price_id, memo, created_at, "
        "api_key_id, member_id, held_at) VALUES (%s, %s, %s, %s, '', %s, %s, %s, %s)",
        [
            (
                m.reference,
                EntryKind.SETTLEMENT.value,
                m.organization_id,
                m.price_id,
                now,
                m.api_key_id,
                m.member_id,
                m.held_at,
            )
            for m, _ in fresh
        ],
    )
    entry_ids = _entry_ids(member.reference for member, _ in fresh)
    accounts = account_ids(member.organization_id for member, _ in fresh)
    lines = []
    for member, parts in fresh:
        entry_id = entry_ids[member.reference]
        amounts = {kind: -part for kind, part in parts.items()}
        amounts[AccountKind.REVENUE] = member.cost
        amounts[AccountKind.WRITTEN_OFF] = sum(parts.values()) - member.cost
        lines += [
            (entry_id, accounts[member.organization_id, kind], amount)
            for kind, amount in amounts.items()
            if amount
        ]
    _write(
        "INSERT INTO billing_entryline (entry_id, account_id, amount) VALUES (%s, %s, %s)", lines
    )


def account_ids(organization_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """(organisation, kind) → account; the house's accounts stand under every organisation asked for."""
    wanted = set(organization_ids)
    rows = _rows(
        "SELECT id, organization_id, kind FROM billing_account "
        "WHERE organization_id IN ({}) OR organization_id IS NULL",
        wanted,
    )
    found: dict[tuple[int, str], int] = {}
    for pk, organization_id, kind in rows:
        for owner in wanted if organization_id is None else (organization_id,):
            found[owner, kind] = pk
    return found


def post_lines(entry: JournalEntry, lines: Sequence[tuple[AccountKind, int]]) -> None:
    accounts = account_ids([entry.organization_id])
    EntryLine.objects.bulk_create(
        EntryLine(entry=entry, account_id=accounts[entry.organization_id, kind], amount=amount)
        for kind, amount in lines
    )


@dataclass(slots=True)
class Window:
    """A budget's window while a batch changes it, under the lock of its organisation's balance."""

    spent: int
    held: int
    limit: int | None
    """None: it only tells."""

    @property
    def room(self) -> int | None:
        return None if self.limit is None else self.limit - self.spent - self.held


def read_windows(ids: Iterable[int]) -> dict[int, Window]:
    rows = _rows(
        "SELECT w.id, w.spent, w.held, CASE WHEN b.is_hard AND b.ended_at IS NULL THEN b.amount END "
        "FROM billing_budgetwindow w JOIN billing_budget b ON b.id = w.budget_id WHERE w.id IN ({})",
        set(ids),
    )
    return {pk: Window(*values) for pk, *values in rows}


def write_windows(windows: dict[int, Window], changed: Iterable[int]) -> None:
    _write(
        "UPDATE billing_budgetwindow SET spent = %s, held = %s WHERE id = %s",
        [(windows[pk].spent, windows[pk].held, pk) for pk in changed],
    )


def _room(windows: dict[int, Window], ids: Iterable[int]) -> int | None:
    rooms = (windows[pk].room for pk in ids if pk in windows)
    return min((room for room in rooms if room is not None), default=None)


def _has_room(windows: dict[int, Window], ids: Iterable[int], amount: int) -> bool:
    room = _room(windows, ids)
    return room is None or amount <= room


def _count_in_windows(
    released: Sequence[Held],
    fresh: Sequence[tuple[Settlement, dict[AccountKind, int]]],
    *,
    now: datetime.datetime,
) -> None:
    """What was on hold goes, what was charged comes. A request that the sweep took for lost counts in those of its time."""
    charged = {member.request_id: (member, sum(parts.values())) for member, parts in fresh}
    changes: list[tuple[Sequence[int], int, int]] = []
    for request_id, _, amount, ids in released:
        _, cost = charged.pop(request_id, (None, 0))
        changes.append((ids, amount, cost))
    for member, cost in charged.values():
        changes.append((_windows_at(member, member.held_at or now), 0, cost))
    windows = read_windows(pk for ids, _, _ in changes for pk in ids)
    for named, amount, cost in changes:
        for pk in named:
            windows[pk].held -= amount
            windows[pk].spent += cost
    write_windows(windows, windows)


def _windows_at(member: Settlement, moment: datetime.datetime) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.id FROM billing_budgetwindow w JOIN billing_budget b ON b.id = w.budget_id "
            "WHERE b.organization_id = %s AND (b.api_key_id IS NULL OR b.api_key_id = %s) "
            "AND (b.member_id IS NULL OR b.member_id = %s) AND w.starts_at <= %s AND w.ends_at > %s",
            [member.organization_id, member.api_key_id, member.member_id, moment, moment],
        )
        return [pk for (pk,) in cursor.fetchall()]


def _rows(statement: str, values: set[Any]) -> list[Any]:
    """The rows of a statement whose ``{}`` is a list of these values; none of them, none of those."""
    if not values:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement.format(", ".join(["%s"] * len(values))), list(values))
        return list(cursor.fetchall())


def _write(statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
