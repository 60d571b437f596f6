"""Forecasts: what a month will have cost at its end, and when the credit is used up, if all goes on as in the last week.

Nothing is told before there is a day of requests to go by, and nothing is rounded up to a number that is not known.
"""

import datetime
from dataclasses import dataclass

from apps.billing.selectors import Expiring, credit_of, expiring_credit
from apps.inference.usage_sums import Range, first_moment
from apps.monitoring.usage import Question, read_total

LOOK_BACK = datetime.timedelta(days=7)
LEAST = datetime.timedelta(days=1)
FURTHEST = datetime.timedelta(days=3650)
"""Credit that lasts for ten years is not said to run dry."""
SECOND = datetime.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Burn:
    """What was charged lately: nano-USD in so many seconds."""

    since: datetime.datetime
    spent: int
    seconds: int

    def over(self, time: datetime.timedelta) -> int:
        """Nano-USD that go in this time."""
        return self.spent * (time // SECOND) // self.seconds


@dataclass(frozen=True, slots=True)
class Forecast:
    burn: Burn | None
    """None where there is not yet a day of requests to go by; so are the others."""
    month_end: int | None
    """Nano-USD of the whole month."""
    runs_dry_at: datetime.datetime | None
    """None also when nothing was charged lately, and when the credit lasts for years."""


def forecast(
    organization_id: int, *, now: datetime.datetime, month_so_far: int, month_end: datetime.datetime
) -> Forecast:
    burn = _burn_of(organization_id, now)
    if burn is None:
        return Forecast(None, None, None)
    return Forecast(
        burn=burn,
        month_end=month_so_far + burn.over(month_end - now),
        runs_dry_at=runs_dry_at(
            now,
            burn,
            lots=expiring_credit(organization_id),
            purchased=credit_of(organization_id).purchased,
        ),
    )


def _burn_of(organization_id: int, now: datetime.datetime) -> Burn | None:
    first = first_moment(organization_id=organization_id)
    if first is None or now - first < LEAST:
        return None
    since = max(first, now - LOOK_BACK)
    total = read_total(Question(organization_id, Range(since, now), has_times=False))
    return Burn(since, total["charged"], (now - since) // SECOND)


def runs_dry_at(
    now: datetime.datetime, burn: Burn, *, lots: list[Expiring], purchased: int
) -> datetime.datetime | None:
    """Credit that expires is spent first, in the order of the lots, and what is left of a lot at its end is gone."""
    if not burn.spent:
        return None
    moment = now
    for lot in [*lots, Expiring("purchased", purchased, None, "")]:
        if lot.expires_at is not None and lot.expires_at <= moment:
            continue
        lasts = SECOND * min(lot.amount * burn.seconds // burn.spent, FURTHEST // SECOND)
        moment += lasts
        if lot.expires_at is not None:
            moment = min(moment, lot.expires_at)
        if moment - now >= FURTHEST:
            return None
    return moment
