"""What if: what the traffic of a range would have cost with another model, by the one rating function at its prices now."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from apps.billing.services import rating
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot
from apps.common.usage import BUCKETS, Usage
from apps.inference.usage_sums import ENDS, PRICE, USAGE_COLUMNS, Sums

MAY_LACK_A_PRICE = ("audio_input", "audio_output", "images", "characters", "seconds", "searches")
"""Buckets that have no price at a host whose model does nothing of the kind."""


@dataclass(frozen=True, slots=True)
class HostCost:
    provider: str
    tag: str
    cost: int
    """Nano-USD, rounded once."""
    not_compared: tuple[str, ...]
    """Buckets that were used and have no price there: they are in no cost of this host."""


@dataclass(frozen=True, slots=True)
class Comparison:
    requests: int
    """Whose usage is compared."""
    usage: Usage
    cost: int
    """What they did cost, nano-USD."""
    left_out: Mapping[str, int]
    """Requests that had no price of ours to compare with, by what they were billed by."""
    hosts: tuple[HostCost, ...]
    """The cheapest first, those that can be compared in full ahead of the others."""


def compare(model: ModelSnapshot, by_billing: Mapping[str, Sums]) -> Comparison:
    priced = by_billing.get(PRICE, Sums())
    usage = Usage(**{bucket: priced[USAGE_COLUMNS[bucket]] for bucket in BUCKETS})
    requests = priced["rated"]
    hosts = [_cost_at(offering, usage, requests) for offering in model.offerings]
    return Comparison(
        requests=requests,
        usage=usage,
        cost=priced["cost"],
        left_out={
            billing: number
            for billing, sums in sorted(by_billing.items())
            if billing != PRICE and (number := sum(sums[end] for end in ENDS))
        },
        hosts=tuple(sorted(hosts, key=lambda host: (len(host.not_compared), host.cost, host.tag))),
    )


def _cost_at(offering: OfferingSnapshot, usage: Usage, requests: int) -> HostCost:
    rates = offering.rates
    return HostCost(
        provider=offering.provider.slug,
        tag=offering.tag,
        # Rated as one request with the fee of all: prices are per unit, so only the rounding is another one.
        cost=rating.cost(usage, replace(rates, request=rates.request * requests)).total,
        not_compared=tuple(
            bucket
            for bucket in MAY_LACK_A_PRICE
            if getattr(usage, bucket) and not getattr(rates, bucket)
        ),
    )
