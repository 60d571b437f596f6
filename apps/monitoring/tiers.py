"""Tiers: how often each host is probed, and when next. Pure.

    of the offerings that clients used in a day    the 5 % used most     critical    every 5 minutes
                                                   the next 20 %         popular     every 30 minutes
    the others, and all that are listed                                  standard    every 2 hours
    what no schedule probes                                              on demand

A host that failed is asked again soon, and less often while it goes on failing; one whose breaker is still to close,
soon too.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from apps.monitoring.models import Tier

SOON = datetime.timedelta(minutes=1)
FAILING = datetime.timedelta(minutes=5)
PATIENT = 3
"""Probes of a host that fails for good, each after five minutes, before the next wait is twice as long."""
CRITICAL_PERCENT = 5
POPULAR_PERCENT = 20
ORDER = (Tier.CRITICAL, Tier.POPULAR, Tier.STANDARD)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a tier is probed. Seconds."""

    every: datetime.timedelta
    timeout: float


def manners_of(tier: str) -> Manners:
    seconds, timeout = settings.PROBE_TIERS[tier]
    return Manners(datetime.timedelta(seconds=seconds), timeout)


def sort_into_tiers(requests: Mapping[int, int]) -> dict[int, Tier]:
    """Offerings by their requests of a day. Equal ones stand by their ids, so that they do not change places."""
    used = sorted((o for o, n in requests.items() if n > 0), key=lambda o: (-requests[o], o))
    critical = -(-len(used) * CRITICAL_PERCENT // 100)
    popular = -(-len(used) * (CRITICAL_PERCENT + POPULAR_PERCENT) // 100)
    tiers = dict.fromkeys(requests, Tier.STANDARD)
    tiers.update(dict.fromkeys(used[critical:popular], Tier.POPULAR))
    tiers.update(dict.fromkeys(used[:critical], Tier.CRITICAL))
    return tiers


def wait_after(
    tier: Tier, *, failures: int, opens_at: int, is_closed: bool
) -> datetime.timedelta | None:
    """Until the next probe; None without a schedule.

    ``failures`` in a row, this probe's with them; at ``opens_at`` of them the breaker opens, and until then each minute
    counts. A host that fails on is asked after five minutes, later after twice as long each time, at most after what its
    tier asks for.
    """
    if tier is Tier.ON_DEMAND:
        return None
    usual = manners_of(tier).every
    if not failures:
        return usual if is_closed else SOON
    if failures < opens_at:
        return min(SOON, usual)
    doublings = max(0, failures - opens_at - PATIENT + 1)
    longer: int = 2 ** min(doublings, 10)
    return min(FAILING * longer, usual)
