"""What an organisation has and had: GET /v1/credits, /v1/user/credit-transactions, /v1/user/statements/{day}."""

import csv
import datetime
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router
from pydantic import Field

from apps.billing.models import EntryKind
from apps.billing.schemas import (
    Credits,
    CreditsBody,
    CreditThatExpires,
    DayStatement,
    StatementBody,
    TransactionRow,
    TransactionsBody,
)
from apps.billing.selectors import credit_of, expiring_credit
from apps.billing.services import statements
from apps.billing.services.statements import BUCKETS, Transaction
from apps.common import clock
from apps.common.db import run_db, to_iso
from apps.common.errors import InvalidRequest
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of

router = Router(tags=["Credits"])

FILES = {"csv": "text/csv", "json": "application/x-ndjson"}
COLUMNS = (
    "id", "created_at", "kind", "reference", "memo", "amount_usd", "amount_nano_usd",
    *(f"{bucket}_nano_usd" for bucket in BUCKETS), "balance_after_nano_usd",
)  # fmt: skip


@router.get("/credits", response=CreditsBody, summary="The organisation's credit")
def read_credits(request: HttpRequest) -> CreditsBody:
    organization = organization_of(request)
    credit = credit_of(organization)
    return CreditsBody(
        data=Credits(
            total_credits=nano_to_usd(credit.total),
            available=nano_to_usd(credit.available),
            held=nano_to_usd(credit.held),
            allowance=nano_to_usd(credit.allowance),
            promo=nano_to_usd(credit.promo),
            purchased=nano_to_usd(credit.purchased),
            available_nano_usd=credit.available,
            total_nano_usd=credit.total,
            lots=[
                CreditThatExpires(
                    bucket=lot.bucket,
                    amount=nano_to_usd(lot.amount),
                    amount_nano_usd=lot.amount,
                    expires_at=to_iso(lot.expires_at),
                )
                for lot in expiring_credit(organization)
            ],
        )
    )


@router.get(
    "/user/credit-transactions",
    response=TransactionsBody,
    summary="Every entry of the ledger",
    openapi_extra={"responses": {200: {"content": {media: {} for media in FILES.values()}}}},
)
def list_transactions(
    request: HttpRequest,
    limit: Annotated[int, Field(ge=1, le=500)] = 50,
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    kind: EntryKind | None = None,
    format: Literal["page", "json", "csv"] = "page",  # noqa: A002 - the public name
) -> TransactionsBody | StreamingHttpResponse:
    """The newest first. `until` is not included; moments without a zone are UTC.

    `format=csv` and `format=json` (one object a line) are a file of all of them, whatever `limit` and `before`.
    """
    organization = organization_of(request)
    since, until = _in_utc(since, "since"), _in_utc(until, "until")
    if since and until and since >= until:
        raise InvalidRequest("'until' must be later than 'since'.", param="until")
    if format != "page":
        found = statements.read_pages(organization, since=since, until=until, kind=kind)
        return _file(found, format)
    page, has_more = statements.read_page(
        organization, before=before, since=since, until=until, kind=kind, limit=limit
    )
    return TransactionsBody(
        data=[_row(found) for found in page],
        has_more=has_more,
        next_before=page[-1].id if has_more else None,
    )


@router.get("/user/statements/{day}", response=StatementBody, summary="What changed on a day")
def read_statement(request: HttpRequest, day: datetime.date) -> StatementBody:
    """Opening and closing balance of a day, UTC, and what came and went between them, by kind of entry."""
    if day > clock.now().date():
        raise InvalidRequest("That day has not begun.", param="day", code="invalid_value")
    found = statements.read_day(organization_of(request), day)
    return StatementBody(
        data=DayStatement(
            date=found.day.isoformat(),
            opening_nano_usd=found.opening,
            closing_nano_usd=found.closing,
            changes_nano_usd=found.changes,
            entries=found.entries,
        )
    )


def _in_utc(moment: datetime.datetime | None, name: str) -> datetime.datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=datetime.UTC)
    try:
        # PostgreSQL knows no zone so far from UTC as Python does.
        return moment.astimezone(datetime.UTC)
    except OverflowError as error:
        raise InvalidRequest(
            f"'{name}' is beyond the calendar.", param=name, code="invalid_value"
        ) from error


def _row(found: Transaction) -> TransactionRow:
    return TransactionRow(
        id=found.id,
        reference=found.reference,
        kind=found.kind,
        memo=found.memo,
        created_at=to_iso(found.created_at) or "",
        amount=nano_to_usd(found.amount),
        amount_nano_usd=found.amount,
        buckets_nano_usd=found.buckets,
        balance_after_nano_usd=found.balance_after,
    )


def _file(
    pages: Iterator[list[Transaction]], kind: Literal["json", "csv"]
) -> StreamingHttpResponse:
    write = _csv if kind == "csv" else _json_lines

    async def lines() -> AsyncIterator[bytes]:
        if kind == "csv":
            yield _csv_line(COLUMNS)
        while page := await run_db(next, pages, None):
            yield b"".join([write(one) for one in page])

    answer = StreamingHttpResponse(lines(), content_type=FILES[kind])
    name = "transactions.csv" if kind == "csv" else "transactions.ndjson"
    answer["content-disposition"] = f'attachment; filename="{name}"'
    return answer


def _json_lines(one: Transaction) -> bytes:
    return orjson.dumps(_row(one).dict(), option=orjson.OPT_APPEND_NEWLINE)


def _csv(one: Transaction) -> bytes:
    # A table's program would run what begins like a formula.
    memo = f"'{one.memo}" if one.memo.startswith(("=", "+", "-", "@", "\t", "\r")) else one.memo
    return _csv_line(
        [
            one.id,
            to_iso(one.created_at),
            one.kind,
            one.reference,
            memo,
            f"{Decimal(one.amount).scaleb(-9):f}",
            one.amount,
            *(one.buckets.get(bucket, 0) for bucket in BUCKETS),
            one.balance_after,
        ]
    )


def _csv_line(values: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()
