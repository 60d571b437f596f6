"""Entries: the models that can be served, with all that the models routes filter and show, made once for a snapshot."""

from dataclasses import dataclass
from functools import lru_cache

import orjson

from apps.catalog.cards import author_of, model_card
from apps.catalog.categories import categories_of
from apps.catalog.selectors import catalog, whole_catalog
from apps.catalog.snapshots import CatalogSnapshot, ModelSnapshot
from apps.common.errors import ModelNotFound


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    model: ModelSnapshot
    card: orjson.Fragment
    author: str
    categories: frozenset[str]
    text: str
    """Id and name in lower case, for searches."""


@lru_cache(maxsize=2)
def entries_of(snapshot: CatalogSnapshot) -> tuple[Entry, ...]:
    """By id. Two are kept: what can be asked now, and the whole catalogue."""
    return tuple(
        Entry(
            model=model,
            card=orjson.Fragment(orjson.dumps(model_card(model))),
            author=author_of(model),
            categories=categories_of(model),
            text=f"{model.id} {model.name}".lower(),
        )
        for model in snapshot.listed()
    )


def reached(availability: str = "now") -> CatalogSnapshot:
    """What can be asked now; with "all" everything that is priced."""
    snapshot = catalog.get()
    return whole_catalog(snapshot) if availability == "all" else snapshot


def entries(availability: str = "now") -> tuple[Entry, ...]:
    return entries_of(reached(availability))


def find_model(name: str, availability: str = "now") -> ModelSnapshot | None:
    """The model with this id or another name, when it can be served, or could."""
    model = reached(availability).resolve(name)
    return model if model is not None and model.offerings else None


def get_model(name: str, *, param: str = "model", availability: str = "now") -> ModelSnapshot:
    model = find_model(name, availability)
    if model is None:
        raise no_model(name, param=param)
    return model


def no_model(name: str, *, param: str = "model") -> ModelNotFound:
    return ModelNotFound(f"The model '{name[:200]}' does not exist.", param=param)
