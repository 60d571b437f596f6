"""What a model takes, makes and understands, learnt from what sources tell of it.

The model's own vendor is asked first; where it says nothing it is all that the hosts in the same pass say together, and
last what the name tells. "Text" alone is what a model has until somebody says more, so it counts as unknown. What was
learnt gives way to a source that knows as well or better, so that a host's mistake of long ago ends with the next
release; what an operator wrote gives way to nobody.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Protocol

from apps.catalog.models import ABILITIES, Model, PriceSource
from apps.catalog.models.model import text_only
from apps.catalog.providers.canonical import VENDORS
from apps.catalog.providers.modalities import abilities_by_name


class Teller(Protocol):
    """What one source tells of a model at one provider: ``intake.Found``."""

    @property
    def provider(self) -> str: ...
    @property
    def source(self) -> PriceSource: ...


class Known(IntEnum):
    """How well an ability is known; kept by its name in ``Model.learned``. Not there: an operator wrote it, or nobody."""

    UNCERTAIN = 0
    """By an earlier release, which did not note who had told it."""
    HOST_LIST = 1
    """By hosts' own lists. They disagree and come one by one, so the first stays."""
    HOSTS = 2
    """By what ships with the release (the price book and the seed), of hosts."""
    VENDOR_LIST = 3
    VENDOR = 4
    """By what ships with the release, of the vendor."""


def learn(model: Model, sources: Sequence[Teller]) -> bool:
    """Whether anything was learnt. ``sources`` is all that is told of the model in this pass."""
    owner = model.id.partition("/")[0]
    by_vendor = [one for one in sources if VENDORS.get(one.provider, one.provider) == owner]
    learned = False
    for name in ABILITIES:
        told, known = _told(name, by_vendor, sources)
        if not told or list(told) == text_only():
            told = abilities_by_name(model.id).get(name, told)
        if told and _gives_way(model, name, list(told), known):
            setattr(model, name, list(told))
            model.learned = {**model.learned, name: known.value}
            learned = True
    return learned


def _told(
    name: str, by_vendor: Sequence[Teller], sources: Sequence[Teller]
) -> tuple[tuple[str, ...], Known]:
    """What the vendor says, else what all say, and how well it is known then."""
    ships = any(one.source != PriceSource.PROVIDER for one in sources)
    if own := _union(by_vendor, name):
        return own, Known.VENDOR if ships else Known.VENDOR_LIST
    return _union(sources, name), Known.HOSTS if ships else Known.HOST_LIST


def _union(sources: Iterable[Teller], name: str) -> tuple[str, ...]:
    """All words once, in the order in which they are first said."""
    return tuple(dict.fromkeys(word for one in sources for word in getattr(one, name)))


def _gives_way(model: Model, name: str, told: list[str], known: Known) -> bool:
    """Whether what the model has is unknown, or was learnt from somebody who knew less, and is another."""
    former, how = getattr(model, name), model.learned.get(name)
    if not former or former == text_only():
        return bool(told != former)
    if told == text_only() or how is None or known < how:
        return False
    if known == how:
        return bool(told != former and known is not Known.HOST_LIST)
    return True
