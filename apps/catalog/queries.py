"""Queries: which entries a client asks for, in which order, and which page of them."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from apps.catalog.categories import CATEGORIES
from apps.catalog.entries import Entry
from apps.catalog.providers.canonical import canonicalize, same_model_key
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.schemas import ModelQuery
from apps.catalog.snapshots import MODALITIES, CatalogSnapshot
from apps.common.errors import InvalidRequest
from apps.common.money import usd_to_nano

T = TypeVar("T")
Keep = Callable[[Entry], bool]

KNOWN_MODALITIES = frozenset({"text", "image", "audio", "video", "file"}).union(
    *MODALITIES.values()
)
"""Words to filter by; those that a model of the catalogue has come on top."""
WORD = re.compile(r"[a-z0-9.]+")


def _price(entry: Entry) -> int:
    return entry.model.offerings[0].rates.input


def _context(entry: Entry) -> int:
    return entry.model.context_length or entry.model.offerings[0].context_length or 0


ORDERS: Mapping[str, Callable[[Entry], Any]] = {
    "": lambda entry: entry.model.id,
    "name": lambda entry: entry.model.name.lower(),
    "created": lambda entry: -entry.model.created,
    "price": _price,
    "-price": lambda entry: -_price(entry),
    "context": lambda entry: -_context(entry),
}
"""Newest and largest first. Equal ones stay in the order of their ids."""


def refuse_unknown(names: Iterable[str], *, known: Collection[str]) -> None:
    """A filter that is misspelt must not be taken for no filter."""
    for name in names:
        if name not in known:
            others = f"; there are {', '.join(sorted(known))}" if known else ""
            raise InvalidRequest(
                f"There is no parameter '{name[:60]}' here{others}.",
                param=name[:60],
                code="invalid_value",
            )


def select(entries: Iterable[Entry], query: ModelQuery, snapshot: CatalogSnapshot) -> list[Entry]:
    """Those that pass every filter of the query, in its order. Raises InvalidRequest naming the parameter."""
    filters = list(_filters(query, snapshot))
    found = [entry for entry in entries if all(keep(entry) for keep in filters)]
    return sorted(found, key=ORDERS[query.sort])


def _filters(query: ModelQuery, snapshot: CatalogSnapshot) -> Iterable[Keep]:
    if provider := query.provider:
        check_provider(provider, snapshot)
        yield lambda entry: any(host.provider.slug == provider for host in entry.model.offerings)
    if query.author:
        yield is_by(query.author)
    if query.owned_by:
        yield is_by(query.owned_by)
    if query.q:
        yield contains(query.q)
    if category := query.category:
        _check("category", [category], known=CATEGORIES)
        yield lambda entry: category in entry.categories
    if heard := _listed("input_modalities", query.input_modalities, known=_modalities(snapshot)):
        yield lambda entry: heard.issubset(entry.model.input_modalities)
    if made := _listed("output_modalities", query.output_modalities, known=_modalities(snapshot)):
        yield lambda entry: made.issubset(entry.model.output_modalities)
    if taken := _listed("supported_parameters", query.supported_parameters):
        yield lambda entry: taken.issubset(entry.model.supported_parameters)
    if (least := query.min_context) is not None:
        yield lambda entry: _context(entry) >= least
    if query.max_price is not None:
        most = usd_to_nano(query.max_price)
        yield lambda entry: _price(entry) <= most
    if query.free is not None:
        yield lambda entry: ("free" in entry.categories) is query.free


def _modalities(snapshot: CatalogSnapshot) -> frozenset[str]:
    return KNOWN_MODALITIES.union(
        *(model.input_modalities + model.output_modalities for model in snapshot.models.values())
    )


def _listed(param: str, text: str, *, known: Collection[str] | None = None) -> frozenset[str]:
    names = frozenset(name for part in text.split(",") if (name := part.strip().lower()))
    if known is not None:
        _check(param, names, known=known)
    return names


def _check(param: str, names: Iterable[str], *, known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"'{param}': there is no '{name[:60]}'.", param=param, code="invalid_value"
            )


def check_provider(slug: str, snapshot: CatalogSnapshot) -> None:
    """Raises InvalidRequest for one that nobody here knows."""
    _check("provider", [slug], known=PROVIDERS.keys() | snapshot.providers.keys())


def is_by(author: str) -> Keep:
    wanted = author.lower()
    return lambda entry: entry.author.lower() == wanted


def contains(q: str) -> Keep:
    words = q.lower().split()
    return lambda entry: all(word in entry.text for word in words)


def search(entries: Iterable[Entry], q: str, snapshot: CatalogSnapshot) -> list[Entry]:
    """Best first: the id itself, another name of it, its beginning, its words, anything that holds what is asked; the vendor's own
    before what others made of it."""
    asked = q.strip().lower()
    meant = snapshot.names.get(asked)
    holds = contains(asked)
    found = [entry for entry in entries if entry.model.id == meant or holds(entry)]
    vendor = canonicalize("", "-".join(asked.split())).id.partition("/")[0]
    return sorted(found, key=lambda entry: _rank(entry, asked, meant=meant, vendor=vendor))


def _rank(entry: Entry, q: str, *, meant: str | None, vendor: str) -> tuple[int, bool, int, str]:
    """Sorts what was found. ``meant`` is the model whose id or other name this is, ``vendor`` whose such names are: what others
    made of a model comes after it. Then shorter ids are closer."""
    model_id, asked = same_model_key(entry.model.id), "-".join(same_model_key(q).split())
    if entry.model.id == meant:
        rank = 0
    elif model_id.startswith(asked) or model_id.partition("/")[2].startswith(asked):
        rank = 1
    elif set(WORD.findall(q)) <= set(WORD.findall(entry.text)):
        rank = 2
    else:
        rank = 3
    return rank, entry.author != vendor, len(model_id), model_id


def page_of(found: Sequence[T], *, limit: int | None, offset: int) -> tuple[Sequence[T], bool]:
    """The page and whether there is more behind it; without a limit everything."""
    end = len(found) if limit is None else offset + limit
    return found[offset:end], end < len(found)


def place_of(ids: Sequence[str], name: str, *, param: str) -> int:
    """Where this id stands. Raises InvalidRequest for one that does not."""
    if name not in ids:
        raise InvalidRequest(
            f"'{param}' names no model of this list.", param=param, code="invalid_value"
        )
    return ids.index(name)
