"""Probes in tests: the catalogue cut down to the test's own models, time that the test moves, and the sandbox's count."""

import datetime
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from django.db.models import F

from apps.accounts.models import Organization
from apps.catalog.models import Offering
from apps.catalog.providers.spec import Quirk
from apps.catalog.selectors import load_catalog
from apps.catalog.snapshots import ModelSnapshot
from apps.common import clock
from apps.common.ids import new_id
from apps.inference import recorder
from apps.inference.models import RequestRecord
from apps.monitoring.models import Probe, ProbeRound, ProbeTotal, Watch
from apps.monitoring.services import on_demand, rounds

TABLES = (Probe, Watch, ProbeTotal, ProbeRound)


class Field:
    """What a test of probes plays on: ``watch`` some models, ``pass_time``, ``run`` rounds."""

    def __init__(self, monkeypatch, upstream) -> None:
        self._monkeypatch = monkeypatch
        self._upstream = upstream
        # What other tests have asked of the same hosts was too long ago to count as use.
        RequestRecord.objects.update(created_at=F("created_at") - datetime.timedelta(hours=25))
        self._ahead = datetime.timedelta()
        real = clock.now
        monkeypatch.setattr(clock, "now", lambda: real() + self._ahead)

    def watch(
        self, *models: str, quirks: Mapping[str, tuple[Quirk, ...]] = MappingProxyType({})
    ) -> None:
        """Nobody else is in the catalogue: other tests have committed hosts that hang."""
        whole = load_catalog()
        snapshot = replace(
            whole,
            models={name: _bent(whole.models[name], quirks.get(name, ())) for name in models},
        )

        class Catalog:
            def get(self):
                return snapshot

        for module in (rounds, on_demand):
            self._monkeypatch.setattr(module, "catalog", Catalog())

    def pass_time(self, **units: float) -> None:
        self._ahead += datetime.timedelta(**units)

    def run(self, *, minutes: int = 1) -> list[rounds.Round]:
        """A round at once, and one in each minute that passes."""
        found = [rounds.run_round()]
        for _ in range(minutes - 1):
            self.pass_time(minutes=1)
            found.append(rounds.run_round())
        return found

    def bodies(self) -> list[Any]:
        """What the sandbox was sent, in order."""
        return [seen["body"] for seen in self._upstream.stats(recent=50)["recent"]]

    def calls(self, upstream_model: str) -> int:
        """How often the host was asked over its socket."""
        return int(self._upstream.stats()["by_model"].get(upstream_model, 0))


def _bent(model: ModelSnapshot, quirks: tuple[Quirk, ...]) -> ModelSnapshot:
    hosts = model.offerings
    bent = (replace(host, provider=replace(host.provider, quirks=quirks)) for host in hosts)
    return replace(model, offerings=tuple(bent)) if quirks else model


def forget() -> None:
    for table in TABLES:
        table.objects.all().delete()


def offering_of(model: str, *, place: int = 0) -> Offering:
    return Offering.objects.filter(model_id=model).order_by("pk")[place]


def serve(offering: Offering, *, ago: datetime.timedelta, fault: str = "") -> None:
    """A client's request that this host answered, or did not."""
    row = recorder.lost_row(
        organization_id=Organization.objects.create(name=new_id("test")).pk,
        api_key_id=None,
        model=offering.model_id,
        created_at=clock.now() - ago,
        latency_ms=100,
    )
    attempt = {
        "provider": offering.provider_id, "model": offering.upstream_model, "fault": fault, "status": None, "ms": 1,
    }  # fmt: skip
    row |= {
        "model": offering.model_id,
        "provider": offering.provider_id,
        "outcome": "failed" if fault else "completed",
        "attempts": [attempt],
    }
    recorder.insert([(new_id("gen"), 0, row)])
