"""Own keys: the hosts that a customer with keys of its own at providers may ask, beside those of the house.

A model's offerings become, for such a customer: those of its providers, asked with its keys and charged the routing fee,
then those that the house can ask. Keys that are not to fall back keep the house's key of their provider out of the plan.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
from django.conf import settings

from apps.catalog import own_keys
from apps.catalog.selectors import (
    CatalogSnapshot,
    ModelSnapshot,
    OfferingSnapshot,
    whole_catalog,
)
from apps.common.db import run_db
from apps.common.usage import Rates
from apps.keys.selectors import KeySnapshot


class WholeCatalog:
    """The catalogue with every provider, those without a key here too. Belongs to one event loop."""

    def __init__(self) -> None:
        self._of: CatalogSnapshot | None = None
        self._reading: asyncio.Task[CatalogSnapshot] | None = None

    async def beside(self, house: CatalogSnapshot) -> CatalogSnapshot:
        """Read once for each snapshot, in a thread, however many requests wait for it. Raises DatabaseError."""
        reading = self._reading
        if self._of is not house or reading is None or _has_failed(reading):
            loop = asyncio.get_running_loop()
            reading = self._reading = loop.create_task(run_db(whole_catalog, house))
            self._of = house
        # A client that leaves must not take the others' catalogue with it.
        return await asyncio.shield(reading)


def _has_failed(reading: asyncio.Task[CatalogSnapshot]) -> bool:
    return reading.done() and (reading.cancelled() or reading.exception() is not None)


class OwnCatalog:
    """The catalogue as one customer sees it."""

    def __init__(self, house: CatalogSnapshot, whole: CatalogSnapshot, key: KeySnapshot) -> None:
        self._house = house
        self._whole = whole
        self._key = key

    @property
    def without_ours(self) -> frozenset[str]:
        """Providers where the house's key may not be used for this customer."""
        kept = self._key.provider_keys.items()
        return frozenset(slug for slug, own in kept if not own.falls_back)

    def resolve(self, name: str) -> ModelSnapshot | None:
        """As ``CatalogSnapshot.resolve``, with the customer's own hosts."""
        model = self._whole.resolve(name)
        return None if model is None else self._with_own(model, model.offerings)

    def see(self, model: ModelSnapshot) -> ModelSnapshot:
        """A model that was found among the house's, with the customer's own hosts."""
        everywhere = self._whole.models.get(model.id, model)
        return self._with_own(model, everywhere.offerings)

    def _with_own(
        self, model: ModelSnapshot, everywhere: Iterable[OfferingSnapshot]
    ) -> ModelSnapshot:
        ours = [host for host in model.offerings if host.provider.slug in self._house.providers]
        offerings = (*self._own(everywhere), *ours)
        return replace(model, offerings=offerings, is_priced=model.is_priced or bool(offerings))

    def _own(self, everywhere: Iterable[OfferingSnapshot]) -> Iterator[OfferingSnapshot]:
        for host in everywhere:
            kept = self._key.provider_keys.get(host.provider.slug)
            if kept is None:
                continue
            provider = own_keys.asked_with(
                host.provider, version=kept.version, secret=kept.secret, settings=kept.settings
            )
            if provider is not None:
                yield replace(host, provider=provider, rates=with_fee(host.rates))


def with_fee(rates: Rates) -> Rates:
    """The provider bills the customer: what is left to pay here is the routing fee."""
    return msgspec.structs.replace(rates, share_bp=settings.BYOK_FEE_BP)


async def catalog_of(
    key: KeySnapshot, house: CatalogSnapshot, whole: WholeCatalog
) -> OwnCatalog | None:
    """None for a key whose organisation has brought none: it sees what everybody sees."""
    if not key.provider_keys:
        return None
    if key.provider_keys.keys() <= house.providers.keys():
        return OwnCatalog(house, house, key)
    return OwnCatalog(house, await whole.beside(house), key)
