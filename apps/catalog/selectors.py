"""Reading the catalogue: one snapshot for the hot path, and the prices in force.

``catalog`` is loaded in five queries whatever the number of models, and loaded again when a row changes or when a
price whose ``valid_from`` lay in the future comes into force.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from apps.catalog.cards import render_list
from apps.catalog.models import (
    AMOUNTS,
    CatalogEpoch,
    Model,
    ModelAlias,
    Offering,
    Price,
    Provider,
)
from apps.catalog.providers.registry import PROVIDERS, spec_of
from apps.catalog.providers.spec import (
    NoAuth,
    ProviderSpec,
    Timeouts,
    UsageConvention,
    auth_env,
)
from apps.catalog.snapshots import (
    CatalogSnapshot,
    ModelSnapshot,
    OfferingSnapshot,
    ProviderSnapshot,
)
from apps.common import clock, crypto
from apps.common.cache import Snapshot
from apps.common.money import divide_half_up
from apps.common.prepared import Prepared
from apps.common.usage import Rates

__all__ = ["CatalogSnapshot", "ModelSnapshot", "OfferingSnapshot", "ProviderSnapshot", "catalog"]

log = structlog.get_logger(__name__)

PPM = 1_000_000
BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def prices_in_force(now: datetime.datetime) -> QuerySet[Price]:
    """At most one price per offering: the latest whose ``valid_from`` has passed."""
    newer = Price.objects.filter(
        offering=OuterRef("offering"), valid_from__gt=OuterRef("valid_from"), valid_from__lte=now
    )
    return Price.objects.filter(~Exists(newer), valid_from__lte=now)


def with_current_price(offerings: QuerySet[Offering]) -> QuerySet[Offering]:
    """Adds ``current_input`` and ``current_output``: nano-USD per million tokens, None without a price in force."""
    current = Price.objects.filter(offering=OuterRef("pk"), valid_from__lte=clock.now()).order_by(
        "-valid_from"
    )
    return offerings.annotate(
        current_input=Subquery(current.values("input")[:1]),
        current_output=Subquery(current.values("output")[:1]),
    )


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


def base_url_of(row: Provider, spec: ProviderSpec) -> str:
    """The address to ask, or nothing while a variable in it is not set."""
    if row.base_url:
        return row.base_url.rstrip("/")
    values = {
        name: (
            settings.SANDBOX_URL.rstrip("/")
            if name == "SANDBOX_URL"
            else settings.PROVIDER_SECRET(name) or default
        )
        for name, default in spec.settings.items()
    }
    return spec.base_url.format_map(values) if all(values.values()) else ""


def secret_of(row: Provider, spec: ProviderSpec) -> str:
    """The key kept in the row, else the environment's; empty when there is none."""
    if row.api_key_ciphertext:
        try:
            return crypto.decrypt(row.api_key_ciphertext)
        except crypto.SecretUnreadable:
            log.error("catalog.provider_key_unreadable", provider=row.slug)
            return ""
    name = row.api_key_env or auth_env(spec.auth)
    return settings.PROVIDER_SECRET(name) if name else ""


def wants_secret(row: Provider, spec: ProviderSpec) -> bool:
    return bool(row.api_key_ciphertext or row.api_key_env or auth_env(spec.auth))


def why_not_asked(row: Provider) -> str:
    """Why no request goes to this provider now; empty when it can be asked."""
    spec = spec_of(row.slug, row.wire)
    if not row.enabled:
        return "disabled"
    if row.is_sandbox and not settings.SANDBOX_ENABLED:
        return "the sandbox is switched off"
    if not base_url_of(row, spec):
        return "no base URL"
    if wants_secret(row, spec) and not secret_of(row, spec):
        return f"no key: set {row.api_key_env or auth_env(spec.auth)}"
    return ""


def read_provider(row: Provider) -> ProviderSnapshot | None:
    """None when the provider cannot be asked."""
    if why_not_asked(row):
        return None
    spec = spec_of(row.slug, row.wire)
    overrides = {field.name: getattr(row, f"{field.name}_seconds") for field in fields(Timeouts)}
    return ProviderSnapshot(
        slug=row.slug,
        name=row.name,
        base_url=base_url_of(row, spec),
        endpoints=spec.endpoints,
        auth=spec.auth if wants_secret(row, spec) else NoAuth(),
        secret=secret_of(row, spec),
        headers=spec.headers,
        quirks=spec.quirks,
        usage=spec.usage if row.slug in PROVIDERS else UsageConvention(row.usage),
        timeouts=replace(
            spec.timeouts, **{name: value for name, value in overrides.items() if value}
        ),
        priority=row.priority,
        is_sandbox=row.is_sandbox,
    )


def rates_of(price: Price, *, markup_ppm: int) -> Rates:
    def marked_up(amount: int) -> int:
        return divide_half_up(amount * (PPM + markup_ppm), PPM)

    amounts = {name: marked_up(getattr(price, name)) for name in AMOUNTS}
    return Rates(**amounts, price_id=price.pk)


def load_catalog() -> CatalogSnapshot:
    rows = {row.slug: row for row in Provider.objects.all()}
    providers = {slug: found for slug, row in rows.items() if (found := read_provider(row))}
    prices = {price.offering_id: price for price in prices_in_force(clock.now())}
    offerings: dict[str, list[Offering]] = defaultdict(list)
    for offering in Offering.objects.filter(is_active=True):
        offerings[offering.model_id].append(offering)

    models: dict[str, ModelSnapshot] = {}
    for model in Model.objects.filter(is_active=True).order_by("id"):
        hosts = offerings[model.id]
        reachable = [host for host in hosts if host.provider_id in providers]
        served = [
            OfferingSnapshot(
                id=host.pk,
                model_id=model.id,
                provider=providers[host.provider_id],
                upstream_model=host.upstream_model,
                rates=rates_of(prices[host.pk], markup_ppm=rows[host.provider_id].markup_ppm),
                context_length=host.context_length or model.context_length,
                max_output_tokens=host.max_output_tokens or model.max_output_tokens,
                priority=host.priority,
            )
            for host in reachable
            if host.pk in prices
        ]
        models[model.id] = ModelSnapshot(
            id=model.id,
            name=model.name,
            description=model.description,
            created=model.created_at,
            context_length=model.context_length,
            max_output_tokens=model.max_output_tokens,
            input_modalities=tuple(model.input_modalities),
            output_modalities=tuple(model.output_modalities),
            supported_parameters=tuple(model.supported_parameters),
            offerings=tuple(sorted(served, key=lambda offering: offering.preference)),
            is_priced=any(host.pk in prices for host in reachable or hosts),
        )
    return CatalogSnapshot(
        models=models,
        names=_other_names(models, offerings),
        providers=providers,
        listing=Prepared(render_list(model for model in models.values() if model.offerings)),
    )


def _other_names(
    models: Mapping[str, ModelSnapshot], offerings: Mapping[str, Iterable[Offering]]
) -> dict[str, str]:
    """Lower-cased names to ids. An id beats an alias, an alias beats a bare name."""
    names = _bare_names(models, offerings)
    for alias, model_id in ModelAlias.objects.values_list("alias", "model_id"):
        if model_id in models:
            names[alias] = model_id
    names.update((model_id.lower(), model_id) for model_id in models)
    return names


def _bare_names(
    models: Mapping[str, ModelSnapshot], offerings: Mapping[str, Iterable[Offering]]
) -> dict[str, str]:
    """Ids without their organisation and names at providers, where they mean one model only.

    When they mean several, the one that its own vendor serves is meant: ``gpt-4o`` is OpenAI's.
    """
    meant: dict[str, set[str]] = defaultdict(set)
    meant_by_vendor: dict[str, set[str]] = defaultdict(set)
    for model in models.values():
        full = {model.id.lower(), *(host.upstream_model.lower() for host in offerings[model.id])}
        names = full | {name.rpartition("/")[2] for name in full}
        by_vendor = any(host.provider_id == model.owner for host in offerings[model.id])
        for name in names:
            meant[name].add(model.id)
            if by_vendor:
                meant_by_vendor[name].add(model.id)
    found: dict[str, str] = {}
    for name, ids in meant.items():
        candidates = meant_by_vendor[name] or ids
        if len(candidates) == 1:
            found[name] = next(iter(candidates))
    return found


catalog = Snapshot("catalog", load=load_catalog, epoch=read_epoch)
