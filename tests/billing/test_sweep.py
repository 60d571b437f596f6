"""The sweep: a dead process's holds are given back and its requests marked as lost; the truth may still come later."""

import asyncio

import pytest

from apps.billing.services.verification import verify
from apps.inference import recorder
from apps.inference.models import Outcome, RequestRecord
from apps.inference.settlement import Books as HotBooks
from apps.inference.settlement import Closing, settle_and_record
from apps.inference.sweep import sweep
from apps.inference.tasks import sweep_holds
from tests.billing.books import closing_of, lines_of, open_books, settle_through_books


def settle_alone(closing):
    """As commands and tasks do."""
    return settle_and_record([closing])[0]


def test_request_is_lost_and_costs_nothing_when_its_process_died(books):
    request = books.hold(300)
    books.expire(request)

    assert sweep() == 1

    record = RequestRecord.objects.get(pk=request)
    assert (record.outcome, record.usage_source) == (Outcome.LOST, "lost")
    assert (record.cost, record.charged, record.total_input, record.total_output) == (0, 0, 0, 0)
    assert record.organization_id == books.organization_id
    assert record.attempts == []
    assert books.balance.available == 1_000
    assert lines_of(request) == {}


def test_nothing_is_lost_when_no_hold_has_expired(books):
    request = books.hold(300)

    assert sweep() == 0
    sweep_holds()

    assert books.holds() == {request: 300}


def test_requests_are_lost_once_when_swept_again(books):
    books.expire(books.hold(300), books.hold(300))

    assert [sweep(), sweep()] == [2, 0]


def test_record_keeps_the_truth_when_its_request_was_settled_before_the_sweep(books):
    request = books.hold(300)
    row = closing_of(books, request, cost=250).row
    recorder.insert([(request, 250, row)])
    books.expire(request)

    sweep()

    assert RequestRecord.objects.get(pk=request).outcome == Outcome.COMPLETED


def test_record_tells_the_truth_when_the_settlement_comes_after_the_sweep(books):
    request = books.hold(300)
    books.expire(request)
    sweep()

    charged = settle_alone(closing_of(books, request, cost=250))

    assert charged == 250
    record = RequestRecord.objects.get(pk=request)
    assert (record.outcome, record.cost, record.charged) == (Outcome.COMPLETED, 250, 250)
    assert lines_of(request) == {"purchased": -250, "revenue": 250}
    assert books.buckets == (0, 0, 750)
    assert verify().problems == ()


def test_record_keeps_the_first_truth_when_a_request_is_settled_twice(books):
    closing = closing_of(books, books.hold(300), cost=250)
    settle_alone(closing)

    again = settle_alone(
        Closing(closing.settlement, {**closing.row, "outcome": "interrupted", "cost": 999})
    )

    assert again == 0
    record = RequestRecord.objects.get(pk=closing.settlement.request_id)
    assert (record.outcome, record.cost, record.charged) == (Outcome.COMPLETED, 250, 250)


@pytest.mark.parametrize("swept", [False, True], ids=["on time", "after the sweep"])
def test_books_and_record_are_right_when_settled_on_the_hot_path(committed, swept):
    books = open_books(purchased=1_000)
    request = books.hold(300)
    if swept:
        books.expire(request)
        sweep()
    closing = closing_of(books, request, cost=250)

    charged = settle_through_books(closing, closing)

    assert sorted(charged) == [0, 250]
    record = RequestRecord.objects.get(pk=request)
    found = {name: getattr(record, name) for name in recorder.COLUMNS}
    assert found.pop("receipt")
    assert found == {name: closing.row[name] for name in found}
    assert record.charged == 250
    assert lines_of(request) == {"purchased": -250, "revenue": 250}
    assert (books.balance.total, books.balance.held) == (750, 0)
    assert verify().problems == ()


def test_others_are_settled_when_one_member_of_the_batch_cannot_be(committed):
    books = open_books(purchased=1_000)
    good = [closing_of(books, books.hold(10), cost=10) for _ in range(5)]
    bad = closing_of(books, books.hold(10), cost=10)
    bad.row["api_key_id"] = 2**40  # no such key

    async def run():
        hot = HotBooks()
        try:
            members = (good[0], good[1], bad, *good[2:])
            ends = [asyncio.ensure_future(hot._closings.submit(member)) for member in members]
            return await asyncio.gather(*ends, return_exceptions=True)
        finally:
            await hot.shut()

    ends = asyncio.run(run())

    assert [end for end in ends if not isinstance(end, Exception)] == [10] * 5
    assert isinstance(ends[2], Exception)
    assert books.balance.total == 950
    assert books.holds() == {bad.settlement.request_id: 10}
    settle_alone(closing_of(books, bad.settlement.request_id, cost=0))
