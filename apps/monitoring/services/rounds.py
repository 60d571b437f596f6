"""Rounds: what the schedule wants in a minute. One round at a time, whatever the number of workers.

A round takes the most urgent of what is due, as far as the budget affords it and no more than a batch. Whatever is left
over is in the next one, so nothing piles up.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings

from apps.catalog.selectors import catalog, read_house_rates
from apps.common import clock
from apps.common.usage import Rates
from apps.monitoring import pacing, selectors
from apps.monitoring.hosts import Host, find_hosts
from apps.monitoring.models import ProbeRound, Result, Tier, Watch
from apps.monitoring.pacing import Due, Purse
from apps.monitoring.services import locking, probes, totals, watches
from apps.monitoring.tiers import ORDER, manners_of

log = structlog.get_logger(__name__)

AHEAD = datetime.timedelta(seconds=30)
"""Rounds come each minute: what is due before half of the next one is asked now, or five minutes would mean six."""
BEGINNING = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Round:
    asked: int = 0
    failed: int = 0
    unaffordable: int = 0
    is_busy: bool = False
    """Another one is under way."""


def run_round() -> Round:
    now = clock.now()
    hosts = find_hosts(catalog.get())
    watches.bring_up_to_date(hosts, now)
    if not settings.PROBE_MONTHLY_BUDGET:
        return Round()
    with locking.one_round() as this:
        probes.write_off(now)
        if Watch.objects.filter(claimed_until__gt=now).exists():
            return Round(is_busy=True)
        rows, rates = _read_due(hosts, now)
        purse = selectors.read_purse(now)
        due = [_due(row, hosts[row.pk], rates[row.pk]) for row in rows]
        choice = pacing.choose(
            due,
            affords=purse.affords(now),
            coming=_coming(hosts, {row.pk for row in rows}, now),
            most=settings.PROBE_BATCH,
        )
        by_id = {row.pk: row for row in rows}
        probes.claim([(by_id[one.offering_id], one.estimate) for one in choice.chosen], now)
        _postpone([by_id[one.offering_id] for one in choice.unaffordable], this, purse, now)
    questions = [
        probes.make_question(hosts[one.offering_id], rates[one.offering_id], one.tier, one.estimate)
        for one in choice.chosen
    ]
    findings = probes.ask(questions)
    found = [finding for finding in findings if finding is not None]
    summary = Round(
        asked=len(found),
        failed=sum(finding.succeeded is False for finding in found),
        unaffordable=len(choice.unaffordable),
    )
    if summary.asked:
        log.info("probes.made", asked=summary.asked, failed=summary.failed)
    return summary


def _read_due(
    hosts: Mapping[int, Host], now: datetime.datetime
) -> tuple[list[Watch], Mapping[int, Rates]]:
    """The most urgent first: by tier, then whoever has waited longest. What lost its price or its host is left out."""
    rows = [row for row in Watch.objects.filter(due_at__lte=now + AHEAD) if row.pk in hosts]
    rates = read_house_rates(row.pk for row in rows)
    rows = [row for row in rows if row.pk in rates]
    rows.sort(key=lambda row: (ORDER.index(Tier(row.tier)), row.probed_at or BEGINNING, row.pk))
    return rows, rates


def _due(row: Watch, host: Host, rates: Rates) -> Due:
    return Due(row.pk, Tier(row.tier), probes.estimate(row, host, rates))


def _coming(
    hosts: Mapping[int, Host], without: set[int], now: datetime.datetime
) -> dict[Tier, int]:
    """What the hosts of the higher tiers that clients do not exercise will want until the hour ends, and once at least."""
    rest = pacing.next_hour(now) - now
    quiet = [
        row
        for row in Watch.objects.filter(tier__in=[Tier.CRITICAL, Tier.POPULAR])
        if row.pk in hosts and row.pk not in without and not _is_exercised(row, now)
    ]
    rates = read_house_rates(row.pk for row in quiet)
    coming = dict.fromkeys(ORDER, 0)
    for row in quiet:
        if row.pk in rates:
            usual = row.dearest or hosts[row.pk].estimate(rates[row.pk])
            coming[Tier(row.tier)] += usual * max(1, rest // manners_of(row.tier).every)
    return coming


def _is_exercised(row: Watch, now: datetime.datetime) -> bool:
    return row.exercised_at is not None and now - row.exercised_at < manners_of(row.tier).every


def _postpone(
    rows: Sequence[Watch], this: ProbeRound, purse: Purse, now: datetime.datetime
) -> None:
    """Until more may be spent. Said once an hour."""
    if not rows:
        return
    for row in rows:
        row.due_at = pacing.next_hour(now)
    Watch.objects.bulk_update(rows, ["due_at"], batch_size=500)
    totals.count([(row.provider, row.tier, Result.UNAFFORDABLE, 0) for row in rows])
    if this.warned_at is None or pacing.next_hour(this.warned_at) < pacing.next_hour(now):
        spent = purse.before_today + purse.today
        log.warning(
            "probes.unaffordable",
            number=len(rows),
            spent_nano_usd=spent,
            cap_nano_usd=purse.cap,
        )
        this.warned_at = now
        this.save(update_fields=["warned_at"])
