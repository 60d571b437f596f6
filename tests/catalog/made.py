"""Models as a snapshot holds them, made without a database."""

import datetime
from typing import Any

from apps.catalog.capabilities import Capabilities
from apps.catalog.providers import endpoints
from apps.catalog.providers.spec import NoAuth, Timeouts, UsageConvention
from apps.catalog.snapshots import (
    CatalogSnapshot,
    ModelSnapshot,
    OfferingSnapshot,
    ProviderSnapshot,
)
from apps.common.money import usd_to_nano
from apps.common.prepared import Prepared
from apps.common.usage import Rates


def make_provider(slug: str = "acme", *, is_sandbox: bool = False, asked_for: Any = None) -> Any:
    return ProviderSnapshot(
        slug=slug,
        name=slug.title(),
        base_url="http://127.0.0.1:1/v1",
        endpoints=endpoints.CHAT if asked_for is None else asked_for,
        auth=NoAuth(),
        secret="",
        headers={},
        quirks=(),
        usage=UsageConvention.CACHE_INSIDE_INPUT,
        timeouts=Timeouts(),
        priority=50,
        is_sandbox=is_sandbox,
    )


def make_offering(
    model_id: str,
    provider: ProviderSnapshot,
    *,
    usd: str = "1",
    context: int | None = 128_000,
    longest: int | None = None,
    told: Capabilities | None = None,
) -> OfferingSnapshot:
    """Output at three times the price of input."""
    price = usd_to_nano(usd)
    cached: Any = {"cache_read": price, "cache_write_5m": price, "cache_write_1h": price}
    return OfferingSnapshot(
        id=1,
        model_id=model_id,
        provider=provider,
        upstream_model=model_id,
        rates=Rates(input=price, output=3 * price, reasoning=3 * price, **cached),
        context_length=context,
        max_output_tokens=longest,
        priority=50,
        capabilities=told,
    )


def make_model(
    model_id: str,
    *offerings: OfferingSnapshot,
    takes: tuple[str, ...] = ("text",),
    gives: tuple[str, ...] = ("text",),
    parameters: tuple[str, ...] = (),
    **offered: Any,
) -> ModelSnapshot:
    """At one host, offered as told, unless the hosts are given."""
    return ModelSnapshot(
        id=model_id,
        name=model_id,
        description="",
        released_on=datetime.date(2026, 1, 1),
        context_length=None,
        max_output_tokens=None,
        input_modalities=takes,
        output_modalities=gives,
        supported_parameters=parameters,
        offerings=offerings or (make_offering(model_id, make_provider(), **offered),),
        is_priced=True,
    )


def make_snapshot(*models: ModelSnapshot) -> CatalogSnapshot:
    return CatalogSnapshot(
        models={model.id: model for model in models},
        names={},
        providers={},
        listing=Prepared(b"{}"),
    )
