"""The credit watch: told once when credit is low, once when it is used up, and again after there was more."""

import pytest

from apps.accounts.models import Notice, Organization
from apps.billing.models import AccountKind, CreditWatch
from apps.billing.services import credit_watch
from tests.billing.books import open_books

DOLLAR = 10**9


@pytest.fixture(autouse=True)
def low_is_ten_dollars(settings, db):
    settings.LOW_CREDIT = 10 * DOLLAR


def told(books):
    """What was told since the last time."""
    credit_watch.watch()
    found = Notice.objects.filter(organization_id=books.organization_id).order_by("pk")
    kinds = list(found.values_list("kind", flat=True))
    found.delete()
    return kinds


def test_it_is_told_once_that_credit_is_low_and_once_that_it_is_used_up():
    books = open_books(purchased=12 * DOLLAR)
    assert told(books) == []

    books.grant(AccountKind.PURCHASED, -3 * DOLLAR)
    assert [told(books), told(books)] == [["low_balance"], []]

    books.grant(AccountKind.PURCHASED, -9 * DOLLAR)
    assert [told(books), told(books)] == [["credit_used_up"], []]


def test_it_is_told_again_after_there_was_more():
    books = open_books(purchased=9 * DOLLAR)
    assert told(books) == ["low_balance"]
    books.grant(AccountKind.PURCHASED, 20 * DOLLAR)
    assert told(books) == []
    assert not CreditWatch.objects.filter(pk=books.organization_id).exists()

    books.grant(AccountKind.PURCHASED, -25 * DOLLAR)

    assert told(books) == ["low_balance"]


def test_used_up_is_told_again_after_a_small_top_up_that_is_low_itself():
    books = open_books(purchased=9 * DOLLAR)
    books.grant(AccountKind.PURCHASED, -9 * DOLLAR)
    assert told(books) == ["credit_used_up"]
    books.grant(AccountKind.PURCHASED, 5 * DOLLAR)
    assert told(books) == [], "who just paid knows what there is"

    books.grant(AccountKind.PURCHASED, -5 * DOLLAR)

    assert told(books) == ["credit_used_up"]


def test_what_is_on_hold_is_not_there():
    books = open_books(purchased=12 * DOLLAR)
    books.hold(3 * DOLLAR)

    assert told(books) == ["low_balance"]


def test_given_credit_is_told_when_it_is_used_up_alone():
    books = open_books(promo=9 * DOLLAR)
    assert told(books) == []

    books.grant(AccountKind.PROMO, -9 * DOLLAR)

    assert told(books) == ["credit_used_up"]


def test_nothing_is_told_to_those_who_never_had_any():
    credit_watch.watch()
    organization = Organization.objects.create(name="new")

    credit_watch.watch()

    assert not Notice.objects.filter(organization=organization).exists()
