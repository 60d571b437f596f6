"""What one host of a model takes, as its own list or the release tells; nothing where neither says a word.

Hosts of one model differ, and what the model takes somewhere (``abilities``) is not what this one takes. The provider's
own list goes before what ships with the release, and what an operator wrote gives way to nobody.
"""

from typing import Protocol

from apps.catalog.models import RANKS, Offering, PriceSource
from apps.catalog.models.model import text_only

TOLD = ("supported_parameters", "input_modalities")
FIELDS = (*TOLD, "told_by")


class Teller(Protocol):
    """What one source tells of an offering: ``intake.Found``."""

    @property
    def source(self) -> PriceSource: ...
    @property
    def supported_parameters(self) -> tuple[str, ...]: ...
    @property
    def input_modalities(self) -> tuple[str, ...]: ...


def learn(offering: Offering, one: Teller) -> bool:
    """Whether anything was learnt."""
    learned = False
    for name in TOLD:
        words = list(getattr(one, name))
        if one.source != PriceSource.PROVIDER and words == text_only():
            continue  # what the release says of a model of which it does not know more
        former = (offering.told_by or {}).get(name)
        if not words or (former is not None and RANKS[former] > RANKS[one.source]):
            continue
        if words != getattr(offering, name) or former != one.source:
            write(offering, name, words, one.source)
            learned = True
    return learned


def write(offering: Offering, name: str, words: list[str], source: PriceSource) -> None:
    """One of ``TOLD``; no words are none that anybody told. Not saved."""
    told_by = {**(offering.told_by or {}), name: source.value}
    if not words:
        del told_by[name]
    setattr(offering, name, words or None)
    offering.told_by = told_by or None
