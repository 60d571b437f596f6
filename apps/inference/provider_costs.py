"""What a provider will bill the house for: the requests that it answered, by the name that it has for the model.

Usage as it was recorded, at the provider's own price: the row that each record names, without mark-up, terms or share.
Not counted: answers from a cache, for no provider was asked, and what was asked with a customer's own key.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from msgspec.structs import replace
from typing_extensions import override

from apps.billing.services import rating
from apps.catalog.history import read_history
from apps.common.usage import NOTHING, WHOLE_BP, Rates, Usage, UsageSource
from apps.inference.models import RequestRecord
from apps.inference.usage_sums import USAGE_COLUMNS, Range

_INPUT = (
    F("input_tokens") + F("cache_read_tokens") + F("cache_write_5m_tokens")
    + F("cache_write_1h_tokens") + F("audio_input_tokens")
)  # fmt: skip
"""What a tier of prices goes by: ``Usage.total_input``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderUse:
    """Of one model of the provider."""

    model: str
    """The provider's name for it, as it was asked for."""
    requests: int
    uncertain: int
    """Of these: their usage was counted by the gateway, not known, or without a price. The provider may see it otherwise."""
    usage: Usage
    cost: int
    """Nano-USD, rounded once for all requests of a price."""


class _AskedModel(Func):
    """The name in the attempt that answered, else in the last one at this provider; null where there is none."""

    output_field = CharField()

    def __init__(self, provider: str) -> None:
        super().__init__(F("attempts"), Value(provider))

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = (
            "(SELECT one ->> 'model' FROM jsonb_array_elements(%(expressions)s "
            "ORDER BY (one ->> 'fault' = '') DESC, place DESC LIMIT 1)"
        )
        joiner = ") WITH ORDINALITY AS asked (one, place) WHERE one ->> 'provider' = "
        return self.as_sql(compiler, connection, template=template, arg_joiner=joiner, **extra)

    @override
    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = (
            "(SELECT json_extract(asked.value, '$.model') FROM json_each(%(expressions)s "
            "ORDER BY (json_extract(asked.value, '$.fault') = '') DESC, asked.key DESC LIMIT 1)"
        )
        joiner = ") AS asked WHERE json_extract(asked.value, '$.provider') = "
        return self.as_sql(compiler, connection, template=template, arg_joiner=joiner, **extra)


def read_provider_use(provider: str, within: Range) -> list[ProviderUse]:
    """By model, of the requests that ended in this range. Four queries or six, whatever their number."""
    rows = RequestRecord.objects.filter(
        provider=provider,
        created_at__gte=within.start,
        created_at__lt=within.end,
        cached=False,
        is_byok=False,
    ).order_by()
    named = rows.values_list("price_id", flat=True).distinct()
    prices = {price_id for price_id in named if price_id is not None}
    rates = read_history(prices).rows if prices else {}
    found: dict[str, ProviderUse] = {}
    for model, price_id, band, requests, rated, uncertain, *sums in _sum(rows, provider, rates):
        usage = Usage(**dict(zip(USAGE_COLUMNS, map(int, sums), strict=True)))
        price = rates.get(price_id)
        more = ProviderUse(
            model=model,
            requests=requests,
            uncertain=requests if price is None else uncertain,
            usage=usage,
            cost=_cost(usage, price, band=band, requests=rated) if price else 0,
        )
        found[model] = _together(found[model], more) if model in found else more
    return sorted(found.values(), key=lambda use: use.model)


def _sum(rows: QuerySet[RequestRecord], provider: str, rates: Any) -> Any:
    """By model, price and the tier of that price: ``band`` counts the thresholds that a request's input is above."""
    bands = [
        When(Q(price_id=price_id, whole_input__gt=tier.above), then=Value(number))
        for price_id, price in rates.items()
        for number, tier in reversed(list(enumerate(price.tiers, 1)))
    ]
    band = Case(*bands, default=Value(0), output_field=IntegerField())
    used = Q()
    for column in USAGE_COLUMNS.values():
        used |= Q(**{f"{column}__gt": 0})
    by = ("asked", "price_id", "band")
    aggregates = {
        "requests": Count("pk"),
        "rated": Count("pk", filter=used),
        "doubtful": Count("pk", filter=~Q(usage_source=UsageSource.PROVIDER.value)),
        **{f"sum_{column}": Sum(column) for column in USAGE_COLUMNS.values()},
    }
    return (
        rows.annotate(whole_input=_INPUT, asked=Coalesce(_AskedModel(provider), F("model")))
        .annotate(band=band if bands else Value(0, output_field=IntegerField()))
        .values_list(*by)
        .annotate(**aggregates)
        .values_list(*by, *aggregates)
    )


def _cost(usage: Usage, price: Rates, *, band: int, requests: int) -> int:
    """Of ``requests`` that are in one tier."""
    if usage == NOTHING:
        return 0
    rates = price.tiers[band - 1].rates if band else price
    each = rates.request * requests
    whole = replace(rates, tiers=(), request=0, share_bp=WHOLE_BP)
    return rating.cost(usage, whole).total + each


def _together(one: ProviderUse, other: ProviderUse) -> ProviderUse:
    names = Usage.__struct_fields__
    usage = Usage(**{name: getattr(one.usage, name) + getattr(other.usage, name) for name in names})
    return ProviderUse(
        model=one.model,
        requests=one.requests + other.requests,
        uncertain=one.uncertain + other.uncertain,
        usage=usage,
        cost=one.cost + other.cost,
    )
