"""Where days, weeks and months begin; and a request whose end is in another window than its beginning."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import Organization
from apps.billing.models import BudgetWindow, Period
from apps.billing.services import budgets, ledger
from apps.billing.services.known_budgets import Spender, terms_now
from apps.billing.services.ledger_budgets import open_window
from apps.billing.services.periods import period_at
from apps.billing.services.values import Extension, HoldRequest, Settlement
from apps.billing.services.verification import verify
from apps.common import clock
from tests.billing.books import new_request_id


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("period", "zone", "moment", "start", "end"),
    [
        ("day", "UTC", "2026-11-22T00:00", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("day", "UTC", "2026-11-21T23:59:59.999999", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("day", "Asia/Kolkata", "2026-11-21T18:30", "2026-11-21T18:30", "2026-11-22T18:30"),
        # 25 and 23 hours long
        ("day", "America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("day", "America/New_York", "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        # there is no midnight
        ("day", "Asia/Beirut", "2023-03-26T12:00", "2023-03-25T22:00", "2023-03-26T21:00"),
        # there are two of them
        ("day", "America/Havana", "2026-11-01T05:30", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("week", "UTC", "2026-11-22T12:00", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("week", "Europe/Berlin", "2026-10-25T12:00", "2026-10-18T22:00", "2026-10-25T23:00"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "UTC", "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "Europe/Berlin", "2026-03-31T22:00", "2026-03-31T22:00", "2026-04-30T22:00"),
        ("month", "Pacific/Kiritimati", "2026-10-31T10:00", "2026-10-31T10:00", "2026-11-30T10:00"),
    ],
)
def test_period_begins_and_ends_on_the_calendar_of_the_zone(period, zone, moment, start, end):
    assert period_at(Period(period), at(moment), ZoneInfo(zone)) == (at(start), at(end))


def test_request_counts_where_it_began_when_it_ends_after_midnight(books, monkeypatch):
    budget = budgets.make(
        books.organization_id, period=Period.DAY, amount=500, is_hard=True, alerts=[]
    )
    moment = at("2026-11-21T23:59:59")
    monkeypatch.setattr(clock, "now", lambda: moment)

    def hold(amount):
        terms = terms_now(Spender(books.organization_id), moment)
        wanted = HoldRequest(
            new_request_id(),
            books.organization_id,
            amount,
            held_at=moment,
            budget_version=terms.version,
            windows=terms.windows,
        )
        return wanted, ledger.place_holds([wanted], owner="web_test")[0].placed

    first, placed = hold(400)
    assert placed
    assert hold(200)[1] is False
    moment = at("2026-11-22T00:00:01")
    second, placed = hold(450)
    assert placed
    for wanted, cost in ((first, 300), (second, 20)):
        ledger.settle(
            [Settlement(wanted.request_id, books.organization_id, cost, held_at=wanted.held_at)]
        )

    windows = BudgetWindow.objects.filter(budget=budget).order_by("starts_at")
    assert [(w.spent, w.held) for w in windows] == [(300, 0), (20, 0)]
    assert verify(books.organization_id).problems == ()


def test_budget_that_has_ended_limits_nobody_who_began_under_it(books):
    budget = budgets.make(
        books.organization_id, period=Period.DAY, amount=500, is_hard=True, alerts=[]
    )
    now = clock.now()
    terms = terms_now(Spender(books.organization_id), now)
    wanted = HoldRequest(
        new_request_id(),
        books.organization_id,
        400,
        held_at=now,
        budget_version=terms.version,
        windows=terms.windows,
    )
    assert ledger.place_holds([wanted], owner="web_test")[0].placed

    refused = ledger.extend_hold(wanted.request_id, books.organization_id, amount=200)
    budgets.end(budget)
    granted = ledger.extend_hold(wanted.request_id, books.organization_id, amount=200)

    assert (refused, granted) == (Extension.NO_BUDGET, Extension.PLACED)
    assert verify(books.organization_id).problems == ()


def test_new_zone_holds_from_the_next_window_on(books, monkeypatch):
    budget = budgets.make(
        books.organization_id, period=Period.DAY, amount=500, is_hard=True, alerts=[]
    )
    first = open_window(budget.pk, at("2026-11-21T12:00"))
    Organization.objects.filter(pk=books.organization_id).update(time_zone="America/New_York")

    assert open_window(budget.pk, at("2026-11-21T23:00")).pk == first.pk
    second = open_window(budget.pk, at("2026-11-22T01:00"))

    assert second.starts_at == first.ends_at == at("2026-11-22T00:00")
    assert second.ends_at == at("2026-11-22T05:00")


def test_proof_tells_of_a_window_that_is_wrong(books):
    budget = budgets.make(
        books.organization_id, period=Period.DAY, amount=500, is_hard=True, alerts=[]
    )
    window = open_window(budget.pk, clock.now())
    BudgetWindow.objects.filter(pk=window.pk).update(spent=7)

    (problem,) = verify(books.organization_id).problems

    assert f"window {window.pk} of budget {budget.pk}: $0.000000007 spent" in problem


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "europe/berlin", "../etc/passwd"])
def test_zone_that_is_none_is_refused(name):
    organization = Organization(name="x", time_zone=name or "x")
    with pytest.raises(ValidationError) as refused:
        organization.clean_fields(exclude=["plan"])
    assert set(refused.value.message_dict) == {"time_zone"}
