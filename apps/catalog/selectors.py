"""Reading the catalogue: one snapshot for the hot path, and the prices in force.

``catalog`` is loaded in six queries whatever the number of models, and loaded again when a row changes or when a
price whose ``valid_from`` lay in the future comes into force.
"""

import datetime
import gc
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import structlog
from django.db.models import Exists, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from apps.catalog.capabilities import Capabilities, capabilities
from apps.catalog.cards import render_list
from apps.catalog.client_rates import house_rates, marked_up
from apps.catalog.models import (
    AMOUNTS,
    RANKS,
    CatalogEpoch,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceSource,
    PriceTerms,
    Provider,
    UpstreamBalance,
)
from apps.catalog.providers.canonical import VENDORS
from apps.catalog.reach import describe_provider, is_switched_on, read_provider
from apps.catalog.routers import pools_of
from apps.catalog.snapshots import (
    CatalogSnapshot,
    ModelSnapshot,
    OfferingSnapshot,
    ProviderSnapshot,
    Terms,
)
from apps.common import clock
from apps.common.cache import Snapshot
from apps.common.prepared import Prepared
from apps.common.usage import Rates

__all__ = ["CatalogSnapshot", "ModelSnapshot", "OfferingSnapshot", "ProviderSnapshot", "catalog"]

log = structlog.get_logger(__name__)

BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def prices_in_force(now: datetime.datetime) -> QuerySet[Price]:
    """At most one price per offering: the latest whose ``valid_from`` has passed."""
    newer = Price.objects.filter(
        offering=OuterRef("offering"), valid_from__gt=OuterRef("valid_from"), valid_from__lte=now
    )
    return Price.objects.filter(~Exists(newer), valid_from__lte=now)


def read_epoch() -> int:
    """Rises with every change of a row, and when a price comes into force; one query."""
    latest = Price.objects.filter(valid_from__lte=clock.now()).order_by("-valid_from")
    value, in_force = (
        CatalogEpoch.objects.annotate(in_force=Subquery(latest.values("valid_from")[:1]))
        .values_list("value", "in_force")
        .get(pk=1)
    )
    # Both only grow, so their sum changes whenever one of them does.
    return int(value) + ((in_force or BEGINNING) - BEGINNING) // datetime.timedelta(microseconds=1)


def read_house_rates(offering_ids: Iterable[int]) -> dict[int, Rates]:
    """What these offerings cost the house: the prices in force without any mark-up. Without a price, not in it."""
    rows = prices_in_force(clock.now()).filter(offering__in=list(offering_ids)).order_by()
    return {
        offering: house_rates(price_id, amounts, tiers)
        for offering, price_id, tiers, *amounts in rows.values_list(
            "offering_id", "pk", "tiers", *AMOUNTS
        )
    }


def read_provider_slugs() -> list[str]:
    """Of all that have a row, enabled or not."""
    return list(Provider.objects.order_by("slug").values_list("slug", flat=True))


def read_upstream_names(offering_ids: Iterable[int]) -> dict[int, str]:
    """By offering: its provider's name for the model."""
    rows = Offering.objects.filter(pk__in=list(offering_ids))
    return dict(rows.values_list("pk", "upstream_model"))


def read_balances() -> list[tuple[str, str, int]]:
    """Provider, currency and billionths of it that are left in the house's account, where that was ever told."""
    rows = UpstreamBalance.objects.order_by("provider")
    found = rows.values_list("provider_id", "currency", "amount")
    return [(slug, unit, amount) for slug, unit, amount in found if amount is not None]


def public_id(model_id: str, variant: str) -> str:
    """``acme/large`` and, for what is offered free of charge, ``acme/large:free``."""
    return f"{model_id}:{variant}" if variant else model_id


def load_catalog() -> CatalogSnapshot:
    """A quarter of a second for thousands of models (docs/performance.md): plain values instead of model instances, and
    no garbage collection meanwhile, which would look again and again at tens of thousands of new objects that all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        snapshot = _load_catalog(read_provider)
        pools_of(snapshot)  # made here, so that no request that names a router waits for it
        return snapshot
    finally:
        if was_enabled:
            gc.enable()


@lru_cache(maxsize=1)
def whole_catalog(_of: CatalogSnapshot) -> CatalogSnapshot:
    """The same with the providers that lack a key or an address here: what could be asked for. Read when it is wanted."""
    return _load_catalog(lambda row: describe_provider(row) if is_switched_on(row) else None)


def _load_catalog(read: Callable[[Provider], ProviderSnapshot | None]) -> CatalogSnapshot:
    rows = {row.slug: row for row in Provider.objects.all()}
    providers = {slug: found for slug, row in rows.items() if (found := read(row))}
    priced = {
        offering: house_rates(price_id, amounts, tiers)
        for offering, price_id, tiers, *amounts in prices_in_force(clock.now())
        .order_by()
        .values_list("offering_id", "pk", "tiers", *AMOUNTS)
    }
    hosts = _read_hosts()
    models: dict[str, ModelSnapshot] = {}
    for facts in _read_facts():
        for name, variant in _names_of(facts.id, hosts):
            models[name] = _read_model(
                name, facts, hosts[facts.id, variant], providers, rows, priced
            )
    return CatalogSnapshot(
        models=models,
        names=_other_names(models, hosts),
        providers=providers,
        listing=Prepared(render_list(model for model in models.values() if model.offerings)),
        terms=read_terms(),
    )


def read_terms() -> dict[int, tuple[Terms, ...]]:
    terms: dict[int, list[Terms]] = defaultdict(list)
    for row in PriceTerms.objects.order_by("pk"):
        terms[row.organization_id].append(
            Terms(
                id=row.pk,
                provider=row.provider_id or "",
                model_pattern=row.model_pattern.lower(),
                basis_points=row.basis_points,
                valid_from=row.valid_from,
                valid_until=row.valid_until,
            )
        )
    return {organization: tuple(rows) for organization, rows in terms.items()}


class Facts(NamedTuple):
    """A model that is on."""

    id: str
    name: str
    description: str
    released_on: datetime.date | None
    context_length: int | None
    max_output_tokens: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    supported_parameters: tuple[str, ...]
    learned: tuple[str, ...]
    """The abilities that no operator wrote."""


LISTS = ("input_modalities", "output_modalities", "supported_parameters", "learned")


@lru_cache(maxsize=4096)
def _words(text: str | None) -> tuple[str, ...]:
    """Thousands of models share a few hundred lists. Of an object its keys; nothing of NULL and of JSON's null."""
    return tuple(json.loads(text) or ()) if text else ()


@lru_cache(maxsize=64)
def _sources(text: str | None) -> Mapping[str, str]:
    return MappingProxyType(json.loads(text) or {}) if text else NO_SOURCES


NO_SOURCES: Mapping[str, str] = MappingProxyType({})


def _read_facts() -> Iterator[Facts]:
    as_text = {f"{name}_text": Cast(name, TextField()) for name in LISTS}
    columns = [name for name in Facts._fields if name not in LISTS]
    rows = Model.objects.filter(is_active=True).order_by("id").annotate(**as_text)
    for values in rows.values_list(*columns, *as_text):
        yield Facts(*values[: len(columns)], *(_words(text) for text in values[len(columns) :]))


class Host(NamedTuple):
    """An offering that is on."""

    id: int
    model_id: str
    variant: str
    provider: str
    upstream_model: str
    context_length: int | None
    max_output_tokens: int | None
    priority: int
    quantization: str
    weight: int | None
    supported_parameters: tuple[str, ...]
    input_modalities: tuple[str, ...]
    told_by: Mapping[str, str]

    def capabilities(self, facts: Facts) -> Capabilities | None:
        """What is told of this host, with the model's where that is nothing; None when it is nothing at all."""
        if not (self.supported_parameters or self.input_modalities):
            return None
        own = bool(self.supported_parameters)
        return capabilities(
            self.supported_parameters or facts.supported_parameters,
            self.input_modalities or facts.input_modalities,
            knows_inputs=bool(self.input_modalities),
            is_whole=self.told_by.get("supported_parameters") in NAME_ALL
            if own
            else names_all(facts),
        )


NAME_ALL = frozenset(name for name, rank in RANKS.items() if rank >= RANKS[PriceSource.PROVIDER])
"""The sources whose lists name all that a host takes."""
HOST_LISTS = ("supported_parameters", "input_modalities", "told_by")


def names_all(facts: Facts) -> bool:
    """Whether an operator wrote what the model takes."""
    return bool(facts.supported_parameters) and "supported_parameters" not in facts.learned


Hosts = Mapping[tuple[str, str], list[Host]]
"""By model and variant."""
Priced = Mapping[int, Rates]
"""By offering: what it costs the house."""


def _read_hosts() -> Hosts:
    hosts: dict[tuple[str, str], list[Host]] = defaultdict(list)
    as_text = {f"{name}_text": Cast(name, TextField()) for name in HOST_LISTS}
    found = Offering.objects.filter(is_active=True, withdrawn_at=None).order_by("pk")
    rows = found.annotate(**as_text).values_list(
        "pk", "model_id", "variant", "provider_id", "upstream_model", "context_length", "max_output_tokens",
        "priority", "quantization", "weight", *as_text,
    )  # fmt: skip
    for *plain, parameters, inputs, told_by in rows:
        told = (_words(parameters), _words(inputs), _sources(told_by))
        host = Host._make((*plain, *told))
        hosts[host.model_id, host.variant].append(host)
        if host.variant:
            hosts[host.model_id, VARIANTS].append(host)
    return hosts


VARIANTS = "*"
"""In place of a variant: all of them."""


def _names_of(model_id: str, hosts: Hosts) -> list[tuple[str, str]]:
    """Public ids and their variants. A model that is only offered in a special way has no ordinary id."""
    variants = sorted({host.variant for host in hosts[model_id, VARIANTS]})
    special = [(public_id(model_id, variant), variant) for variant in variants]
    return special if special and not hosts[model_id, ""] else [(model_id, ""), *special]


def _read_model(
    name: str,
    facts: Facts,
    hosts: list[Host],
    providers: Mapping[str, ProviderSnapshot],
    rows: Mapping[str, Provider],
    priced: Priced,
) -> ModelSnapshot:
    reachable = [host for host in hosts if host.provider in providers]
    served = []
    for host in reachable:
        if host.id not in priced:
            continue
        served.append(
            OfferingSnapshot(
                id=host.id,
                model_id=name,
                provider=providers[host.provider],
                upstream_model=host.upstream_model,
                rates=marked_up(priced[host.id], markup_ppm=rows[host.provider].markup_ppm),
                context_length=host.context_length or facts.context_length,
                max_output_tokens=host.max_output_tokens or facts.max_output_tokens,
                priority=host.priority,
                quantization=host.quantization,
                weight=host.weight,
                capabilities=host.capabilities(facts),
            )
        )
    return ModelSnapshot(
        id=name,
        name=facts.name,
        description=facts.description,
        released_on=facts.released_on,
        context_length=facts.context_length,
        max_output_tokens=facts.max_output_tokens,
        input_modalities=facts.input_modalities,
        output_modalities=facts.output_modalities,
        supported_parameters=facts.supported_parameters,
        offerings=tuple(sorted(served, key=lambda offering: offering.preference)),
        is_priced=any(host.id in priced for host in reachable or hosts),
        names_all=names_all(facts),
    )


def _other_names(models: Mapping[str, ModelSnapshot], hosts: Hosts) -> dict[str, str]:
    """Lower-cased names to ids. An id beats an alias, an alias beats a bare name."""
    names = _bare_names(models, hosts)
    for alias, model_id in ModelAlias.objects.values_list("alias", "model_id"):
        if model_id in models:
            names[alias] = model_id
    names.update((model_id.lower(), model_id) for model_id in models)
    return names


def _bare_names(models: Mapping[str, ModelSnapshot], hosts: Hosts) -> dict[str, str]:
    """Ids without their organisation and names at providers, where they mean one model only.

    When they mean several, the one that its own vendor serves is meant: ``gpt-4o`` is OpenAI's.
    """
    meant: dict[str, set[str]] = defaultdict(set)
    meant_by_vendor: dict[str, set[str]] = defaultdict(set)
    for model_id in models:
        meant[model_id.lower()].add(model_id)
        meant[model_id.lower().rpartition("/")[2]].add(model_id)
    for (model_id, variant), offered in hosts.items():
        name = public_id(model_id, variant)
        if name not in models:
            continue
        owner = model_id.partition("/")[0]
        spelled = {host.upstream_model.lower() for host in offered}
        spelled |= {spelling.rpartition("/")[2] for spelling in spelled}
        for spelling in spelled:
            meant[spelling].add(name)
        if any(VENDORS.get(host.provider, host.provider) == owner for host in offered):
            for spelling in (*spelled, name.lower(), name.lower().rpartition("/")[2]):
                meant_by_vendor[spelling].add(name)
    found: dict[str, str] = {}
    for name, ids in meant.items():
        candidates = meant_by_vendor.get(name) or ids
        if len(candidates) == 1:
            found[name] = next(iter(candidates))
    return found


catalog = Snapshot("catalog", load=load_catalog, epoch=read_epoch)
