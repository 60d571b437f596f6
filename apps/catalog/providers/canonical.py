"""Canonical ids: which model a provider means by its own name for it, so that one model at many hosts is one model.

    fireworks    accounts/fireworks/models/llama-v3p1-70b-instruct  ─┐
    together     meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo       ─┼─►  meta-llama/llama-3.1-70b-instruct
    aws-bedrock  us.meta.llama3-1-70b-instruct-v1:0                 ─┘

``vendor/model`` in lower case, the vendor as OpenRouter spells it. How a host serves it (free of charge, in eight bits)
is the offering's, not the model's. The rules are a table, ``apps/catalog/seeds/names.json``, in which every regular
expression says where it applies; this file only applies them. The name at the provider keeps its case elsewhere.
"""

import json
import re
from collections.abc import Iterable
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
BARE = tuple((re.compile(f"(?:{names})"), organization) for names, organization in NAMES["bare"])
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


def _respell(organization: str, name: str) -> tuple[str, str]:
    organization = ORGANIZATIONS.get(organization, organization)
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
