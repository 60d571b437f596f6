"""Importing the price book: models, offerings and effective-dated prices of the registry's providers.

A price row is added only when the numbers changed. A price that an operator or staff set is never replaced. A change
that looks like a mistake of the book (zero where it was not, more than tenfold) is not taken but reported.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import structlog
from django.db import transaction

from apps.catalog.models import (
    CatalogEpoch,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceSource,
    Provider,
)
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import ProviderSpec
from apps.catalog.selectors import prices_in_force
from apps.catalog.services.offers import Amounts
from apps.catalog.services.price_book import BookEntry, Skipped, read_book
from apps.common import clock
from apps.common.money import format_usd

log = structlog.get_logger(__name__)

SUSPICIOUS_FACTOR = 10
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A price that was not taken. Staff who find it right add it by hand."""

    provider: str
    model: str
    reason: str
    former: Amounts
    found: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    added: int
    """New price rows."""
    unchanged: int
    overridden: int
    """The book differs, but an operator's or staff's price is in force."""
    models: int
    """New models."""
    skipped: tuple[Skipped, ...]
    quarantined: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A book entry at the provider that it belongs to, under the model's public id."""

    provider: str
    model_id: str
    entry: BookEntry


@dataclass(slots=True)
class Findings:
    """What an import comes to, while it runs."""

    prices: list[Price] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    unchanged: int = 0
    overridden: int = 0


@transaction.atomic
def import_price_book() -> ImportSummary:
    """Import for every registry provider that has a row and stands in the book. Safe to repeat; a few bulk queries."""
    CatalogEpoch.objects.select_for_update().get(pk=1)  # one import at a time
    listings, skipped = _read_listings()
    model_ids, new_models = _ensure_models(listings)
    offerings = _ensure_offerings(listings, model_ids)
    findings = _compare(listings, offerings)
    Price.objects.bulk_create(findings.prices, batch_size=BATCH)
    for found in findings.quarantined:
        log.warning(
            "catalog.price_quarantined",
            provider=found.provider,
            model=found.model,
            reason=found.reason,
        )
    return ImportSummary(
        added=len(findings.prices),
        unchanged=findings.unchanged,
        overridden=findings.overridden,
        models=new_models,
        skipped=tuple(skipped),
        quarantined=tuple(findings.quarantined),
    )


def public_id(spec: ProviderSpec, upstream_model: str) -> str:
    """``gpt-4o`` at OpenAI → ``openai/gpt-4o``; a name with its organisation stays; empty when it can have none."""
    if "/" in upstream_model:
        return upstream_model
    return f"{spec.namespace}/{upstream_model}" if spec.namespace else ""


def same_model_key(model_id: str) -> str:
    """Equal for spellings of one model: hosts disagree about case and about ``claude-haiku-4.5`` or ``-4-5``."""
    return model_id.lower().replace(".", "-")


def _read_listings() -> tuple[list[Listing], list[Skipped]]:
    """Vendors before aggregators, so that a model gets its id and its facts from its vendor."""
    present = set(Provider.objects.values_list("slug", flat=True))
    specs = [spec for spec in PROVIDERS.values() if spec.price_book and spec.slug in present]
    now = clock.now()
    listings: list[Listing] = []
    skipped: list[Skipped] = []
    for spec in sorted(specs, key=lambda spec: (spec.priority, spec.slug)):
        for entry in read_book(spec, now=now):
            if isinstance(entry, Skipped):
                skipped.append(entry)
            elif model_id := public_id(spec, entry.upstream_model):
                listings.append(Listing(spec.slug, model_id, entry))
            else:
                skipped.append(Skipped(entry.upstream_model, "no organisation in its name"))
    return listings, skipped


def _ensure_models(listings: Iterable[Listing]) -> tuple[dict[str, str], int]:
    """The id that each listed id goes by, and how many models are new. Other spellings become aliases."""
    aliased = dict(ModelAlias.objects.values_list("alias", "model_id"))
    by_key = {
        same_model_key(model_id): model_id
        for model_id in Model.objects.values_list("id", flat=True)
    }
    ids: dict[str, str] = {}
    models: dict[str, Model] = {}
    aliases: dict[str, ModelAlias] = {}
    for listing in listings:
        spelled, key = listing.model_id.lower(), same_model_key(listing.model_id)
        known = aliased.get(spelled) or by_key.get(key)
        if known is None:
            known = by_key[key] = listing.model_id
            models[known] = Model(id=known)
        elif spelled != known.lower() and spelled not in aliased:
            aliases[spelled] = ModelAlias(alias=spelled, model_id=known)
        if known in models:
            _learn(models[known], listing.entry)
        ids[listing.model_id] = known
    for model in models.values():
        model.name = model.name or model.id.rpartition("/")[2]
    Model.objects.bulk_create(models.values(), batch_size=BATCH)
    ModelAlias.objects.bulk_create(aliases.values(), batch_size=BATCH)
    return ids, len(models)


def _learn(model: Model, entry: BookEntry) -> None:
    """Fill what is still empty of a new model; the first provider that knows wins."""
    model.name = model.name or entry.name
    model.description = model.description or entry.description
    model.context_length = model.context_length or entry.context_length


def _ensure_offerings(
    listings: Iterable[Listing], model_ids: dict[str, str]
) -> dict[tuple[str, str], list[Offering]]:
    """Offerings by provider and upstream name. One that exists stays where an operator put it, on or off."""
    found: dict[tuple[str, str], list[Offering]] = {}
    for offering in Offering.objects.all():
        found.setdefault((offering.provider_id, offering.upstream_model), []).append(offering)
    new: list[Offering] = []
    for listing in listings:
        place = (listing.provider, listing.entry.upstream_model)
        if place in found:
            continue
        offering = Offering(
            provider_id=listing.provider,
            model_id=model_ids[listing.model_id],
            upstream_model=listing.entry.upstream_model,
            context_length=listing.entry.context_length,
        )
        found[place] = [offering]
        new.append(offering)
    Offering.objects.bulk_create(new, batch_size=BATCH)
    return found


def _compare(
    listings: Iterable[Listing], offerings: dict[tuple[str, str], list[Offering]]
) -> Findings:
    """Which prices to add, and which to leave to a human."""
    now = clock.now()
    in_force = {price.offering_id: price for price in prices_in_force(now)}
    findings = Findings()
    for listing in listings:
        entry = listing.entry
        for offering in offerings[listing.provider, entry.upstream_model]:
            former = in_force.get(offering.pk)
            if former is not None and Amounts.from_price(former) == entry.amounts:
                findings.unchanged += 1
                continue
            if former is not None and former.source != PriceSource.GENAI_PRICES:
                findings.overridden += 1
                continue
            reason = suspicion(Amounts.from_price(former), entry.amounts) if former else ""
            if former and reason:
                findings.quarantined.append(
                    Quarantined(
                        provider=listing.provider,
                        model=offering.model_id,
                        reason=reason,
                        former=Amounts.from_price(former),
                        found=entry.amounts,
                    )
                )
                continue
            findings.prices.append(
                Price(
                    offering=offering,
                    valid_from=now,
                    source=PriceSource.GENAI_PRICES,
                    note=entry.note,
                    **asdict(entry.amounts),
                )
            )
    return findings


def suspicion(former: Amounts, found: Amounts) -> str:
    """Why the new numbers look like a mistake; empty when they do not."""
    new = asdict(found)
    for name, old in asdict(former).items():
        change = f"{name}: {format_usd(old)} before, {format_usd(new[name])} now"
        if old and not new[name]:
            return f"zero where it was not ({change})"
        if old and not old <= new[name] * SUSPICIOUS_FACTOR <= old * SUSPICIOUS_FACTOR**2:
            return f"more than {SUSPICIOUS_FACTOR} times different ({change})"
    return ""
