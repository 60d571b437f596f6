"""Pacing: which of the probes that are due the month's budget affords now. Pure; money is nano-USD.

    what is left of the month, by the days that are left      today's share
    today's share, hour by hour                               what may have been spent by the end of this hour

So the budget is never gone on the third day, and what a quiet day leaves is spread over those that follow. Critical
hosts come before popular ones and those before the rest: a lower tier may only spend what the higher ones will not
want next.
"""

import calendar
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.monitoring.models import Tier
from apps.monitoring.tiers import ORDER


@dataclass(frozen=True, slots=True)
class Purse:
    """The month so far. What is set aside for probes under way counts as spent."""

    cap: int
    before_today: int
    today: int

    @property
    def left(self) -> int:
        """Of the whole month."""
        return max(0, self.cap - self.before_today - self.today)

    def affords(self, now: datetime.datetime) -> int:
        """What may be spent now, so that it lasts to the month's end."""
        _, days = calendar.monthrange(now.year, now.month)
        share = max(0, self.cap - self.before_today) // (days - now.day + 1)
        by_now = share * (now.hour + 1) // 24
        return max(0, min(by_now - self.today, self.left))


@dataclass(frozen=True, slots=True)
class Due:
    offering_id: int
    tier: Tier
    estimate: int
    """The most that this probe should cost."""


@dataclass(frozen=True, slots=True)
class Choice:
    chosen: tuple[Due, ...]
    unaffordable: tuple[Due, ...]


def choose(due: Sequence[Due], *, affords: int, coming: Mapping[Tier, int], most: int) -> Choice:
    """``due`` stands in the order of urgency; ``coming`` is what other probes of a tier will want next."""
    chosen: list[Due] = []
    unaffordable: list[Due] = []
    kept = dict(coming)
    for one in due:
        if len(chosen) == most:
            break
        for_higher = sum(kept.get(tier, 0) for tier in ORDER[: ORDER.index(one.tier)])
        if not one.estimate or one.estimate <= affords - for_higher:
            chosen.append(one)
            affords -= one.estimate
        else:
            unaffordable.append(one)
            kept[one.tier] = kept.get(one.tier, 0) + one.estimate
    return Choice(tuple(chosen), tuple(unaffordable))


def month_of(now: datetime.datetime) -> datetime.datetime:
    return today_of(now).replace(day=1)


def today_of(now: datetime.datetime) -> datetime.datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def next_hour(now: datetime.datetime) -> datetime.datetime:
    """When more may be spent."""
    return now.replace(minute=0, second=0, microsecond=0) + datetime.timedelta(hours=1)
