"""Entries by hand: balanced, once per reference, never below zero, never below what is on hold."""

import pytest

from apps.billing.models import AccountKind, EntryKind, JournalEntry
from apps.billing.services import ledger
from apps.billing.services.values import Posting
from apps.billing.services.verification import verify


def adjustment(books, amount, *, reference="test:adjustment", against=None):
    return Posting(
        reference=f"{reference}:{books.organization_id}",
        kind=EntryKind.ADJUSTMENT,
        organization_id=books.organization_id,
        lines=(
            (AccountKind.PURCHASED, amount),
            (AccountKind.STRIPE_CLEARING, -amount if against is None else against),
        ),
        memo="a test",
    )


def test_entry_changes_the_balance_when_posted(books):
    assert ledger.post(adjustment(books, 500)) is True

    assert books.buckets == (0, 0, 1_500)
    entry = JournalEntry.objects.get(reference=f"test:adjustment:{books.organization_id}")
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "purchased": 500,
        "stripe_clearing": -500,
    }
    assert (entry.kind, entry.memo) == (EntryKind.ADJUSTMENT, "a test")


def test_entry_is_refused_when_its_lines_do_not_sum_to_zero(books):
    with pytest.raises(ledger.Unbalanced):
        ledger.post(adjustment(books, 500, against=-499))

    assert books.buckets == (0, 0, 1_000)


def test_entry_is_written_once_when_its_reference_comes_again(books):
    ledger.post(adjustment(books, 500))

    assert ledger.post(adjustment(books, 500)) is False
    assert books.buckets == (0, 0, 1_500)


def test_entry_is_refused_when_a_bucket_would_fall_below_zero(make_books):
    books = make_books(promo=5_000, purchased=1_000)

    with pytest.raises(ledger.BalanceTooLow):
        ledger.post(adjustment(books, -1_001))

    assert books.buckets == (0, 5_000, 1_000)


def test_entry_may_take_everything_when_nothing_is_on_hold(books):
    ledger.post(adjustment(books, -1_000))

    assert books.buckets == (0, 0, 0)


def test_entry_is_refused_when_it_would_take_what_is_on_hold(books):
    books.hold(400)

    with pytest.raises(ledger.BalanceTooLow):
        ledger.post(adjustment(books, -601))
    assert ledger.post(adjustment(books, -600)) is True
    assert books.balance.available == 0


def test_promo_credit_comes_from_promo_expense_when_granted(make_books):
    books = make_books()
    reference = f"test:promo:{books.organization_id}"

    given = [
        ledger.grant_promo(books.organization_id, amount=70, reference=reference, memo="trial")
        for _ in range(2)
    ]

    assert given == [True, False]
    assert books.buckets == (0, 70, 0)
    entry = JournalEntry.objects.get(reference=reference)
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "promo": 70,
        "promo_expense": -70,
    }
    assert verify().is_sound
