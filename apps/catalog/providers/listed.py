"""Listing: how to read a provider's list of models, as frozen data. ListedModel: one entry of it, typed.

A listing says where the list is, how it goes on, where the entries stand and under which names an entry keeps what we
want to know. ``read_models`` is the one reader. What no field can say is an ``expand`` function in ``odd_items``.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import Any

from apps.catalog.providers.amounts import ListedPrice, Unit, parse_amount, to_nano
from apps.catalog.providers.modalities import PER_PIECE, modalities_of, words_of

Item = Mapping[str, Any]
Paths = tuple[str, ...]
"""Places of one value, the likeliest first; ``pricing.prompt`` looks into an object."""


class Paging(Enum):
    NONE = auto()
    AFTER_ID = auto()
    """The next page begins after the last id of this one; a page that is not full is the last."""
    NUMBERED = auto()
    """Pages 1, 2, 3; a page that is not full is the last."""
    TOKEN = auto()
    """Each page says what to ask for the next; one that says nothing is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    style: Paging = Paging.NONE
    size: int = 100
    size_parameter: str = "limit"
    parameter: str = ""
    """Carries the last id, the number or the token."""
    token: str = ""
    """Where a page names the next one's token."""


@dataclass(frozen=True, slots=True)
class PriceField:
    bucket: str
    paths: Paths
    unit: Unit


def prices(unit: Unit, **buckets: str | Paths) -> tuple[PriceField, ...]:
    """Fields of one unit: ``prices(Unit.PER_TOKEN, input="pricing.prompt", output="pricing.completion")``."""
    return tuple(
        PriceField(bucket, (paths,) if isinstance(paths, str) else paths, unit)
        for bucket, paths in buckets.items()
    )


def as_it_is(item: Item) -> Iterable[Item]:
    return (item,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    url: str = "/models"
    """A path after the provider's base URL or a whole address, where ``{NAME}`` stands for a setting of its row."""
    why_none: str = ""
    """Why the provider has no list that we can read; then nothing else of this row matters."""
    public: bool = False
    """Asked without the provider's secret."""
    pages: Pages = Pages()
    items: Paths = ("data.item",)
    """ijson prefixes of an entry; the first that finds one is meant. ``item`` is an entry of a bare list."""
    expand: Callable[[Item], Iterable[Item]] = as_it_is
    """Makes plain entries of an odd one."""
    ids: Paths = ("id",)
    also: str = ""
    """Where an entry keeps other ids that it answers to."""
    prefix: Paths = ()
    """Taken off the front of an id, which keeps its case."""
    keep: tuple[str, ...] = ("*",)
    skip: tuple[str, ...] = ()
    """Globs over ids in lower case."""
    only: Mapping[str, tuple[str, ...]] | None = None
    """Values that a place must hold, one of them, or an entry is left out; a place that is not there holds anything."""
    name: Paths = ("name", "display_name")
    description: Paths = ("description",)
    context_length: Paths = ("context_length",)
    max_output_tokens: Paths = ("max_completion_tokens", "max_output_tokens")
    input_modalities: Paths = ("architecture.input_modalities", "input_modalities")
    output_modalities: Paths = ("architecture.output_modalities", "output_modalities")
    kind: Paths = ("type",)
    """What a model is for, in the provider's word: see ``modalities.WORDS``."""
    parameters: Paths = ("supported_parameters",)
    deprecated: Paths = ("deprecated", "is_deprecated")
    replaced_by: Paths = ("replaced_by",)
    prices: tuple[PriceField, ...] = ()
    zero_is_free: bool = False
    """A price of nothing at all is meant. Elsewhere it says that the list does not know."""
    free: bool = False
    """Runs on the operator's own machine: no price is listed, and nothing is charged."""
    complete: bool = True
    """What the list does not name is not served. False where a provider serves more than it lists."""
    expected: int = 1
    """Fewer entries than this are a mistake of the list, which is then not believed."""
    docs: str = ""
    """The page that was read to write this row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    upstream_model: str
    also: tuple[str, ...] = ()
    left_out: str = ""
    """Why we do not offer it although it is served; then the rest is not read."""
    name: str = ""
    description: str = ""
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] = ()
    """Empty when the list does not say."""
    output_modalities: tuple[str, ...] = ("text",)
    supported_parameters: tuple[str, ...] = ()
    prices: tuple[ListedPrice, ...] = ()
    free: bool = False
    zero_is_free: bool = False
    replaced_by: str = ""


def read_models(listing: Listing, item: Any) -> Iterator[ListedModel]:
    """What one entry of the list says; nothing when it is no entry. Raises TypeError for a float.

    An entry that cannot be read is left out under its name, so that it does not count as missing from the list.
    """
    if not isinstance(item, Mapping):
        return
    for plain in listing.expand(item):
        upstream_model = _id(listing, plain)
        if not upstream_model:
            continue
        try:
            yield _read(listing, plain, upstream_model)
        except (ArithmeticError, AttributeError, LookupError, ValueError) as error:
            yield ListedModel(upstream_model=upstream_model, left_out=str(error)[:200])


def _id(listing: Listing, item: Item) -> str:
    found = str(first(item, listing.ids) or "").strip()
    for prefix in listing.prefix:
        found = found.removeprefix(prefix)
    return found if len(found) <= 200 and not any(c.isspace() for c in found) else ""


UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""No database keeps them in text."""


def text(value: Any) -> str:
    """Raises ValueError for text that cannot be kept."""
    found = str(value or "")
    if UNSTORABLE.search(found):
        raise ValueError("text that no database keeps")
    return found


def _read(listing: Listing, item: Item, upstream_model: str) -> ListedModel:
    text(upstream_model)
    others = first(item, (listing.also,)) if listing.also else ()
    also = tuple(str(name) for name in others) if isinstance(others, list | tuple) else ()
    output = modalities_of(
        words_of(first(item, listing.output_modalities)),
        words_of(first(item, listing.kind)),
        upstream_model,
    )
    found = tuple(_prices(listing, item))
    reason = _why_left_out(listing, item, upstream_model, output, found)
    if reason:
        return ListedModel(upstream_model=upstream_model, also=also, left_out=reason)
    return ListedModel(
        upstream_model=upstream_model,
        also=also,
        name=text(first(item, listing.name))[:200],
        description=text(first(item, listing.description)),
        context_length=_tokens(first(item, listing.context_length)),
        max_output_tokens=_tokens(first(item, listing.max_output_tokens)),
        input_modalities=_words(item, listing.input_modalities),
        output_modalities=output,
        supported_parameters=_words(item, listing.parameters),
        prices=_billable(listing, output, found),
        free=listing.free,
        zero_is_free=listing.zero_is_free,
        replaced_by=str(first(item, listing.replaced_by) or ""),
    )


def _words(item: Item, paths: Paths) -> tuple[str, ...]:
    return tuple(text(word) for word in words_of(first(item, paths)))


def _why_left_out(
    listing: Listing,
    item: Item,
    upstream_model: str,
    output: tuple[str, ...],
    found: tuple[ListedPrice, ...],
) -> str:
    name = upstream_model.lower()
    if not any(fnmatchcase(name, glob) for glob in listing.keep):
        return "not among what we take from this list"
    if any(fnmatchcase(name, glob) for glob in listing.skip):
        return "the row skips it"
    for place, values in (listing.only or {}).items():
        held = first(item, (place,))
        words = {str(word).lower() for word in (held if isinstance(held, list) else [held])}
        if held is not None and words.isdisjoint(values):
            return f"its {place} is not one that we take"
    if not output:
        return "makes something that we do not pass on"
    if first(item, listing.deprecated):
        return "deprecated"
    if any(price.amount < 0 for price in found):
        return "priced by what it is asked"
    return ""


def _prices(listing: Listing, item: Item) -> Iterator[ListedPrice]:
    for field in listing.prices:
        amount = parse_amount(first(item, field.paths))
        if amount is not None:
            yield ListedPrice(field.bucket, amount, field.unit)


def _billable(
    listing: Listing, output: tuple[str, ...], found: tuple[ListedPrice, ...]
) -> tuple[ListedPrice, ...]:
    """The prices when they are enough to bill by: for text input and output, else what its kind is billed by."""
    if not listing.zero_is_free and all(price.amount == 0 for price in found):
        return ()
    # Nought for a cache, a picture or a request is how lists say that there is none.
    found = tuple(
        price
        for price in found
        if to_nano(price) is not None and (price.amount or price.bucket in {"input", "output"})
    )
    known = {price.bucket for price in found}
    if "text" in output:
        return found if {"input", "output"} <= known else ()
    return found if any(known & PER_PIECE[word] for word in output) else ()


def first(item: Item, paths: Paths) -> Any:
    """The value at the first place that holds one."""
    for path in paths:
        value: Any = item
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def _tokens(value: Any) -> int | None:
    """A number of tokens, written as a number or as "128,000"; None when it is none or nought, which is "unknown"."""
    try:
        amount = parse_amount(value)
    except (TypeError, ValueError):
        return None
    return int(amount) if amount is not None and 0 < amount <= 2_147_483_647 else None
