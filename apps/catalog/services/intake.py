"""Taking models, offerings and prices in, whoever found them: the price book, the seed, or a provider's own list.

    Found ──► model (one for all its hosts) ──► offering (one for each name at each host) ──► price, or a proposal

What is empty of a model is filled; what is there stays, for it may be an operator's. What a model takes, makes and
understands is learnt in ``abilities``, what each host of it takes in ``host_abilities``. A price row is added only when
the numbers changed, and only by a source that ranks as high as the one in force: an operator's price beats the
provider's list, which beats the price book, which beats the seed. A price that looks like a mistake becomes a proposal.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from apps.catalog.models import (
    ABILITIES,
    RANKS,
    CatalogEpoch,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceSource,
)
from apps.catalog.providers.canonical import at_vendor, same_model_key, vendors_by_name
from apps.catalog.selectors import prices_in_force
from apps.catalog.services import abilities, host_abilities, together
from apps.catalog.services.aliases import SHIPPED
from apps.catalog.services.offers import Amounts
from apps.catalog.services.proposals import Quarantined, propose, supersede
from apps.catalog.services.suspicion import Neighbours, suspicion
from apps.catalog.services.together import Place
from apps.common import clock

log = structlog.get_logger(__name__)

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One model at one provider, as a source tells it."""

    provider: str
    upstream_model: str
    model_id: str
    source: PriceSource
    amounts: Amounts | None
    """None when the source has no price: then only what exists already is brought up to date."""
    name: str = ""
    description: str = ""
    context_length: int | None = None
    max_output_tokens: int | None = None
    released_on: datetime.date | None = None
    """When the model, not this offering of it, came out."""
    input_modalities: tuple[str, ...] = ()
    """Empty when the source does not say, like the two that follow."""
    output_modalities: tuple[str, ...] = ()
    supported_parameters: tuple[str, ...] = ()
    variant: str = ""
    quantization: str = ""
    note: str = ""
    free: bool = False
    """Costing nothing is meant: an operator's own machine."""
    zero_is_free: bool = False
    """Nothing for input alone or for output alone is meant too."""


@dataclass(slots=True)
class Intake:
    """What was taken in."""

    added: int = 0
    """New price rows."""
    unchanged: int = 0
    overridden: int = 0
    """The numbers differ, but a price of a higher rank is in force or found in the same pass."""
    models: int = 0
    """New models."""
    offerings: int = 0
    """New offerings."""
    quarantined: list[Quarantined] = field(default_factory=list)


Places = dict[Place, list[Offering]]
"""Offerings by provider and upstream name."""
Settled = set[tuple[int, PriceSource]]
"""Offerings that have the price which the source tells now."""


@transaction.atomic
def take_in(found: Sequence[Found]) -> Intake:
    """Safe to repeat; a few bulk queries for each batch. Of two spellings of a model the first gives the id.

    Prices are compared with those in force and with all that are found in the same pass, believed or not: what is
    found again is judged as before, so that a second pass over the same data changes nothing.
    """
    CatalogEpoch.objects.select_for_update().get(pk=1)  # one intake at a time
    summary, settled, now = Intake(), Settled(), clock.now()
    ids, aliases = _name_models([one for one in found if one.amounts is not None])
    for batch in together.batches(found, ids=ids, moved=_moved(found, ids), size=BATCH):
        priced = [one for one in batch if one.amounts is not None]
        _ensure_models(priced, ids, summary)
        places = _ensure_offerings(batch, ids, summary)
        prices = _compare(_best(priced, places, summary), now, summary, settled)
        Price.objects.bulk_create(prices, batch_size=BATCH)
        summary.added += len(prices)
    ModelAlias.objects.bulk_create(aliases, batch_size=BATCH)
    supersede(settled)
    return summary


def _name_models(found: Sequence[Found]) -> tuple[dict[str, str], list[ModelAlias]]:
    """The id that each listed id goes by: at its vendor, where the id has a host's name. Other spellings become aliases."""
    known = list(Model.objects.values_list("id", flat=True))
    by_key = {same_model_key(model_id): model_id for model_id in known}
    aliased = dict(ModelAlias.objects.values_list("alias", "model_id"))
    spellings = {alias: meant for alias, meant in aliased.items() if alias not in SHIPPED}
    ids: dict[str, str] = {}
    aliases: dict[str, ModelAlias] = {}
    vendors = vendors_by_name([*known, *(one.model_id for one in found)])
    for one in found:
        settled = at_vendor(one.model_id, vendors)
        spelled, key = settled.lower(), same_model_key(settled)
        model_id = by_key.get(key) or spellings.get(spelled)
        if model_id is None:
            model_id = by_key[key] = settled
        elif spelled != model_id.lower() and spelled not in aliased:
            aliases[spelled] = ModelAlias(
                alias=spelled, model_id=model_id, reason="Another spelling of the same model."
            )
        ids[one.model_id] = model_id
    return ids, list(aliases.values())


def _moved(found: Sequence[Found], ids: dict[str, str]) -> dict[Place, list[str]]:
    """Under which models offerings of these places stand that are not those of their ids: an operator's doing."""
    wanted = {(one.provider, one.upstream_model): ids.get(one.model_id) for one in found}
    moved: dict[Place, list[str]] = defaultdict(list)
    standing = Offering.objects.filter(provider__in={provider for provider, _ in wanted})
    for provider, name, model in standing.values_list(
        "provider_id", "upstream_model", "model_id"
    ).iterator():
        if wanted.get((provider, name), model) != model:
            moved[provider, name].append(model)
    return moved


def _ensure_models(found: Sequence[Found], ids: dict[str, str], summary: Intake) -> None:
    told: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        told[ids[one.model_id]].append(one)
    known = Model.objects.in_bulk(list(told))
    new: list[Model] = []
    changed: list[Model] = []
    for model_id, sources in told.items():
        model = known.get(model_id) or Model(id=model_id)
        learned = [_learn(model, one) for one in sources]
        learned.append(abilities.learn(model, sources))
        if model_id not in known:
            model.name = model.name or model.id.rpartition("/")[2]
            new.append(model)
        elif any(learned):
            changed.append(model)
    Model.objects.bulk_create(new, batch_size=BATCH)
    Model.objects.bulk_update(changed, [*LEARNED, *ABILITIES, "learned"], batch_size=BATCH)
    summary.models += len(new)


LEARNED = ("name", "description", "context_length", "max_output_tokens", "released_on")


def _learn(model: Model, one: Found) -> bool:
    """Fill what is still empty; the first who knows wins. Whether anything was."""
    learned = False
    for name in LEARNED:
        value = getattr(one, name)
        if value and not getattr(model, name):
            setattr(model, name, value)
            learned = True
    return learned


def _ensure_offerings(found: Sequence[Found], ids: dict[str, str], summary: Intake) -> Places:
    """One that exists stays where an operator put it, on or off; a provider's own list brings its limits up to date."""
    places: Places = {}
    standing = Offering.objects.filter(
        provider__in={one.provider for one in found},
        upstream_model__in={one.upstream_model for one in found},
    )
    for offering in standing:
        places.setdefault((offering.provider_id, offering.upstream_model), []).append(offering)
    new: list[Offering] = []
    changed: dict[int, Offering] = {}
    for one in found:
        place = (one.provider, one.upstream_model)
        if place not in places and one.amounts is not None:
            new.append(_new_offering(one, ids[one.model_id]))
            places[place] = [new[-1]]
            continue
        for offering in places.get(place, ()):
            # Both, whatever the first says.
            is_changed = [_update(offering, one), host_abilities.learn(offering, one)]
            if any(is_changed) and offering.pk:
                changed[offering.pk] = offering
    Offering.objects.bulk_create(new, batch_size=BATCH)
    Offering.objects.bulk_update(
        changed.values(), [*LIMITS, *host_abilities.FIELDS], batch_size=BATCH
    )
    summary.offerings += len(new)
    return places


def _new_offering(one: Found, model_id: str) -> Offering:
    offering = Offering(
        provider_id=one.provider,
        model_id=model_id,
        upstream_model=one.upstream_model,
        variant=one.variant,
        quantization=one.quantization,
        context_length=one.context_length,
        max_output_tokens=one.max_output_tokens,
    )
    host_abilities.learn(offering, one)
    return offering


LIMITS = ("context_length", "max_output_tokens", "quantization")


def _update(offering: Offering, one: Found) -> bool:
    """Whether the offering changed."""
    changed, refresh = False, one.source == PriceSource.PROVIDER
    for name in LIMITS:
        value, former = getattr(one, name), getattr(offering, name)
        if value and value != former and (refresh or not former):
            setattr(offering, name, value)
            changed = True
    return changed


def _best(found: Iterable[Found], places: Places, summary: Intake) -> list[tuple[Offering, Found]]:
    """For each offering what the source of the highest rank says; of equals, the first."""
    best: dict[int, tuple[Offering, Found]] = {}
    for one in found:
        for offering in places[one.provider, one.upstream_model]:
            _, other = best.get(offering.pk, (offering, None))
            if other is None:
                best[offering.pk] = (offering, one)
                continue
            higher, lower = (
                (one, other) if RANKS[one.source] > RANKS[other.source] else (other, one)
            )
            best[offering.pk] = (offering, higher)
            if lower.amounts == higher.amounts:
                summary.unchanged += 1
            else:
                summary.overridden += 1
    return list(best.values())


def _compare(
    found: Sequence[tuple[Offering, Found]],
    now: datetime.datetime,
    summary: Intake,
    settled: Settled,
) -> list[Price]:
    """The prices to add; those that look like a mistake are left to a human."""
    models = {offering.model_id for offering, _ in found}
    all_in_force = prices_in_force(now).filter(offering__model__in=models)
    in_force = {price.offering_id: price for price in all_in_force.select_related("offering")}
    priced: dict[int, tuple[Offering, Price | Amounts]] = {
        offering.pk: (offering, one.amounts) for offering, one in found if one.amounts
    }
    priced |= {pk: (price.offering, price) for pk, price in in_force.items()}
    neighbours = Neighbours(priced.values())
    makes: dict[str, list[str]] = dict(
        Model.objects.filter(pk__in=models).values_list("id", "output_modalities")
    )
    prices: list[Price] = []
    for offering, one in found:
        assert one.amounts is not None
        price = in_force.get(offering.pk)
        former = Amounts.from_price(price) if price else None
        lacks_tiers = _lacks_tiers(one, former)
        if former is not None and one.amounts in (former, former.base if lacks_tiers else former):
            summary.unchanged += 1
            settled.add((offering.pk, one.source))
            continue
        if (
            price is not None
            and RANKS[price.source] > RANKS[one.source]
            and not _adds_tiers(one, price)
        ):
            summary.overridden += 1
            continue
        reason = suspicion(
            former,
            one.amounts,
            neighbours.of(offering),
            makes=makes[offering.model_id],
            may_be_free=one.free or bool(one.variant),
            zero_is_free=one.zero_is_free,
        )
        if lacks_tiers:
            reason = "the source tells no tiers, and the price in force has some"
        if reason:
            summary.quarantined.append(
                propose(offering, former=former, found=one.amounts, reason=reason, source=one.source, note=one.note)
            )  # fmt: skip
            continue
        settled.add((offering.pk, one.source))
        prices.append(
            Price(offering=offering, valid_from=now, source=one.source, note=one.note, **one.amounts.as_json())
        )  # fmt: skip
    return prices


def _lacks_tiers(one: Found, former: Amounts | None) -> bool:
    """Providers' lists tell no tiers: that one has none does not say that there are none."""
    return (
        one.source == PriceSource.PROVIDER
        and former is not None
        and bool(former.tiers)
        and one.amounts is not None
        and not one.amounts.tiers
    )


def _adds_tiers(one: Found, price: Price) -> bool:
    """Whether the price book completes what a provider's list says."""
    return (
        one.source == PriceSource.GENAI_PRICES
        and price.source == PriceSource.PROVIDER
        and one.amounts is not None
        and one.amounts.base == Amounts.from_price(price)
    )
