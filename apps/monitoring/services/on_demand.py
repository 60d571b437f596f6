"""On demand: what a person wants to know of a host now, whatever the schedule says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings

from apps.catalog.selectors import catalog, read_house_rates
from apps.common import clock
from apps.common.money import format_usd
from apps.common.usage import Rates
from apps.monitoring import selectors
from apps.monitoring.hosts import Host, find_hosts
from apps.monitoring.models import Tier, Watch
from apps.monitoring.services import locking, probes
from apps.monitoring.services.asking import Finding


class NobodyThere(Exception):
    """The message is a sentence for staff."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of one host."""

    provider: str
    model: str
    finding: Finding | None
    why_not: str = ""
    """Why it was not asked."""

    @property
    def words(self) -> str:
        if self.finding is None:
            return f"not asked: {self.why_not}"
        found = self.finding
        status = f" {found.status}" if found.status else ""
        spent = f"{found.latency_ms} ms, {format_usd(found.cost)}"
        if found.succeeded:
            return f"answered: {spent}"
        return f"{'failed' if found.succeeded is False else 'undecided'}: {found.fault}{status}, {spent}"


def probe_now(offering_ids: Iterable[int], *, beyond_budget: bool = False) -> list[Told]:
    """In the order given, without those that are no host now. The month's budget holds, its pace does not."""
    hosts = find_hosts(catalog.get())
    asked = [hosts[pk] for pk in dict.fromkeys(offering_ids) if pk in hosts]
    told: list[Told] = []
    for start in range(0, len(asked), settings.PROBE_BATCH):
        told += _probe_batch(asked[start : start + settings.PROBE_BATCH], beyond_budget)
    return told


def _probe_batch(hosts: Sequence[Host], beyond_budget: bool) -> list[Told]:
    now = clock.now()
    rates = read_house_rates(probes.id_of(host) for host in hosts)
    told: dict[int, Told] = {}
    questions = []
    with locking.one_round():
        probes.write_off(now)
        left = selectors.read_purse(now).left
        for host in hosts:
            row, _ = Watch.objects.get_or_create(
                pk=probes.id_of(host),
                defaults={"provider": host.provider, "model": host.model, "tier": Tier.ON_DEMAND},
            )
            found = rates.get(row.pk)
            estimate = probes.estimate(row, host, found) if found else 0
            if why_not := _why_not(row, found, is_afforded=beyond_budget or estimate <= left):
                told[row.pk] = Told(host.provider, host.model, None, why_not)
                continue
            assert found is not None
            left -= estimate
            probes.claim([(row, estimate)], now)
            questions.append(probes.make_question(host, found, Tier.ON_DEMAND, estimate))
    for question, finding in zip(questions, probes.ask(questions, on_demand=True), strict=True):
        host = question.host
        why_not = "" if finding else "its breaker is open: again in a moment"
        told[probes.id_of(host)] = Told(host.provider, host.model, finding, why_not)
    return [told[probes.id_of(host)] for host in hosts]


def find_offerings(name: str) -> list[int]:
    """Those of a provider, by its slug, or of a model, by any of its names. Raises NobodyThere."""
    snapshot = catalog.get()
    hosts = find_hosts(snapshot)
    found = [pk for pk, host in hosts.items() if host.provider == name]
    if not found and (model := snapshot.resolve(name)) is not None:
        found = [offering.id for offering in model.offerings if offering.id in hosts]
    if not found:
        raise NobodyThere(f"No provider or model that can be asked is called '{name}'.")
    return found


def _why_not(row: Watch, rates: Rates | None, *, is_afforded: bool) -> str:
    if row.claimed_until is not None:
        return "it is being probed already"
    if rates is None:
        return "it has no price"
    return "" if is_afforded else "the month's budget for probes is spent"
