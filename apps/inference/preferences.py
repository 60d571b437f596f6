"""What a request says of its routing: OpenRouter's ``provider`` object, ``models`` and variants of a model's name.

https://openrouter.ai/docs/guides/routing/provider-selection and /model-fallbacks. A field that nobody here knows is
refused by name: a wish that is not heard would be worse than an error.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import asdict, replace

from apps.common.errors import InvalidRequest
from apps.common.money import usd_to_nano
from apps.common.preferences import MaxPrice, Preferences, Sort, settle, simplify
from apps.inference.requests.common import Name, explain
from apps.keys.selectors import Recover

Seconds = Annotated[float, Meta(gt=0, le=600)]

VARIANTS: Mapping[str, Sort] = {":floor": "price", ":nitro": "throughput"}
"""Ends of a model's name that say how its hosts are sorted."""
MOST_MODELS = 10


MostCost = Annotated[float, Meta(gt=0, le=1_000_000)]
"""Dollars."""


class Deadlines(msgspec.Struct, frozen=True):
    """The ``deadlines`` object: how long this client waits, whatever the provider's row says."""

    connect: Seconds | None = None
    first_content: Seconds | None = None
    """Of a stream, at every host, the last one too."""
    idle: Seconds | None = None
    total: Seconds | None = None


class Routing(msgspec.Struct, frozen=True):
    provider: Preferences = Preferences()
    models: tuple[str, ...] = ()
    """To be asked in this order when the one that ``model`` names cannot answer."""
    sort: Sort | None = None
    """What the model's name asks for; ``provider.sort`` goes before it."""
    recover: Recover | None = None
    """None: as the key says."""
    hedge: bool = False
    """A second host is asked beside the first when that takes longer than it usually does."""
    deadlines: Deadlines = Deadlines()
    max_cost: int | None = None
    """Nano-USD that the request may cost at most."""


DEFAULT = Routing()


class _Body(msgspec.Struct):
    provider: Preferences | None = None
    models: Annotated[tuple[Name, ...], Meta(max_length=MOST_MODELS)] | None = None
    route: Literal["fallback"] | None = None
    """What OpenRouter once wanted beside ``models``."""
    recover: Literal["match", "continue", "off"] | None = None
    hedge: bool | None = None
    deadlines: Deadlines | None = None
    max_cost: MostCost | None = None


ROUTING_FIELDS = frozenset(_Body.__struct_fields__)
"""What of a request is for us alone."""


def read_routing(body: Mapping[str, Any]) -> Routing:
    """Raises InvalidRequest naming the field."""
    asked = {name: body[name] for name in _Body.__struct_fields__ if name in body}
    if not asked:
        return DEFAULT
    if "provider" in asked:
        asked["provider"] = simplify(asked["provider"])
    try:
        found = msgspec.convert(asked, _Body)
    except msgspec.ValidationError as error:
        raise explain(str(error)) from error
    for name in body.get("deadlines") or ():
        if name not in Deadlines.__struct_fields__:
            param = f"deadlines.{name[:100]}"
            raise InvalidRequest(f"'{param}' is not known.", param=param, code="invalid_value")
    return Routing(
        provider=settle(found.provider) if found.provider else DEFAULT.provider,
        models=found.models or (),
        recover=Recover(found.recover) if found.recover else None,
        hedge=bool(found.hedge),
        deadlines=found.deadlines or Deadlines(),
        # As it was written: a float's digits beyond that are nobody's.
        max_cost=None if found.max_cost is None else usd_to_nano(repr(found.max_cost)),
    )


def narrow(routing: Routing, policy: Preferences) -> Routing:
    """The routing of a request whose key has a policy: both must allow a host; where both wish, the request is heard."""
    asked = routing.provider
    sort = asked.sort or routing.sort
    provider = Preferences(
        # A request that sorts would not be heard behind the key's order.
        order=policy.order if asked.order is None and sort is None else asked.order,
        only=_both(asked.only, policy.only),
        ignore=_either(asked.ignore, policy.ignore),
        allow_fallbacks=_first(asked.allow_fallbacks, policy.allow_fallbacks),
        require_parameters=_first(asked.require_parameters, policy.require_parameters),
        data_collection="deny"
        if "deny" in (asked.data_collection, policy.data_collection)
        else asked.data_collection or policy.data_collection,
        zdr=asked.zdr or policy.zdr,
        quantizations=_both(asked.quantizations, policy.quantizations),
        regions=_both(asked.regions, policy.regions),
        sort=asked.sort,
        max_price=_lower(asked.max_price, policy.max_price),
    )
    return replace(routing, provider=provider, sort=routing.sort or policy.sort)


def constraints_of(routing: Routing) -> str:
    """Who may answer as far as this limits it, the same text for the same limits; empty when it does not.

    What only says who is asked first is no limit, unless nobody may follow; ``models`` may let another model answer.
    """
    asked = routing.provider
    limits: dict[str, Any] = {
        name: sorted({word.lower() for word in words})
        for name in ("only", "ignore", "quantizations", "regions")
        if (words := getattr(asked, name)) is not None
    }
    limits |= {name: True for name in ("require_parameters", "zdr") if getattr(asked, name)}
    if asked.data_collection == "deny":
        limits["data_collection"] = "deny"
    if asked.max_price is not None:
        limits["max_price"] = asdict(asked.max_price)
    if asked.allow_fallbacks is False:
        limits["first"] = [asked.order or (), asked.sort or routing.sort]
    if routing.models:
        limits["models"] = routing.models
    return json.dumps(limits, sort_keys=True) if limits else ""


def _first(asked: bool | None, policy: bool | None) -> bool | None:
    return policy if asked is None else asked


def _both(asked: tuple[str, ...] | None, policy: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What both name; ``deepinfra`` names ``deepinfra/fp8``, too."""
    if asked is None or policy is None:
        return policy if asked is None else asked
    ours, theirs = ([name.lower() for name in names] for names in (asked, policy))
    return (*_within(ours, set(theirs)), *_within(theirs, set(ours)))


def _within(names: Iterable[str], others: set[str]) -> Iterable[str]:
    return (name for name in names if name in others or name.partition("/")[0] in others)


def _either(
    asked: tuple[str, ...] | None, policy: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    return (*(asked or ()), *(policy or ())) or None


def _lower(asked: MaxPrice | None, policy: MaxPrice | None) -> MaxPrice | None:
    if asked is None or policy is None:
        return asked or policy
    bounds = asdict(policy)
    for name, most in asdict(asked).items():
        if most is not None and (bounds[name] is None or most < bounds[name]):
            bounds[name] = most
    return MaxPrice(**bounds)


def split_variant(name: str) -> tuple[str, Sort | None]:
    """``acme/large:nitro`` → the model's name, and the sort that the end of it means."""
    for ending, sort in VARIANTS.items():
        if name.endswith(ending):
            return name.removesuffix(ending), sort
    return name, None


def nobody_allowed(param: str, text: str) -> InvalidRequest:
    return InvalidRequest(text, param=param, code="no_provider_allowed")
