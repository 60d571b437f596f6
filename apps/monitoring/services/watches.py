"""Watches: the row of each host that may be probed, kept true to the catalogue and to what clients do.

what is in the catalogue, in which tier      every quarter of an hour
whom clients' own requests have exercised    every round: such a host needs no probe
"""

import datetime
from collections.abc import Mapping

from django.db.models import Q

from apps.inference import selectors as requests
from apps.monitoring.hosts import Host
from apps.monitoring.models import ProbeRound, Tier, Watch
from apps.monitoring.services import locking
from apps.monitoring.tiers import manners_of, sort_into_tiers

SORTED_FOR = datetime.timedelta(minutes=15)
USED_WITHIN = datetime.timedelta(hours=24)
LONGEST_REQUEST = datetime.timedelta(minutes=15)
"""A record is written when its request ends, and is dated by when it began."""
WORTH_WRITING = datetime.timedelta(minutes=1)


def bring_up_to_date(hosts: Mapping[int, Host], now: datetime.datetime) -> None:
    if _is_sorting_due(now):
        _sort(hosts, now)
    _note_answers(hosts, now)


def _is_sorting_due(now: datetime.datetime) -> bool:
    return not ProbeRound.objects.filter(sorted_at__gt=now - SORTED_FOR).exists()


def _sort(hosts: Mapping[int, Host], now: datetime.datetime) -> None:
    """A row for each host, in the tier that its use asks for; none for what is gone."""
    calls = requests.read_calls(USED_WITHIN)
    used = {}
    for offering_id, host in hosts.items():
        found = calls.get((host.provider, host.target.offering.upstream_model))
        used[offering_id] = found.answered + found.failed if found else 0
    tiers = sort_into_tiers({o: n for o, n in used.items() if hosts[o].is_scheduled})
    with locking.one_round() as this:
        known = {row.pk: row for row in Watch.objects.all()}
        made, changed = [], []
        for place, (offering_id, host) in enumerate(hosts.items()):
            tier = tiers.get(offering_id, Tier.ON_DEMAND)
            row = known.get(offering_id)
            if row is None:
                row = Watch(offering_id=offering_id, provider=host.provider, model=host.model)
                # Not all of them at once: each has its own moment in the tier's turn.
                turn = manners_of(tier).every * place / len(hosts)
                row.due_at = None if tier is Tier.ON_DEMAND else now + turn
                made.append(row)
            elif row.tier != tier:
                row.due_at = _moved(row, tier, now)
                changed.append(row)
            elif row.requests != used[offering_id]:
                changed.append(row)
            row.tier, row.requests = tier, used[offering_id]
        Watch.objects.bulk_create(made, batch_size=500)
        Watch.objects.bulk_update(changed, ["tier", "requests", "due_at"], batch_size=500)
        gone = [pk for pk, row in known.items() if pk not in hosts and row.claimed_until is None]
        for start in range(0, len(gone), 500):
            Watch.objects.filter(pk__in=gone[start : start + 500]).delete()
        this.sorted_at = now
        this.save(update_fields=["sorted_at"])


def _moved(row: Watch, tier: Tier, now: datetime.datetime) -> datetime.datetime | None:
    """Its next moment in the new tier: never later than that tier's turn."""
    if tier is Tier.ON_DEMAND:
        return None
    latest = now + manners_of(tier).every
    return latest if row.due_at is None else min(row.due_at, latest)


def _note_answers(hosts: Mapping[int, Host], now: datetime.datetime) -> None:
    """A client's full answer is worth a probe that succeeded."""
    answers = requests.read_last_answers(LONGEST_REQUEST)
    exercised = {}
    for offering_id, host in hosts.items():
        moment = answers.get((host.provider, host.target.offering.upstream_model))
        if moment is not None:
            exercised[offering_id] = moment
    if not exercised:
        return
    changed = []
    for row in Watch.objects.filter(~Q(due_at=None), pk__in=list(exercised)):
        moment = exercised[row.pk]
        if row.exercised_at is not None and moment - row.exercised_at < WORTH_WRITING:
            continue
        row.exercised_at = moment
        if row.probed_at is None or moment > row.probed_at:
            row.failures = 0
        if not row.failures and row.due_at is not None:
            row.due_at = max(row.due_at, moment + manners_of(row.tier).every)
        changed.append(row)
    Watch.objects.bulk_update(changed, ["exercised_at", "failures", "due_at"], batch_size=500)
