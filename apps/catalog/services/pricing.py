"""Importing what ships with the release: models, offerings and effective-dated prices, from the price book and the seed.

Both in one pass, for a price is judged by what all others take. What becomes of an entry is ``intake``'s; this file says
which entries of the book there are, and whose.
"""

from collections.abc import Collection
from dataclasses import dataclass

from apps.catalog.models import PriceSource, Provider
from apps.catalog.providers.canonical import canonicalize
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.services import intake
from apps.catalog.services.price_book import Skipped, read_book
from apps.catalog.services.proposals import Quarantined
from apps.catalog.services.seed import found_in_seed
from apps.common import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    added: int
    """New price rows."""
    unchanged: int
    overridden: int
    """The source differs, but a price of a higher rank is in force or found with it."""
    models: int
    """New models."""
    skipped: tuple[Skipped, ...]
    quarantined: tuple[Quarantined, ...]


def import_prices() -> ImportSummary:
    """Import for every provider that has a row. Safe to repeat: a second time nothing changes."""
    present = set(Provider.objects.values_list("slug", flat=True))
    found, skipped = _read_book(present)
    taken = intake.take_in([*found, *found_in_seed(present)])
    return ImportSummary(
        added=taken.added,
        unchanged=taken.unchanged,
        overridden=taken.overridden,
        models=taken.models,
        skipped=tuple(skipped),
        quarantined=tuple(taken.quarantined),
    )


def _read_book(present: Collection[str]) -> tuple[list[intake.Found], list[Skipped]]:
    """Vendors before aggregators, so that a model gets its id and its facts from its vendor."""
    specs = [spec for spec in PROVIDERS.values() if spec.price_book and spec.slug in present]
    now = clock.now()
    found: list[intake.Found] = []
    skipped: list[Skipped] = []
    for spec in sorted(specs, key=lambda spec: (spec.priority, spec.slug)):
        for entry in read_book(spec, now=now):
            if isinstance(entry, Skipped):
                skipped.append(entry)
                continue
            model = canonicalize(spec.slug, entry.upstream_model, spec.namespace)
            if not model.id:
                skipped.append(Skipped(entry.upstream_model, "no organisation in its name"))
                continue
            found.append(
                intake.Found(
                    source=PriceSource.GENAI_PRICES,
                    provider=spec.slug,
                    upstream_model=entry.upstream_model,
                    model_id=model.id,
                    variant=model.variant,
                    quantization=model.quantization,
                    name=entry.name,
                    description=entry.description,
                    context_length=entry.context_length,
                    amounts=entry.amounts,
                )
            )
    return found, skipped
