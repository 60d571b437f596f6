"""Allowance and promo credit that expires: what expires soonest is spent first, and only what is left is taken back."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.billing.models import AccountKind, CreditLot, EntryKind, JournalEntry
from apps.billing.selectors import expiring_credit
from apps.billing.services import ledger
from apps.billing.services.values import Posting
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.ids import new_id
from tests.billing.books import Books, open_books

NOW = clock.now()


def hours(number: int | None) -> datetime.datetime | None:
    return None if number is None else NOW + datetime.timedelta(hours=number)


def grant(books: Books, bucket: str, amount: int, expires: int | None) -> str:
    reference = new_id("lot")
    assert ledger.post(
        Posting(
            reference=reference,
            kind=EntryKind.GRANT,
            organization_id=books.organization_id,
            lines=((AccountKind(bucket), amount), (AccountKind.PROMO_EXPENSE, -amount)),
            expires_at=hours(expires),
        )
    )
    return reference


def spend(books: Books, cost: int) -> None:
    ledger.settle([books.costs(cost)])


def left(books: Books) -> list[tuple[str, int, datetime.datetime | None]]:
    return [
        (lot.bucket, lot.amount, lot.expires_at) for lot in expiring_credit(books.organization_id)
    ]


@pytest.mark.django_db
def test_what_expires_soonest_is_spent_first():
    books = open_books(purchased=100)
    grant(books, "promo", 50, None)
    grant(books, "promo", 50, 20)
    grant(books, "promo", 50, 10)
    grant(books, "allowance", 30, 99)

    spend(books, 100)

    assert books.buckets == (0, 80, 100)
    assert left(books) == [("promo", 30, hours(20)), ("promo", 50, None)]


@pytest.mark.django_db
def test_later_credit_with_a_nearer_end_pays_nothing_that_was_spent_before():
    books = open_books()
    grant(books, "promo", 100, 30)
    spend(books, 60)
    grant(books, "promo", 50, 10)

    assert left(books) == [("promo", 50, hours(10)), ("promo", 40, hours(30))]
    assert ledger.expire_credit(NOW + datetime.timedelta(hours=11)) == 50
    assert books.buckets == (0, 40, 0)


@pytest.mark.django_db
def test_takes_back_what_is_left_once():
    books = open_books(purchased=5)
    reference = grant(books, "promo", 100, 1)
    spend(books, 30)
    late = NOW + datetime.timedelta(hours=2)

    assert ledger.expire_credit(NOW) == 0
    assert [ledger.expire_credit(late), ledger.expire_credit(late)] == [70, 0]
    assert books.buckets == (0, 0, 5)
    lot = CreditLot.objects.get(reference=reference)
    entry = JournalEntry.objects.get(kind=EntryKind.EXPIRY, organization=books.organization_id)
    assert entry.reference == f"expiry:{lot.pk}:70"
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "promo": -70,
        "promo_expense": 70,
    }


@pytest.mark.django_db
def test_leaves_to_requests_under_way_what_they_have_on_hold():
    books = open_books()
    grant(books, "promo", 100, 1)
    request = books.hold(40)
    late = NOW + datetime.timedelta(hours=2)

    assert ledger.expire_credit(late) == 60
    assert books.buckets == (0, 40, 0)
    ledger.settle([books.costs(15, request_id=request)])
    assert ledger.expire_credit(late) == 25
    assert books.buckets == (0, 0, 0)
    assert verify(books.organization_id).problems == ()


@pytest.mark.django_db
def test_unsound_when_a_bucket_has_more_than_its_lots():
    books = open_books(promo=100)
    CreditLot.objects.filter(organization=books.organization_id).update(remaining=99)

    (problem,) = verify(books.organization_id).problems

    assert "promo is $0.0000001, its lots have $0.000000099" in problem


AMOUNTS = st.integers(1, 100)
STEPS = st.one_of(
    st.tuples(st.just("grant"), st.sampled_from(["allowance", "promo"]), AMOUNTS, st.sampled_from([None, 1, 5, 9, 20])),
    st.tuples(st.just("spend"), AMOUNTS),
    st.tuples(st.just("take"), st.sampled_from(["allowance", "promo"]), AMOUNTS),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)  # fmt: skip


@dataclass
class Model:
    """Lots in plain Python, spent one by one at once."""

    lots: list[list[Any]] = field(default_factory=list)
    hour: int = 0

    def of(self, bucket: str) -> list[list[Any]]:
        found = [lot for lot in self.lots if lot[0] == bucket and lot[1]]
        return sorted(found, key=lambda lot: (lot[2] is None, lot[2] or 0, lot[3]))

    def take(self, bucket: str, amount: int) -> int:
        for lot in self.of(bucket):
            part = min(amount, lot[1])
            lot[1] -= part
            amount -= part
        return amount

    def sum(self, bucket: str) -> int:
        return sum(lot[1] for lot in self.of(bucket))


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(programme=st.lists(STEPS, min_size=1, max_size=20))
def test_lots_equal_the_model_when_any_programme_runs(db, programme):
    with transaction.atomic():
        books, model = open_books(), Model()
        for number, (name, *told) in enumerate(programme):
            match name:
                case "grant":
                    bucket, amount, within = told
                    ends = None if within is None else model.hour + within
                    grant(books, bucket, amount, ends)
                    model.lots.append([bucket, amount, ends, number])
                case "spend":
                    spend(books, told[0])
                    model.take("promo", model.take("allowance", told[0]))
                case "take":
                    bucket, amount = told[0], min(told[1], model.sum(told[0]))
                    if amount:
                        assert books.grant(AccountKind(bucket), -amount)
                    model.take(bucket, amount)
                case "wait":
                    model.hour += told[0]
                    expired = ledger.expire_credit(NOW + datetime.timedelta(hours=model.hour))
                    late = [
                        lot for lot in model.lots if lot[2] is not None and lot[2] <= model.hour
                    ]
                    assert expired == sum(lot[1] for lot in late)
                    for lot in late:
                        lot[1] = 0
            assert books.buckets == (model.sum("allowance"), model.sum("promo"), 0)
            assert left(books) == [
                (bucket, lot[1], hours(lot[2]))
                for bucket in ("allowance", "promo")
                for lot in model.of(bucket)
            ]
            assert verify(books.organization_id).problems == ()
        transaction.set_rollback(True)
