"""Bringing the tables up to date with the release: provider rows, ids, prices, the seed, aliases, the sandbox's models."""

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import transaction

from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.services import aliases, pricing, providers, renaming, sandbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSummary:
    providers: int
    prices: pricing.ImportSummary
    aliases: int
    """New ones."""
    sandbox_models: int


@transaction.atomic
def sync_registry() -> int:
    """One row for each registry entry; how many there are. What an operator decides is set on creation only."""
    for spec in PROVIDERS.values():
        providers.register(spec)
    return len(PROVIDERS)


def bootstrap() -> BootstrapSummary:
    """Everything a new database needs before it can answer; safe to run at every start."""
    count = sync_registry()
    renaming.move_to_vendors()
    prices = pricing.import_prices()
    names = aliases.import_aliases()
    models = sandbox.sync_sandbox() if settings.SANDBOX_ENABLED else 0
    log.info(
        "catalog.bootstrapped",
        providers=count,
        prices=prices.added,
        sandbox_models=models,
    )
    return BootstrapSummary(providers=count, prices=prices, aliases=names, sandbox_models=models)
