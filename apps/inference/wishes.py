"""Wishes: the ``provider`` object made ready for a plan, so that each host costs a few look-ups however long its lists are. Pure.

Only what a host is left out for is decided here, and its place in ``order``; the rest of the order is planner.py's.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from apps.catalog.selectors import OfferingSnapshot
from apps.common.money import NANO_PER_USD
from apps.common.preferences import MaxPrice, Preferences
from apps.common.usage import Rates


class Why(StrEnum):
    """Why a host is not in the plan."""

    NOT_ALLOWED = "not_allowed"
    IGNORED = "ignored"
    QUANTIZATION = "quantization"
    REGION = "region"
    TOO_DEAR = "too_dear"
    COLLECTS_DATA = "collects_data"
    KEEPS_DATA = "keeps_data"
    LACKS = "lacks"
    UNPRICED = "unpriced"
    """The request buys something there beside tokens that has no price here."""
    NO_ROOM = "no_room"
    BREAKER_OPEN = "breaker_open"
    NO_FALLBACK = "no_fallback"
    OWN_KEY_ONLY = "own_key_only"
    """The customer has a key of its own there, and wants nobody else's to be used."""


FIELDS = {
    Why.NOT_ALLOWED: "provider.only",
    Why.IGNORED: "provider.ignore",
    Why.QUANTIZATION: "provider.quantizations",
    Why.REGION: "provider.regions",
    Why.COLLECTS_DATA: "provider.data_collection",
    Why.KEEPS_DATA: "provider.zdr",
    Why.TOO_DEAR: "provider.max_price",
    Why.NO_FALLBACK: "provider.order",
}
"""The field that a host was left out for, in the order in which they are looked at."""

Bounds = tuple[float | None, float | None, float | None, float | None]


class Wishes(msgspec.Struct, frozen=True):
    """Names in lower case; None where nothing is asked."""

    only: frozenset[str] | None
    ignore: frozenset[str] | None
    quantizations: frozenset[str] | None
    regions: frozenset[str] | None
    places: dict[str, int]
    """Of the names of ``order``."""
    is_strict: bool
    """Nobody but the hosts of ``order``."""
    refuses_collecting: bool
    refuses_keeping: bool
    most: Bounds | None
    """Nano-dollars: input, output, request, image."""

    def objection(self, offering: OfferingSnapshot, rates: Rates) -> Why | None:
        """What the request has against a host at this price; the first of ``FIELDS``."""
        provider = offering.provider
        slug, tag = provider.slug, offering.tag
        if self.only is not None and slug not in self.only and tag not in self.only:
            return Why.NOT_ALLOWED
        if self.ignore is not None and (slug in self.ignore or tag in self.ignore):
            return Why.IGNORED
        if (
            self.quantizations is not None
            and (offering.quantization.lower() or "unknown") not in self.quantizations
        ):
            return Why.QUANTIZATION
        if self.regions is not None and (
            not provider.region or provider.region not in self.regions
        ):
            return Why.REGION
        if self.refuses_collecting and provider.collects_data is not False:
            return Why.COLLECTS_DATA
        if self.refuses_keeping and not provider.keeps_nothing:
            return Why.KEEPS_DATA
        if self.most is not None and _is_beyond(self.most, rates):
            return Why.TOO_DEAR
        if self.is_strict and slug not in self.places and tag not in self.places:
            return Why.NO_FALLBACK
        return None

    def place(self, offering: OfferingSnapshot) -> int:
        """In ``order``; behind all of it when it is not named there."""
        places = self.places
        last = len(places)
        return min(places.get(offering.provider.slug, last), places.get(offering.tag, last))


def prepare(asked: Preferences) -> Wishes:
    order = dict.fromkeys([name.lower() for name in asked.order or ()])
    places = {name: place for place, name in enumerate(order)}
    return Wishes(
        only=_lowered(asked.only),
        ignore=_lowered(asked.ignore),
        quantizations=_lowered(asked.quantizations),
        regions=_lowered(asked.regions),
        places=places,
        is_strict=asked.allow_fallbacks is False and bool(places),
        refuses_collecting=asked.data_collection == "deny",
        refuses_keeping=bool(asked.zdr),
        most=_bounds(asked.max_price),
    )


def _lowered(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset([name.lower() for name in names])


def _bounds(most: MaxPrice | None) -> Bounds | None:
    if most is None:
        return None
    return (_nano(most.prompt), _nano(most.completion), _nano(most.request), _nano(most.image))


def _nano(usd: float | None) -> float | None:
    return None if usd is None else usd * NANO_PER_USD


def _is_beyond(most: Bounds, rates: Rates) -> bool:
    prompt, completion, request, image = most
    return (
        (prompt is not None and rates.input > prompt)
        or (completion is not None and rates.output > completion)
        or (request is not None and rates.request > request)
        or (image is not None and rates.images > image)
    )


NONE = prepare(Preferences())
