"""Probes: what every probe goes through, whoever wants it: claim it, ask, write down what was found.

    rounds.py       what the schedule wants
    on_demand.py    what a person wants

Choosing and setting money aside happen behind one lock; asking happens outside of it. A claim whose worker died is
written off at what was set aside for it, so that the month's spending is never less than it may have been.
"""

import datetime
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import transaction

from apps.common import clock
from apps.common.usage import Rates
from apps.monitoring.hosts import Host
from apps.monitoring.models import Probe, Result, Tier, Watch
from apps.monitoring.services import asking, totals
from apps.monitoring.services.asking import Finding, Question
from apps.monitoring.tiers import manners_of, wait_after

log = structlog.get_logger(__name__)

CLAIM = datetime.timedelta(minutes=5)
"""Longer than a whole batch can take; whoever has not come back by then is dead."""
LOST = "lost"


def forget_old() -> int:
    """How many results were old enough."""
    number, _ = Probe.objects.filter(at__lt=clock.now() - settings.PROBES_KEPT_FOR).delete()
    return number


def id_of(host: Host) -> int:
    return host.target.offering.id


def estimate(row: Watch, host: Host, rates: Rates) -> int:
    """What a host once took beyond what it was allowed, it may take again."""
    return max(host.estimate(rates), row.dearest)


def claim(chosen: Sequence[tuple[Watch, int]], now: datetime.datetime) -> None:
    for row, estimate in chosen:
        row.claimed_until, row.reserved = now + CLAIM, estimate
    Watch.objects.bulk_update([row for row, _ in chosen], ["claimed_until", "reserved"])


def write_off(now: datetime.datetime) -> None:
    """Claims whose worker never came back. What it asked for may have been answered, and paid."""
    dead = list(Watch.objects.filter(claimed_until__lte=now))
    if not dead:
        return
    Probe.objects.bulk_create(
        Probe(
            offering_id=row.pk, provider=row.provider, model=row.model, tier=row.tier, succeeded=None, fault=LOST,
            cost=row.reserved, at=now,
        )
        for row in dead
    )  # fmt: skip
    totals.count([(row.provider, row.tier, Result.UNDECIDED, row.reserved) for row in dead])
    for row in dead:
        row.claimed_until, row.reserved = None, 0
        if row.due_at is not None:
            row.due_at = now + manners_of(row.tier).every
    Watch.objects.bulk_update(dead, ["claimed_until", "reserved", "due_at"])
    log.warning("probes.lost", number=len(dead))


def make_question(host: Host, rates: Rates, tier: Tier, estimate: int) -> Question:
    return Question(host, rates, manners_of(tier).timeout, estimate)


def ask(questions: Sequence[Question], *, on_demand: bool = False) -> list[Finding | None]:
    """Ask and write down, whatever was found."""
    if not questions:
        return []
    findings = asking.ask_all(questions)
    _write_down(questions, findings, on_demand=on_demand)
    return findings


@transaction.atomic
def _write_down(
    questions: Sequence[Question], findings: Sequence[Finding | None], *, on_demand: bool
) -> None:
    now = clock.now()
    rows = Watch.objects.in_bulk([id_of(question.host) for question in questions])
    probes = []
    for question, finding in zip(questions, findings, strict=True):
        row = rows[id_of(question.host)]
        row.claimed_until, row.reserved = None, 0
        if finding is None:  # nobody was asked: it stays due
            continue
        _learn(row, finding, now)
        probes.append(
            Probe(
                offering_id=row.pk, provider=row.provider, model=row.model,
                tier=Tier.ON_DEMAND if on_demand else row.tier, succeeded=finding.succeeded, fault=finding.fault,
                status=finding.status, latency_ms=finding.latency_ms, first_content_ms=finding.first_content_ms,
                cost=finding.cost, at=now,
            )
        )  # fmt: skip
    Probe.objects.bulk_create(probes)
    Watch.objects.bulk_update(
        rows.values(), ["claimed_until", "reserved", "probed_at", "due_at", "failures", "dearest"]
    )
    totals.count(
        [(probe.provider, probe.tier, _result(probe.succeeded), probe.cost) for probe in probes]
    )


def _learn(row: Watch, finding: Finding, now: datetime.datetime) -> None:
    row.probed_at = now
    row.dearest = max(row.dearest, finding.cost)
    if finding.succeeded is not None:
        row.failures = 0 if finding.succeeded else row.failures + 1
    is_undecided = finding.succeeded is None
    wait = wait_after(
        Tier(row.tier),
        failures=0 if is_undecided else row.failures,
        opens_at=settings.BREAKER_FAILURES,
        is_closed=is_undecided or finding.is_closed,
    )
    row.due_at = None if wait is None else now + wait


def _result(succeeded: bool | None) -> Result:
    if succeeded is None:
        return Result.UNDECIDED
    return Result.ANSWERED if succeeded else Result.FAILED
