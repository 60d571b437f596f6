"""Holds: set aside in order of arrival, whoever fits is served, given back when their process dies."""

import datetime

from django.conf import settings

from apps.billing.models import Hold
from apps.billing.services import ledger
from apps.billing.services.values import HoldRequest
from apps.billing.services.verification import verify
from apps.common import clock
from tests.billing.books import new_request_id


def placed(*requests):
    return [decision.placed for decision in ledger.place_holds(requests, owner="web_test")]


def test_hold_keeps_what_the_request_is_when_placed(books):
    wanted = HoldRequest(new_request_id(), books.organization_id, 300, None, "acme/large")
    before = clock.now()

    (decision,) = ledger.place_holds([wanted], owner="web_test")

    assert (decision.placed, decision.available) == (True, 700)
    hold = Hold.objects.get(pk=wanted.request_id)
    assert (hold.amount, hold.owner, hold.model) == (300, "web_test", "acme/large")
    assert before <= hold.created_at <= clock.now()
    assert hold.expires_at - hold.created_at == settings.HOLD_LEASE
    assert books.balance.held == 300


def test_hold_is_placed_when_it_is_exactly_the_balance(books):
    assert placed(books.wants(1_000)) == [True]
    assert books.balance.available == 0


def test_hold_is_refused_when_a_nano_dollar_is_missing(books):
    (decision,) = ledger.place_holds([books.wants(1_001)], owner="web_test")

    assert (decision.placed, decision.available) == (False, 1_000)
    assert books.holds() == {}


def test_holds_are_served_in_order_when_all_do_not_fit(books):
    batch = [books.wants(400), books.wants(400), books.wants(400)]

    assert placed(*batch) == [True, True, False]
    assert sorted(books.holds().values()) == [400, 400]


def test_holds_behind_are_served_when_one_is_too_large(books):
    amounts = (300, 5_000, 300, 600, 300, 200, 100, 0)

    decisions = ledger.place_holds([books.wants(amount) for amount in amounts], owner="web_test")

    assert [d.placed for d in decisions] == [True, False, True, False, True, False, True, True]
    assert {decision.available for decision in decisions} == {0}
    assert books.balance.held == 1_000


def test_holds_of_each_are_its_own_when_organisations_share_a_batch(make_books):
    rich, poor, empty = make_books(promo=1_000), make_books(allowance=100), make_books()

    decisions = ledger.place_holds(
        [poor.wants(60), rich.wants(600), empty.wants(1), poor.wants(60), rich.wants(400)],
        owner="web_test",
    )

    assert [d.placed for d in decisions] == [True, True, False, False, True]
    assert [d.available for d in decisions] == [40, 0, 0, 40, 0]
    assert [b.balance.held for b in (rich, poor, empty)] == [1_000, 60, 0]


def test_hold_of_nothing_is_placed_when_there_is_no_credit(make_books):
    assert placed(make_books().wants(0)) == [True]


def test_hold_is_refused_when_the_organisation_is_unknown(books):
    stranger = HoldRequest(new_request_id(), 2**40, 0)

    assert placed(stranger, books.wants(1)) == [False, True]


def test_hold_counts_once_when_the_same_request_is_sent_again(books):
    wanted = books.wants(700)

    assert placed(wanted) == [True]
    assert placed(wanted) == [True]
    assert books.balance.held == 700


def test_hold_counts_once_when_the_same_request_stands_twice_in_a_batch(books):
    wanted = books.wants(400)

    assert placed(wanted, wanted, books.wants(600)) == [True, True, True]
    assert books.balance.held == 1_000


def test_nothing_happens_when_the_batch_is_empty(db):
    assert ledger.place_holds([], owner="web_test") == []


def test_hold_outlives_its_lease_when_renewed(books):
    mine, other = books.hold(100), books.hold(100)
    books.expire(mine, other)

    ledger.renew([mine, "gen_unknown"])

    assert [hold.pk for hold in ledger.release_expired()] == [other]
    left = Hold.objects.get(pk=mine).expires_at - clock.now()
    assert datetime.timedelta() < left <= settings.HOLD_LEASE


def test_credit_is_given_back_when_holds_have_expired(make_books):
    one, two = make_books(purchased=1_000), make_books(purchased=1_000)
    dead, alive, also_dead = one.hold(300), one.hold(200), two.hold(1_000)
    one.expire(dead, also_dead)

    released = ledger.release_expired()

    assert {hold.pk: hold.amount for hold in released} == {dead: 300, also_dead: 1_000}
    assert one.holds() == {alive: 200}
    assert (one.balance.held, two.balance.held) == (200, 0)
    assert verify().is_sound


def test_nothing_is_released_when_every_hold_is_alive(books):
    books.hold(100)

    assert ledger.release_expired() == []
