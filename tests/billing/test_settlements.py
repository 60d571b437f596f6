"""Settlements: the cost leaves the buckets in spend order, exactly once, and never what others hold."""

import pytest
from django.db import connection
from msgspec.structs import replace

from apps.billing.models import EntryKind, JournalEntry
from apps.billing.services import ledger
from apps.billing.services.verification import verify
from tests.billing.books import lines_of


@pytest.fixture(autouse=True)
def _sound(db):
    yield
    assert verify().problems == ()


def test_cost_is_charged_and_the_hold_released_when_settled(books):
    request = books.hold(300)

    charged = ledger.settle([books.costs(250, request_id=request)])

    assert charged == [250]
    assert books.buckets == (0, 0, 750)
    assert books.holds() == {}
    assert books.balance.held == 0
    assert lines_of(request) == {"purchased": -250, "revenue": 250}


def test_entry_names_its_price_when_settled(books):
    settlement = books.costs(250)

    ledger.settle([replace(settlement, price_id=77)])

    entry = JournalEntry.objects.get(reference=settlement.reference)
    assert (entry.kind, entry.price_id) == (EntryKind.SETTLEMENT, 77)
    assert entry.organization_id == books.organization_id


@pytest.mark.parametrize(
    ("cost", "left"),
    [
        (1, (99, 10, 1_000)),
        (100, (0, 10, 1_000)),
        (105, (0, 5, 1_000)),
        (110, (0, 0, 1_000)),
        (111, (0, 0, 999)),
        (1_110, (0, 0, 0)),
    ],
)
def test_buckets_are_spent_in_order_when_the_cost_crosses_their_borders(make_books, cost, left):
    books = make_books(allowance=100, promo=10, purchased=1_000)
    request = books.hold(cost)

    charged = ledger.settle([books.costs(cost, request_id=request)])

    assert charged == [cost]
    assert books.buckets == left
    lines = lines_of(request)
    spent = zip((100, 10, 1_000), left, strict=True)
    assert [-lines.get(kind, 0) for kind in ("allowance", "promo", "purchased")] == [
        before - after for before, after in spent
    ]
    assert lines["revenue"] == cost


def test_buckets_are_spent_in_order_when_several_settle_in_one_batch(make_books):
    books = make_books(allowance=100, promo=50, purchased=1_000)
    requests = [books.hold(amount) for amount in (60, 60, 60, 60)]

    charged = ledger.settle([books.costs(60, request_id=request) for request in requests])

    assert charged == [60, 60, 60, 60]
    assert [lines_of(request) for request in requests] == [
        {"allowance": -60, "revenue": 60},
        {"allowance": -40, "promo": -20, "revenue": 60},
        {"promo": -30, "purchased": -30, "revenue": 60},
        {"purchased": -60, "revenue": 60},
    ]
    assert books.buckets == (0, 0, 910)


def test_each_pays_its_own_when_organisations_share_a_batch(make_books):
    one, two = make_books(promo=100, purchased=50), make_books(allowance=10, purchased=1_000)
    first, second, third = one.hold(100), two.hold(100), one.hold(50)

    charged = ledger.settle(
        [
            one.costs(90, request_id=first),
            two.costs(30, request_id=second),
            one.costs(20, request_id=third),
        ]
    )

    assert charged == [90, 30, 20]
    assert one.buckets == (0, 0, 40)
    assert two.buckets == (0, 0, 980)


def test_cost_is_charged_whole_when_above_the_hold_but_covered(books):
    request = books.hold(100)

    assert ledger.settle([books.costs(900, request_id=request)]) == [900]
    assert books.buckets == (0, 0, 100)


def test_rest_is_written_off_when_the_cost_is_beyond_the_balance(make_books):
    books = make_books(promo=30, purchased=70)
    request = books.hold(100)

    charged = ledger.settle([books.costs(250, request_id=request)])

    assert charged == [100]
    assert books.buckets == (0, 0, 0)
    assert lines_of(request) == {
        "promo": -30,
        "purchased": -70,
        "written_off": -150,
        "revenue": 250,
    }


def test_what_others_hold_stays_theirs_when_a_cost_is_beyond_the_rest(books):
    mine, other = books.hold(100), books.hold(800)

    charged = ledger.settle([books.costs(5_000, request_id=mine)])

    assert charged == [200]
    assert books.buckets == (0, 0, 800)
    assert books.balance.available == 0
    assert ledger.settle([books.costs(800, request_id=other)]) == [800]


@pytest.mark.parametrize("kind", ["allowance", "promo", "purchased"])
def test_what_others_hold_stays_theirs_when_the_rest_is_in_any_bucket(make_books, kind):
    books = make_books(**{kind: 1_000})
    mine, _ = books.hold(100), books.hold(800)

    assert ledger.settle([books.costs(300, request_id=mine)]) == [200]
    assert books.balance.available == 0


def test_later_member_is_written_off_when_an_earlier_one_takes_the_rest(books):
    first, second = books.hold(500), books.hold(500)

    charged = ledger.settle(
        [books.costs(900, request_id=first), books.costs(400, request_id=second)]
    )

    assert charged == [900, 100]
    assert lines_of(second) == {"purchased": -100, "written_off": -300, "revenue": 400}


def test_all_is_written_off_when_nothing_is_left(make_books):
    books = make_books()
    settlement = books.costs(10)

    assert ledger.settle([settlement]) == [0]
    assert lines_of(settlement.request_id) == {"written_off": -10, "revenue": 10}


def test_hold_is_released_without_an_entry_when_the_cost_is_zero(books):
    request = books.hold(300)

    assert ledger.settle([books.costs(0, request_id=request)]) == [0]
    assert books.balance.available == 1_000
    assert lines_of(request) == {}


def test_request_is_charged_once_when_settled_again(books):
    settlement = books.costs(250, request_id=books.hold(300))

    assert ledger.settle([settlement]) == [250]
    assert ledger.settle([settlement]) == [0]
    assert books.buckets == (0, 0, 750)


def test_request_is_charged_once_when_it_stands_twice_in_a_batch(books):
    settlement = books.costs(250, request_id=books.hold(300))

    charged = ledger.settle([settlement, books.costs(100), settlement])

    assert charged == [250, 100, 0]
    assert books.buckets == (0, 0, 650)


def test_request_is_charged_once_when_a_batch_also_settles_it_at_nothing(books):
    request = books.hold(300)
    costs = (0, 250, 0, 100)

    charged = ledger.settle([books.costs(cost, request_id=request) for cost in costs])

    assert charged == [0, 250, 0, 0]
    assert books.buckets == (0, 0, 750)


def test_repetition_takes_nothing_from_those_behind_it_when_credit_is_short(books):
    settlement = books.costs(500)

    charged = ledger.settle([settlement, settlement, books.costs(400)])

    assert charged == [500, 0, 400]


def test_cost_is_charged_when_there_is_no_hold_any_more(books):
    assert ledger.settle([books.costs(250)]) == [250]
    assert books.buckets == (0, 0, 750)


def test_hold_of_another_is_left_alone_when_its_request_id_is_settled(make_books):
    thief, owner = make_books(purchased=1_000), make_books(purchased=1_000)
    request = owner.hold(400)

    charged = ledger.settle([thief.costs(50, request_id=request)])

    assert charged == [50]
    assert owner.holds() == {request: 400}
    assert owner.buckets == (0, 0, 1_000)
    assert thief.buckets == (0, 0, 950)


def test_nothing_happens_when_the_batch_is_empty():
    assert ledger.settle([]) == []


@pytest.mark.django_db
def test_a_settlement_is_on_the_disk_when_it_is_committed():
    """SQLite: FULL, not NORMAL, which a power cut undoes to the last checkpoint. PostgreSQL: its default."""
    question = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}
    with connection.cursor() as cursor:
        cursor.execute(question[connection.vendor])
        assert cursor.fetchone()[0] in (2, "on")
