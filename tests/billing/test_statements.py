"""What a customer reads of the ledger: every entry, exports that say the same, days whose sums are right."""

import csv
import datetime
import io

import orjson
import pytest

from apps.billing.models import AccountKind, EntryKind
from apps.billing.services import ledger, statements
from apps.billing.services.values import Posting, Settlement
from apps.common import clock
from apps.common.ids import new_id
from tests.billing.books import Books
from tests.gateway import Customer, Gateway, make_customer

PATH = "/v1/user/credit-transactions"


@pytest.fixture
def busy(gateway: Gateway) -> Customer:
    """$1 of promo credit, then seven charges, the last one more than there is, then $2 that were paid."""
    customer = make_customer(credit_usd="1")
    books = Books(customer.organization_id)
    for cost in (1, 20, 300, 4_000, 50_000, 600_000, 2_000_000_000):
        ledger.settle([books.costs(cost)])
    assert books.grant(AccountKind.PURCHASED, 2_000_000_000)
    ledger.settle([books.costs(7)])
    return customer


def read(gateway: Gateway, customer: Customer, path: str = PATH, **query):
    return gateway.client(customer).get(path, params=query)


def test_every_entry_is_there_with_the_balance_after_it(gateway, busy):
    body = read(gateway, busy).json()

    rows = body["data"]
    assert [row["amount_nano_usd"] for row in rows] == [
        -7, 2_000_000_000, -(1_000_000_000 - 654_321), -600_000, -50_000, -4_000, -300, -20, -1, 1_000_000_000,
    ]  # fmt: skip
    balance = 0
    for row in reversed(rows):
        balance += row["amount_nano_usd"]
        assert row["balance_after_nano_usd"] == balance
        assert sum(row["buckets_nano_usd"].values()) == row["amount_nano_usd"]
        assert row["amount"] == row["amount_nano_usd"] / 10**9
    assert balance == busy.balance.total
    assert body["has_more"] is False
    assert body["next_before"] is None


def test_entry_that_found_nothing_to_take_is_there_too(gateway):
    customer = make_customer(credit_usd="0")
    ledger.settle([Books(customer.organization_id).costs(5)])

    (row,) = read(gateway, customer).json()["data"]

    assert (row["amount_nano_usd"], row["buckets_nano_usd"], row["balance_after_nano_usd"]) == (0, {}, 0)  # fmt: skip


def test_pages_are_the_whole_list_in_pieces(gateway, busy):
    whole = read(gateway, busy, limit=500).json()["data"]
    pieces, before = [], None
    while True:
        page = read(gateway, busy, limit=3, **({"before": before} if before else {})).json()
        pieces += page["data"]
        before = page["next_before"]
        if not page["has_more"]:
            break

    assert pieces == whole


def test_only_one_kind_when_asked_for(gateway, busy):
    rows = read(gateway, busy, kind="grant").json()["data"]

    assert [row["kind"] for row in rows] == ["grant", "grant"]
    assert {row["balance_after_nano_usd"] for row in rows} == {None}


@pytest.mark.parametrize("size", [1, 3, 1000], ids=str)
def test_files_say_what_the_list_says(gateway, busy, monkeypatch, size):
    monkeypatch.setattr(statements, "CHUNK", size)
    rows = read(gateway, busy, limit=500).json()["data"]

    lines = read(gateway, busy, format="json")
    table = read(gateway, busy, format="csv")

    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [orjson.loads(line) for line in lines.text.splitlines()] == rows
    assert table.headers["content-type"] == "text/csv"
    assert 'filename="transactions.csv"' in table.headers["content-disposition"]
    read_back = list(csv.DictReader(io.StringIO(table.text)))
    assert [(int(row["id"]), int(row["amount_nano_usd"])) for row in read_back] == [
        (row["id"], row["amount_nano_usd"]) for row in rows
    ]
    assert [row["amount_usd"] for row in read_back][:2] == ["-0.000000007", "2.000000000"]


def test_memo_that_looks_like_a_formula_is_text_in_the_table(gateway, customer):
    ledger.grant_promo(customer.organization_id, amount=1, reference=new_id("x"), memo="=1+1")

    rows = list(csv.DictReader(io.StringIO(read(gateway, customer, format="csv").text)))

    assert rows[0]["memo"] == "'=1+1"


def test_nobody_reads_anothers_entries(gateway, busy, customer):
    for query in ({}, {"format": "csv"}, {"before": 2**62}):
        text = read(gateway, customer, **query).text
        assert "settle:" not in text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"before": 0}, "before"),
        ({"before": 2**63}, "before"),
        ({"since": "yesterday"}, "since"),
        ({"since": "9999-12-31T23:59:59-12:00"}, "since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "until"),
        ({"kind": "theft"}, "kind"),
        ({"format": "pdf"}, "format"),
    ],
)
def test_error_names_what_is_wrong(gateway, customer, query, field):
    answer = read(gateway, customer, **query)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


# Days.


def at(books: Books, day: str, kind: EntryKind, amount: int) -> None:
    """An entry of that day: entries cannot be changed afterwards, so the clock is."""
    moment = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: moment)
        if kind is EntryKind.SETTLEMENT:
            request = books.wants(0).request_id
            ledger.settle([Settlement(request, books.organization_id, -amount)])
            return
        ledger.post(
            Posting(
                reference=new_id("day"),
                kind=kind,
                organization_id=books.organization_id,
                lines=((AccountKind.PURCHASED, amount), (AccountKind.STRIPE_CLEARING, -amount)),
            )
        )


@pytest.fixture
def three_days(gateway) -> Customer:
    customer = make_customer(credit_usd="0")
    books = Books(customer.organization_id)
    at(books, "2026-03-01T00:00:00", EntryKind.GRANT, 1_000)
    at(books, "2026-03-01T23:59:59.999999", EntryKind.SETTLEMENT, -100)
    at(books, "2026-03-02T00:00:00", EntryKind.SETTLEMENT, -30)
    at(books, "2026-03-02T12:00:00", EntryKind.SETTLEMENT, -7)
    at(books, "2026-03-02T13:00:00", EntryKind.ADJUSTMENT, 5)
    return customer


@pytest.mark.parametrize(
    ("day", "opening", "closing", "changes", "entries"),
    [
        ("2026-02-28", 0, 0, {}, {}),
        ("2026-03-01", 0, 900, {"grant": 1_000, "settlement": -100}, {"grant": 1, "settlement": 1}),
        ("2026-03-02", 900, 868, {"settlement": -37, "adjustment": 5}, {"settlement": 2, "adjustment": 1}),
        ("2026-03-03", 868, 868, {}, {}),
    ],
)  # fmt: skip
def test_day_opens_where_the_one_before_closed(
    gateway, three_days, day, opening, closing, changes, entries
):
    assert read(gateway, three_days, f"/v1/user/statements/{day}").json()["data"] == {
        "date": day,
        "opening_nano_usd": opening,
        "closing_nano_usd": closing,
        "changes_nano_usd": changes,
        "entries": entries,
    }


def test_only_the_days_that_are_asked_for(gateway, three_days):
    query = {"since": "2026-03-02T00:00:00Z", "until": "2026-03-02T13:00:00"}

    rows = read(gateway, three_days, **query).json()["data"]

    assert [row["amount_nano_usd"] for row in rows] == [-7, -30]
    assert [row["balance_after_nano_usd"] for row in rows] == [863, 870]


def test_zones_far_from_utc_are_understood(gateway, three_days):
    rows = read(gateway, three_days, until="3152-06-04T06:58:49-18:12").json()["data"]

    assert len(rows) == 5


@pytest.mark.parametrize(("day", "status"), [("2099-01-01", 400), ("yesterday", 400)])
def test_day_that_is_none_is_refused(gateway, customer, day, status):
    answer = read(gateway, customer, f"/v1/user/statements/{day}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, "day")
