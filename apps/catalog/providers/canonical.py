"""Canonical ids: which model a provider means by its own name for it, so that one model at many hosts is one model.

    fireworks    accounts/fireworks/models/llama-v3p1-70b-instruct  ─┐
    together     meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo       ─┼─►  meta-llama/llama-3.1-70b-instruct
    aws-bedrock  us.meta.llama3-1-70b-instruct-v1:0                 ─┘

``vendor/model`` in lower case, the vendor as OpenRouter spells it: who made the model. A host is the vendor only of models
of its own (``hosts`` in the table); whose the others are is known by their names, or by another host's id of that name. How a host serves it (free of charge, in eight bits)
is the offering's, not the model's. The rules are a table, ``apps/catalog/seeds/names.json``, in which every regular
expression says where it applies; this file only applies them. The name at the provider keeps its case elsewhere.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).parents[1] / "seeds"
NAMES: dict[str, Any] = json.loads((SEEDS / "names.json").read_text())

Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(pairs: Iterable[tuple[str, str]]) -> Rules:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in pairs)


ORGANIZATIONS: dict[str, str] = {
    spelling.lower(): organization
    for organization, spellings in NAMES["organizations"].items()
    for spelling in (organization, *spellings)
}
VENDORS: dict[str, str] = NAMES["vendors"]
"""Whose models a provider that is a vendor sells under bare names."""
WRAPPERS = _rules(NAMES["wrappers"])
AT = {provider: _rules(pairs) for provider, pairs in NAMES["at"].items()}
BARE = tuple((re.compile(f"(?:{names})"), vendor) for names, vendor, *_ in NAMES["bare"])
"""Whose models have these names; where one has a third word, it is the page that says so."""
HOSTS: dict[str, re.Pattern[str]] = {
    organization: re.compile(host["own"] or r"(?!)")
    for organization, host in NAMES["hosts"].items()
}
"""Organisations that stand before names of others' models too, and which of the names are their own models."""
SPELLINGS = tuple(
    (organization, re.compile(pattern), replacement)
    for organization, pattern, replacement in NAMES["names"]
)
QUANTIZED = re.compile(NAMES["quantizations"]["suffix"])
TURBO = NAMES["quantizations"]["turbo"]
VARIANT = re.compile(NAMES["variants"])


@dataclass(frozen=True, slots=True)
class Canonical:
    id: str
    """Empty when nothing tells whose model it is."""
    variant: str = ""
    """How it is offered, after a colon at the provider: ``free``."""
    quantization: str = ""


def same_model_key(model_id: str) -> str:
    """Equal for spellings of one model: hosts disagree about case and about ``claude-haiku-4.5``, ``-4-5`` or ``-4_5``."""
    return model_id.lower().replace(".", "-").replace("_", "-")


@lru_cache(maxsize=20_000)
def canonicalize(provider: str, upstream_model: str, namespace: str = "") -> Canonical:
    """The model that ``provider`` calls ``upstream_model``. ``namespace`` is whose its bare names are, if nobody else's."""
    name = upstream_model.strip().lower()
    for pattern, replacement in AT.get(provider, ()):
        name = pattern.sub(replacement, name)
    name = _unwrap(upstream_model.strip(), name)
    name, _, variant = name.partition(":")
    if variant and not VARIANT.match(variant):
        name, variant = f"{name}-{variant}", ""
    organization, _, name = _owned(name, provider, namespace).partition("/")
    organization, name = _respell(organization, name)
    name, quantization = _quantization(provider, organization, name)
    return Canonical(
        f"{organization}/{name}" if organization and name else "", variant, quantization
    )


def _unwrap(upstream_model: str, name: str) -> str:
    """Without what a host puts around every name. A seller's public key is one in its own case only."""
    for pattern, replacement in WRAPPERS:
        if pattern.match(upstream_model) or pattern.search(name):
            name = re.sub(pattern.pattern.lower(), replacement, name)
    return name


def _owned(name: str, provider: str, namespace: str) -> str:
    """With the organisation in front: the name's own, else the one that gives such names, else the provider's."""
    if "/" in name:
        return name
    for pattern, organization in BARE:
        if pattern.match(name):
            return f"{organization}/{name}"
    return f"{namespace or VENDORS.get(provider, '')}/{name}"


def is_guest(model_id: str) -> bool:
    """Whether the id begins with a host that did not make the model."""
    organization, _, name = model_id.partition("/")
    own = HOSTS.get(organization)
    return own is not None and not own.search(name)


def vendors_by_name(model_ids: Iterable[str]) -> dict[str, str]:
    """Whose a model of this name is, by ``same_model_key``, where all who are not merely hosts agree."""
    vendors: dict[str, set[str]] = defaultdict(set)
    for model_id in model_ids:
        vendor, _, name = model_id.partition("/")
        if name and not is_guest(model_id):
            vendors[same_model_key(name)].add(vendor)
    return {name: next(iter(found)) for name, found in vendors.items() if len(found) == 1}


def at_vendor(model_id: str, vendors: Mapping[str, str]) -> str:
    """The id with the vendor that others name (``vendors_by_name``) in place of a host that did not make the model."""
    if not is_guest(model_id):
        return model_id
    host, _, name = model_id.partition("/")
    return f"{vendors.get(same_model_key(name), host)}/{name}"


def _respell(organization: str, name: str) -> tuple[str, str]:
    organization = ORGANIZATIONS.get(organization, organization)
    if is_guest(f"{organization}/{name}"):
        makers = (vendor for pattern, vendor in BARE if pattern.match(name))
        organization = next(makers, organization)
    for where, pattern, replacement in SPELLINGS:
        if where in {"*", organization}:
            name = pattern.sub(replacement, name)
            if name.startswith("@"):
                organization, _, name = name[1:].partition("/")
    return organization, name


def _quantization(provider: str, organization: str, name: str) -> tuple[str, str]:
    found = QUANTIZED.search(name)
    if found:
        return name[: found.start()], found[1]
    if provider in TURBO["providers"] and organization in TURBO["organizations"]:
        for suffix, quantization in TURBO["suffixes"].items():
            if name.endswith(suffix):
                return name.removesuffix(suffix), quantization
    return name, ""
