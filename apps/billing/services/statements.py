"""Statements: an organisation's journal as its owner reads it. Only its own buckets; the house's side is the mirror image.

All amounts are nano-USD, positive for credit that came, negative for credit that went.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import BigIntegerField, Count, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from apps.billing.models import Balance, EntryKind, EntryLine, JournalEntry
from apps.billing.services.ledger_portable import SPEND_ORDER

BUCKETS = tuple(kind.value for kind in SPEND_ORDER)
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry of the journal."""

    id: int
    reference: str
    kind: str
    memo: str
    created_at: datetime.datetime
    buckets: dict[str, int]
    """Of the organisation's buckets, those that it changed."""
    balance_after: int | None
    """Of all buckets together, when every entry up to this one counts. None among entries of one kind."""

    @property
    def amount(self) -> int:
        return sum(self.buckets.values())


@dataclass(frozen=True, slots=True)
class Statement:
    """One day, UTC. ``opening + Σ changes = closing``."""

    day: datetime.date
    opening: int
    closing: int
    changes: dict[str, int]
    """By kind of entry."""
    entries: dict[str, int] = field(default_factory=dict)
    """How many there are, by kind."""


def read_page(
    organization_id: int,
    *,
    before: int | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    kind: EntryKind | None,
    limit: int,
) -> tuple[list[Transaction], bool]:
    """The newest first, and whether there are more. ``before`` is the id of the last one seen; ``until`` is not included."""
    found = _entries(organization_id, since=since, until=until, kind=kind)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: limit + 1])
    page = rows[:limit]
    after = _balances_after(organization_id, page) if kind is None else {}
    return _transactions(organization_id, page, after), len(rows) > limit


def read_pages(
    organization_id: int,
    *,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    kind: EntryKind | None,
) -> Iterator[list[Transaction]]:
    """All of them, the newest first, a thousand at a time."""
    before: int | None = None
    while True:
        page, more = read_page(
            organization_id, before=before, since=since, until=until, kind=kind, limit=CHUNK
        )
        if page:
            yield page
        if not more:
            return
        before = page[-1].id


def read_day(organization_id: int, day: datetime.date) -> Statement:
    """Raises Balance.DoesNotExist for an organisation that does not exist."""
    start = datetime.datetime.combine(day, datetime.time(), tzinfo=datetime.UTC)
    end = start + datetime.timedelta(days=1)
    lines = _lines(organization_id)
    closing = _balance_without(organization_id, lines.filter(entry__created_at__gte=end))
    kinds = list(
        lines.filter(entry__created_at__gte=start, entry__created_at__lt=end)
        .values_list("entry__kind")
        .annotate(total=Sum("amount"), number=Count("entry", distinct=True))
        .order_by("entry__kind")
    )
    changes = {kind: total for kind, total, _ in kinds}
    return Statement(
        day=day,
        opening=closing - sum(changes.values()),
        closing=closing,
        changes=changes,
        entries={kind: number for kind, _, number in kinds},
    )


def _entries(
    organization_id: int,
    *,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    kind: EntryKind | None,
) -> QuerySet[JournalEntry]:
    found = JournalEntry.objects.filter(organization_id=organization_id).order_by("-pk")
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    return found if kind is None else found.filter(kind=kind)


def _lines(organization_id: int) -> QuerySet[EntryLine]:
    return EntryLine.objects.filter(account__organization_id=organization_id)


def _transactions(
    organization_id: int, page: list[JournalEntry], after: dict[int, int]
) -> list[Transaction]:
    # An entry that took nothing from the organisation, because it had nothing, has none of its lines.
    changed: dict[int, dict[str, int]] = {row.pk: {} for row in page}
    lines = _lines(organization_id).filter(entry_id__in=changed)
    for entry_id, bucket, amount in lines.values_list("entry_id", "account__kind", "amount"):
        changed[entry_id][bucket] = amount
    return [
        Transaction(
            id=row.pk,
            reference=row.reference,
            kind=row.kind,
            memo=row.memo,
            created_at=row.created_at,
            buckets=changed[row.pk],
            balance_after=after.get(row.pk),
        )
        for row in page
    ]


def _balances_after(organization_id: int, page: list[JournalEntry]) -> dict[int, int]:
    if not page:
        return {}
    newest, oldest = page[0].pk, page[-1].pk
    lines = _lines(organization_id)
    span = lines.filter(entry_id__gte=oldest, entry_id__lte=newest).order_by()
    sums = dict(span.values_list("entry_id").annotate(total=Sum("amount")))
    balance = _balance_without(organization_id, lines.filter(entry_id__gt=newest))
    after: dict[int, int] = {}
    for row in page:
        after[row.pk] = balance
        balance -= sums.get(row.pk, 0)
    return after


def _balance_without(organization_id: int, lines: QuerySet[EntryLine]) -> int:
    """The balance as it was before these lines; one statement, so that both are of the same moment."""
    total = (
        lines.order_by()
        .values("account__organization_id")
        .annotate(total=Sum("amount"))
        .values("total")
    )
    row = Balance.objects.annotate(
        later=Coalesce(Subquery(total), Value(0), output_field=BigIntegerField())
    ).get(pk=organization_id)
    later: int = row.later
    return row.total - later
