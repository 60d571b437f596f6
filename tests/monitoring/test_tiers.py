"""Tiers and pacing, without a database: who is probed how often, and what a month's budget affords."""

import calendar
import datetime
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.models import Tier
from apps.monitoring.pacing import Due, Purse, choose, next_hour
from apps.monitoring.tiers import ORDER, sort_into_tiers, wait_after

DOLLAR = 10**9
NOVEMBER = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("used", "critical", "popular"),
    [(0, 0, 0), (1, 1, 0), (4, 1, 0), (5, 1, 1), (20, 1, 4), (21, 2, 4), (100, 5, 20), (101, 6, 20)],
)  # fmt: skip
def test_shares_of_the_used_are_rounded_up_when_counted(used, critical, popular):
    requests = {n: 1000 - n for n in range(used)} | dict.fromkeys(range(1000, 1050), 0)

    tiers = sort_into_tiers(requests)

    assert [o for o, tier in tiers.items() if tier is Tier.CRITICAL] == list(range(critical))
    found = [o for o, tier in tiers.items() if tier is Tier.POPULAR]
    assert found == list(range(critical, critical + popular))
    assert sum(tier is Tier.STANDARD for tier in tiers.values()) == 50 + used - critical - popular


@given(st.dictionaries(st.integers(1, 10**6), st.integers(0, 50), max_size=200))
def test_more_requests_never_mean_a_lower_tier(requests):
    tiers = sort_into_tiers(requests)

    assert tiers.keys() == requests.keys()
    assert tiers == sort_into_tiers(dict(reversed(requests.items())))
    for at, higher in enumerate(ORDER):
        least = min((requests[o] for o in requests if tiers[o] is higher), default=0)
        assert all(requests[o] <= least for o in requests if tiers[o] in ORDER[at + 1 :] and least)
    assert all(tiers[o] is Tier.STANDARD for o, n in requests.items() if not n)


@pytest.mark.parametrize(
    ("tier", "failures", "is_closed", "minutes"),
    [
        (Tier.CRITICAL, 0, True, 5),
        (Tier.POPULAR, 0, True, 30),
        (Tier.STANDARD, 0, True, 120),
        (Tier.STANDARD, 0, False, 1),  # one more success closes its breaker
        (Tier.STANDARD, 1, True, 1),
        (Tier.STANDARD, 4, True, 1),
        (Tier.STANDARD, 5, False, 5),
        (Tier.STANDARD, 7, False, 5),
        (Tier.STANDARD, 8, False, 10),
        (Tier.STANDARD, 9, False, 20),
        (Tier.STANDARD, 50, False, 120),
        (Tier.POPULAR, 50, False, 30),
        (Tier.CRITICAL, 50, False, 5),
    ],
)
def test_next_probe_comes_when_the_last_one_says(tier, failures, is_closed, minutes):
    wait = wait_after(tier, failures=failures, opens_at=5, is_closed=is_closed)

    assert wait == timedelta(minutes=minutes)


def test_no_next_probe_when_nobody_schedules_it():
    assert wait_after(Tier.ON_DEMAND, failures=1, opens_at=5, is_closed=True) is None


@pytest.mark.parametrize(
    ("day", "hour", "before", "today", "affords"),
    [
        (1, 0, 0, 0, 5 * DOLLAR // 30 // 24),
        (1, 23, 0, 0, 5 * DOLLAR // 30),
        (1, 23, 0, 5 * DOLLAR // 30, 0),
        (3, 23, 0, 0, 5 * DOLLAR // 28),  # two quiet days are spread over those that follow
        (16, 23, 4 * DOLLAR, 0, DOLLAR // 15),
        (30, 23, 4 * DOLLAR, 0, DOLLAR),
        (30, 23, 4 * DOLLAR, DOLLAR - 1, 1),
        (30, 23, 4 * DOLLAR, DOLLAR, 0),
        (2, 12, 6 * DOLLAR, 0, 0),  # the cap has been lowered meanwhile
    ],
)
def test_purse_affords_what_lasts_to_the_end_of_the_month(day, hour, before, today, affords):
    now = NOVEMBER.replace(day=day, hour=hour, minute=30)

    assert Purse(5 * DOLLAR, before, today).affords(now) == affords


@given(
    st.integers(0, 20 * DOLLAR),
    st.integers(1, DOLLAR // 10),
    st.sampled_from([(2026, 2), (2026, 11), (2028, 2), (2026, 12)]),
)
def test_month_is_never_overspent_nor_gone_early_when_everybody_always_wants_more(
    cap, estimate, month
):
    year, number = month
    _, days = calendar.monthrange(year, number)
    spent: list[int] = []
    for day in range(1, days + 1):
        before, today = sum(spent), 0
        for hour in range(24):
            now = datetime.datetime(year, number, day, hour, tzinfo=datetime.UTC)
            today += Purse(cap, before, today).affords(now) // estimate * estimate
        spent.append(today)

    assert sum(spent) <= cap
    assert sum(spent[:3]) <= cap * 3 / (days - 2) + 1
    assert cap - sum(spent) < estimate, "nor is it left over"


def due(tier, *estimates, start=0):
    return [Due(start + n, tier, estimate) for n, estimate in enumerate(estimates)]


def test_higher_tiers_are_paid_first_when_there_is_not_enough_for_all():
    wanted = [*due(Tier.CRITICAL, 40), *due(Tier.POPULAR, 40, start=10), *due(Tier.STANDARD, 40, start=20)]  # fmt: skip

    found = choose(wanted, affords=100, coming={}, most=50)

    assert [one.offering_id for one in found.chosen] == [0, 10]
    assert [one.offering_id for one in found.unaffordable] == [20]


@pytest.mark.parametrize(
    ("coming", "chosen"),
    [
        ({}, [0, 1]),
        ({Tier.CRITICAL: 60}, [0]),
        ({Tier.CRITICAL: 30, Tier.POPULAR: 30}, [0]),
        ({Tier.CRITICAL: 90}, []),
        ({Tier.STANDARD: 90}, [0, 1]),
    ],
)
def test_lower_tier_leaves_what_the_higher_ones_will_want_next(coming, chosen):
    found = choose(due(Tier.STANDARD, 40, 40), affords=100, coming=coming, most=50)

    assert [one.offering_id for one in found.chosen] == chosen


def test_dear_critical_host_is_saved_for_when_cheap_ones_would_eat_the_budget():
    wanted = [*due(Tier.CRITICAL, 150), *due(Tier.STANDARD, 10, 10, start=10)]

    found = choose(wanted, affords=100, coming={}, most=50)

    assert found.chosen == ()
    assert [one.offering_id for one in found.unaffordable] == [0, 10, 11]


def test_what_costs_nothing_is_asked_when_there_is_no_budget_left():
    found = choose(due(Tier.STANDARD, 0, 1), affords=0, coming={Tier.CRITICAL: 5}, most=50)

    assert [one.offering_id for one in found.chosen] == [0]


def test_batch_ends_when_it_is_full():
    found = choose(due(Tier.CRITICAL, 1, 1, 1), affords=100, coming={}, most=2)

    assert [one.offering_id for one in found.chosen] == [0, 1]
    assert found.unaffordable == ()


@given(
    st.lists(st.tuples(st.sampled_from(ORDER), st.integers(0, 100)), max_size=60),
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from(ORDER), st.integers(0, 300)),
)
def test_choice_never_costs_more_than_is_afforded(wanted, affords, coming):
    wanted.sort(key=lambda one: ORDER.index(one[0]))
    everything = [Due(n, tier, estimate) for n, (tier, estimate) in enumerate(wanted)]

    found = choose(everything, affords=affords, coming=coming, most=50)

    assert sum(one.estimate for one in found.chosen) <= affords
    assert len(found.chosen) <= 50
    assert not set(found.chosen) & set(found.unaffordable)


def test_next_hour_is_tomorrow_when_the_day_ends():
    late = NOVEMBER.replace(hour=23, minute=59)

    assert next_hour(late) == NOVEMBER.replace(day=2)
