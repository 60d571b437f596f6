"""The directory: every provider that has a row, asked or not, with what it offers now.

Read from the database once for each snapshot of the catalogue, whose epoch counts the same rows. What is told is public: that a
provider is off or not set up, but not which of its settings is missing.
"""

import datetime
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson
from django.conf import settings

from apps.catalog.models import Provider
from apps.catalog.models.feed import Feed
from apps.catalog.providers.registry import spec_of
from apps.catalog.providers.spec import Operation
from apps.catalog.reach import data_policy_of
from apps.catalog.selectors import catalog
from apps.catalog.snapshots import CatalogSnapshot, ModelSnapshot, OfferingSnapshot
from apps.common.errors import NotFound
from apps.common.prepared import Prepared

Json = dict[str, Any]


class Unroutable(StrEnum):
    """Why no request goes to a provider now: a closed list that names no setting."""

    DISABLED = "disabled"
    SANDBOX_OFF = "sandbox_off"
    NOT_CONFIGURED = "not_configured"
    """It has no address or no key."""
    NO_MODELS = "no_models"
    """Nothing of what it serves is known, switched on and priced."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ListedProvider:
    slug: str
    name: str
    docs: str
    """The page that describes its API; empty when unknown."""
    policy_page: str
    """The page of its data policy that the release goes by; empty when there is none."""
    enabled: bool
    priority: int
    is_sandbox: bool
    wires: tuple[str, ...]
    operations: tuple[str, ...]
    offerings: tuple[OfferingSnapshot, ...]
    """What can be asked for there now."""
    models: tuple[ModelSnapshot, ...]
    reason: Unroutable | None
    """None when requests can go there now."""

    @property
    def is_routable(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directory:
    """By slug, in the order in which an operator ranked the providers."""

    snapshot: CatalogSnapshot = field(repr=False)
    providers: Mapping[str, ListedProvider]

    documents: dict[str, Prepared] = field(default_factory=dict, repr=False)

    def find(self, slug: str) -> ListedProvider:
        """However it is capitalised. Raises NotFound."""
        found = self.providers.get(slug.lower())
        if found is None:
            raise NotFound(f"There is no provider '{slug[:60]}'.", param="slug")
        return found

    def document(self, name: str, render: Callable[["Directory"], Json]) -> Prepared:
        """The body of a route, made once for each state of the catalogue."""
        if name not in self.documents:
            self.documents[name] = Prepared(orjson.dumps(render(self)))
        return self.documents[name]


def load_directory(snapshot: CatalogSnapshot) -> Directory:
    """One query."""
    models: dict[str, list[ModelSnapshot]] = defaultdict(list)
    offerings: dict[str, list[OfferingSnapshot]] = defaultdict(list)
    for model in snapshot.listed():
        for offering in model.offerings:
            slug = offering.provider.slug
            offerings[slug].append(offering)
            if not models[slug] or models[slug][-1] is not model:
                models[slug].append(model)
    return Directory(
        snapshot=snapshot,
        providers={
            row.slug: _read(row, snapshot, tuple(models[row.slug]), tuple(offerings[row.slug]))
            for row in Provider.objects.order_by("priority", "slug")
        },
    )


def _read(
    row: Provider,
    snapshot: CatalogSnapshot,
    models: tuple[ModelSnapshot, ...],
    offerings: tuple[OfferingSnapshot, ...],
) -> ListedProvider:
    spec = spec_of(row.slug, row.wire)
    endpoints = spec.endpoints
    wires = {endpoint.wire.value: None for found in endpoints.values() for endpoint in found}
    return ListedProvider(
        slug=row.slug,
        name=row.name,
        docs=row.docs or spec.docs,
        policy_page=data_policy_of(row, spec).page,
        enabled=row.enabled,
        priority=row.priority,
        is_sandbox=row.is_sandbox,
        wires=tuple(wires),
        operations=tuple(operation.value for operation in Operation if operation in endpoints),
        offerings=offerings,
        models=models,
        reason=_reason(row, snapshot, is_offering=bool(offerings)),
    )


def _reason(row: Provider, snapshot: CatalogSnapshot, *, is_offering: bool) -> Unroutable | None:
    if is_offering:
        return None
    if not row.enabled:
        return Unroutable.DISABLED
    if row.is_sandbox and not settings.SANDBOX_ENABLED:
        return Unroutable.SANDBOX_OFF
    return Unroutable.NO_MODELS if row.slug in snapshot.providers else Unroutable.NOT_CONFIGURED


def refresh_times() -> dict[str, datetime.datetime]:
    """When the lists of models were last read and believed, by provider; no part of the catalogue's epoch."""
    found = Feed.objects.filter(refreshed_at__isnull=False).values_list(
        "provider_id", "refreshed_at"
    )
    return {slug: moment for slug, moment in found if moment is not None}


_lock = threading.Lock()
_latest: Directory | None = None


def directory() -> Directory:
    """That of the catalogue as it is now; no query unless the catalogue has changed."""
    global _latest
    snapshot = catalog.get()
    with _lock:
        if _latest is None or _latest.snapshot is not snapshot:
            _latest = load_directory(snapshot)
        return _latest
