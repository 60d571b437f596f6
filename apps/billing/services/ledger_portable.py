"""The ledger through plain SQL in one transaction: what SQLite runs, and the readable form of what PostgreSQL runs.

Every function here is called inside a transaction that already holds the write lock (SQLite: BEGIN IMMEDIATE).
"""

import datetime
from collections.abc import Sequence
from typing import Any

from django.db import connection

from apps.billing.models import (
    Account,
    AccountKind,
    Balance,
    EntryKind,
    EntryLine,
    Hold,
    JournalEntry,
)
from apps.billing.services.values import HoldDecision, HoldRequest, Settlement

SPEND_ORDER = (AccountKind.ALLOWANCE, AccountKind.PROMO, AccountKind.PURCHASED)


def place_holds(
    batch: Sequence[HoldRequest],
    *,
    owner: str,
    now: datetime.datetime,
    expires_at: datetime.datetime,
) -> list[HoldDecision]:
    """In order of arrival, every member whose amount still fits is served."""
    balances = _balances(member.organization_id for member in batch)
    available = {pk: balance.available for pk, balance in balances.items()}
    placed: list[HoldRequest] = []
    for member in batch:
        if (
            member.organization_id in available
            and member.amount <= available[member.organization_id]
        ):
            available[member.organization_id] -= member.amount
            placed.append(member)
    served = {member.request_id for member in placed}
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO billing_hold (request_id, organization_id, amount, owner, api_key_id, model, created_at, "
            "expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    m.request_id,
                    m.organization_id,
                    m.amount,
                    owner,
                    m.api_key_id,
                    m.model,
                    now,
                    expires_at,
                )
                for m in placed
            ],
        )
        cursor.executemany(
            "UPDATE billing_balance SET held = held + %s WHERE organization_id = %s",
            [(m.amount, m.organization_id) for m in placed],
        )
    return [
        HoldDecision(
            placed=member.request_id in served, available=available.get(member.organization_id, 0)
        )
        for member in batch
    ]


def settle(batch: Sequence[Settlement], *, now: datetime.datetime) -> list[int]:
    """Release the holds, charge the costs; the charged amounts in order. A reference that exists is charged 0 again."""
    balances = _balances(member.organization_id for member in batch)
    _release([member.request_id for member in batch], balances)
    known = set(
        JournalEntry.objects.filter(
            reference__in=[member.reference for member in batch if member.cost]
        ).values_list("reference", flat=True)
    )
    charged: list[int] = []
    fresh: list[tuple[Settlement, dict[AccountKind, int]]] = []
    for member in batch:
        if not member.cost or member.reference in known:
            charged.append(0)
            continue
        known.add(member.reference)
        parts = _spend(balances[member.organization_id], member.cost)
        fresh.append((member, parts))
        charged.append(sum(parts.values()))
    _post(fresh, now=now)
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE billing_balance SET allowance = %s, promo = %s, purchased = %s, held = %s "
            "WHERE organization_id = %s",
            [(b.allowance, b.promo, b.purchased, b.held, b.pk) for b in balances.values()],
        )
    return charged


def _balances(organization_ids: Any) -> dict[int, Balance]:
    wanted = sorted(set(organization_ids))
    found = Balance.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    return {balance.pk: balance for balance in found}


def _release(request_ids: list[str], balances: dict[int, Balance]) -> None:
    holds = Hold.objects.filter(pk__in=request_ids)
    for organization_id, amount in holds.values_list("organization_id", "amount"):
        balances[organization_id].held -= amount
    holds.delete()


def _spend(balance: Balance, cost: int) -> dict[AccountKind, int]:
    """Take ``cost`` from the buckets in spend order, up to what no other hold claims; changes ``balance``."""
    left = min(cost, balance.available)
    parts: dict[AccountKind, int] = {}
    for kind in SPEND_ORDER:
        part = min(left, getattr(balance, kind))
        if part:
            parts[kind] = part
            setattr(balance, kind, getattr(balance, kind) - part)
            left -= part
    return parts


def _post(
    fresh: list[tuple[Settlement, dict[AccountKind, int]]], *, now: datetime.datetime
) -> None:
    if not fresh:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO billing_journalentry (reference, kind, organization_id, price_id, memo, created_at) "
            "VALUES (%s, %s, %s, %s, '', %s)",
            [
                (m.reference, EntryKind.SETTLEMENT, m.organization_id, m.price_id, now)
                for m, _ in fresh
            ],
        )
    entry_ids = dict(
        JournalEntry.objects.filter(reference__in=[m.reference for m, _ in fresh]).values_list(
            "reference", "pk"
        )
    )
    accounts = account_ids(m.organization_id for m, _ in fresh)
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
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO billing_entryline (entry_id, account_id, amount) VALUES (%s, %s, %s)",
            lines,
        )


def account_ids(organization_ids: Any) -> dict[tuple[int, str], int]:
    """(organisation, kind) → account; the house's accounts stand under every organisation asked for."""
    wanted = set(organization_ids)
    found: dict[tuple[int, str], int] = {}
    rows = Account.objects.filter(organization_id__in=wanted) | Account.objects.filter(
        organization=None
    )
    for pk, organization_id, kind in rows.values_list("pk", "organization_id", "kind"):
        for owner in [organization_id] if organization_id else wanted:
            found[owner, kind] = pk
    return found


def post_lines(entry: JournalEntry, lines: Sequence[tuple[AccountKind, int]]) -> None:
    accounts = account_ids([entry.organization_id])
    EntryLine.objects.bulk_create(
        EntryLine(entry=entry, account_id=accounts[entry.organization_id, kind], amount=amount)
        for kind, amount in lines
    )
