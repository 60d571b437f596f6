"""Taking models, offerings and prices in, whoever found them: the price book, the seed, or a provider's own list.

    Found ──► model (one for all its hosts) ──► offering (one for each name at each host) ──► price, or a proposal

What is empty of a model is filled; what is there stays, for it may be an operator's. A price row is added only when
the numbers changed, and only by a source that ranks as high as the one in force: an operator's price beats the
provider's list, which beats the price book, which beats the seed. A price that looks like a mistake becomes a proposal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import structlog
from django.db import transaction

from apps.catalog.models import CatalogEpoch, Model, ModelAlias, Offering, Price, PriceSource
from apps.catalog.providers.canonical import same_model_key
from apps.catalog.selectors import prices_in_force
from apps.catalog.services.aliases import SHIPPED
from apps.catalog.services.offers import Amounts
from apps.catalog.services.proposals import Quarantined, propose
from apps.catalog.services.suspicion import Neighbours, suspicion
from apps.common import clock

log = structlog.get_logger(__name__)

BATCH = 500
RANKS: dict[str, int] = {
    PriceSource.SEED: 0,
    PriceSource.GENAI_PRICES: 1,
    PriceSource.PROVIDER: 2,
    PriceSource.MANUAL: 3,
    PriceSource.STAFF: 3,
    PriceSource.SANDBOX: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One model at one provider, as a source tells it."""

    provider: str
    upstream_model: str
    model_id: str
    amounts: Amounts | None
    """None when the source has no price: then only what exists already is brought up to date."""
    name: str = ""
    description: str = ""
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    supported_parameters: tuple[str, ...] = ()
    variant: str = ""
    quantization: str = ""
    note: str = ""
    free: bool = False
    """Costing nothing is meant: an operator's own machine."""


@dataclass(slots=True)
class Intake:
    """What was taken in."""

    added: int = 0
    """New price rows."""
    unchanged: int = 0
    overridden: int = 0
    """The numbers differ, but a price of a higher rank is in force."""
    models: int = 0
    """New models."""
    offerings: int = 0
    """New offerings."""
    quarantined: list[Quarantined] = field(default_factory=list)


Places = dict[tuple[str, str], list[Offering]]
"""Offerings by provider and upstream name."""


@transaction.atomic
def take_in(found: Sequence[Found], *, source: PriceSource) -> Intake:
    """Safe to repeat; a few bulk queries whatever the number. Of two spellings of a model the first gives the id."""
    CatalogEpoch.objects.select_for_update().get(pk=1)  # one intake at a time
    summary = Intake()
    priced = [one for one in found if one.amounts is not None]
    ids = _ensure_models(priced, summary)
    places = _ensure_offerings(found, ids, summary, refresh=source == PriceSource.PROVIDER)
    prices = _compare(priced, places, source, summary)
    Price.objects.bulk_create(prices, batch_size=BATCH)
    summary.added = len(prices)
    return summary


def _ensure_models(found: Iterable[Found], summary: Intake) -> dict[str, str]:
    """The id that each listed id goes by. Other spellings become aliases."""
    known = {model.id: model for model in Model.objects.all()}
    by_key = {same_model_key(model_id): model_id for model_id in known}
    aliased = dict(ModelAlias.objects.values_list("alias", "model_id"))
    spellings = {alias: meant for alias, meant in aliased.items() if alias not in SHIPPED}
    ids: dict[str, str] = {}
    new: dict[str, Model] = {}
    changed: dict[str, Model] = {}
    aliases: dict[str, ModelAlias] = {}
    for one in found:
        spelled, key = one.model_id.lower(), same_model_key(one.model_id)
        model_id = by_key.get(key) or spellings.get(spelled)
        if model_id is None:
            model_id = by_key[key] = one.model_id
            new[model_id] = known[model_id] = _new_model(one)
        elif spelled != model_id.lower() and spelled not in aliased:
            aliases[spelled] = ModelAlias(
                alias=spelled, model_id=model_id, reason="Another spelling of the same model."
            )
        ids[one.model_id] = model_id
        if _learn(known[model_id], one) and model_id not in new:
            changed[model_id] = known[model_id]
    for model in new.values():
        model.name = model.name or model.id.rpartition("/")[2]
    Model.objects.bulk_create(new.values(), batch_size=BATCH)
    Model.objects.bulk_update(changed.values(), LEARNED, batch_size=BATCH)
    ModelAlias.objects.bulk_create(aliases.values(), batch_size=BATCH)
    summary.models = len(new)
    return ids


def _new_model(one: Found) -> Model:
    return Model(
        id=one.model_id,
        input_modalities=list(one.input_modalities),
        output_modalities=list(one.output_modalities),
    )


LEARNED = ("name", "description", "context_length", "max_output_tokens", "supported_parameters")


def _learn(model: Model, one: Found) -> bool:
    """Fill what is still empty; the first who knows wins. Whether anything was."""
    learned = False
    for name in LEARNED:
        value = getattr(one, name)
        if value and not getattr(model, name):
            setattr(model, name, list(value) if isinstance(value, tuple) else value)
            learned = True
    return learned


def _ensure_offerings(
    found: Iterable[Found], ids: dict[str, str], summary: Intake, *, refresh: bool
) -> Places:
    """One that exists stays where an operator put it, on or off; a provider's own list brings its limits up to date."""
    places: Places = {}
    for offering in Offering.objects.all():
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
            if _update(offering, one, refresh=refresh) and offering.pk:
                changed[offering.pk] = offering
    Offering.objects.bulk_create(new, batch_size=BATCH)
    Offering.objects.bulk_update(changed.values(), LIMITS, batch_size=BATCH)
    summary.offerings = len(new)
    return places


def _new_offering(one: Found, model_id: str) -> Offering:
    return Offering(
        provider_id=one.provider,
        model_id=model_id,
        upstream_model=one.upstream_model,
        variant=one.variant,
        quantization=one.quantization,
        context_length=one.context_length,
        max_output_tokens=one.max_output_tokens,
    )


LIMITS = ("context_length", "max_output_tokens", "quantization")


def _update(offering: Offering, one: Found, *, refresh: bool) -> bool:
    """Whether the offering changed."""
    changed = False
    for name in LIMITS:
        value, former = getattr(one, name), getattr(offering, name)
        if value and value != former and (refresh or not former):
            setattr(offering, name, value)
            changed = True
    return changed


def _compare(
    found: Iterable[Found], places: Places, source: PriceSource, summary: Intake
) -> list[Price]:
    """The prices to add; those that look like a mistake are left to a human."""
    now = clock.now()
    in_force = {price.offering_id: price for price in prices_in_force(now)}
    priced: dict[int, tuple[Offering, Price | Amounts]] = {}
    for one in found:
        assert one.amounts is not None
        for offering in places[one.provider, one.upstream_model]:
            priced[offering.pk] = (offering, one.amounts)
    for offerings in places.values():
        priced |= {o.pk: (o, in_force[o.pk]) for o in offerings if o.pk in in_force}
    neighbours = Neighbours(priced.values())
    prices: list[Price] = []
    for one in found:
        assert one.amounts is not None
        for offering in places[one.provider, one.upstream_model]:
            price = in_force.get(offering.pk)
            former = Amounts.from_price(price) if price else None
            if former == one.amounts:
                summary.unchanged += 1
                continue
            if price is not None and RANKS[price.source] > RANKS[source]:
                summary.overridden += 1
                continue
            reason = suspicion(
                former,
                one.amounts,
                neighbours.of(offering),
                may_be_free=one.free or bool(one.variant),
            )
            if reason:
                summary.quarantined.append(
                    propose(offering, former=former, found=one.amounts, reason=reason, source=source, note=one.note)
                )  # fmt: skip
                continue
            prices.append(
                Price(offering=offering, valid_from=now, source=source, note=one.note, **asdict(one.amounts))
            )  # fmt: skip
    return prices
