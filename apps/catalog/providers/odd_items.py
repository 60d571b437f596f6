"""Entries of lists that no field can say, made plain: pure functions from one entry to entries that the fields can read."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Item = Mapping[str, Any]


def each_host(item: Item) -> Iterator[Item]:
    """Hugging Face's router: one model at several hosts, asked for as ``model:host``, each with its own price.

    2026-11-21, https://huggingface.co/docs/inference-providers/index
    """
    for host in item.get("providers") or ():
        if isinstance(host, Mapping) and host.get("status", "live") == "live":
            yield {
                "id": f"{item.get('id')}:{host.get('provider')}",
                "pricing": host.get("pricing"),
                "context_length": host.get("context_length"),
                "architecture": item.get("architecture"),
            }


def each_seller(item: Item) -> Iterator[Item]:
    """AIMO: a model is sold by several, and asked for as ``<seller's public key>:<model>``."""
    for seller in item.get("providers") or ():
        if isinstance(seller, Mapping) and seller.get("id"):
            yield {
                **item,
                "id": f"{seller['id']}:{item.get('name')}",
                "pricing": seller.get("pricing"),
            }


def dearest_endpoint(item: Item) -> Iterator[Item]:
    """Helicone's registry: one model at several endpoints, and Helicone chooses. The dearest is what it can cost."""
    found: dict[str, Any] = {}
    for endpoint in item.get("endpoints") or ():
        pricing = endpoint.get("pricing") if isinstance(endpoint, Mapping) else None
        for name, amount in (pricing or {}).items():
            if not isinstance(amount, bool | str | Mapping) and amount is not None:
                found[name] = max(found.get(name, amount), amount)
    yield {**item, "pricing": found}


CLOUDFLARE_UNITS: Mapping[str, str] = {
    "per M input tokens": "input",
    "per M output tokens": "output",
    "per M cached input tokens": "cache_read",
    "per audio minute": "minute",
}


def by_property(item: Item) -> Iterator[Item]:
    """Cloudflare: ``properties`` is a list of ``{property_id, value}`` or an object, the price a list of units.

    2026-11-21, https://developers.cloudflare.com/api/resources/ai/subresources/models/methods/list/
    """
    held = item.get("properties") or ()
    if not isinstance(held, Mapping):
        held = {entry.get("property_id"): entry.get("value") for entry in held}
    listed = held.get("price")
    pricing = {
        CLOUDFLARE_UNITS[price["unit"]]: price.get("price")
        for price in (listed if isinstance(listed, list) else ())
        if isinstance(price, Mapping) and price.get("unit") in CLOUDFLARE_UNITS
    }
    task = item.get("task")
    yield {
        **item,
        "context_length": held.get("context_window") or held.get("max_total_tokens"),
        "type": task.get("name") if isinstance(task, Mapping) else task,
        "pricing": pricing,
    }


def by_capability(item: Item) -> Iterator[Item]:
    """Kimi and others say what a model looks at with a flag for each kind."""
    looks_at = ["text"]
    looks_at += ["image"] if item.get("supports_image_in") else []
    looks_at += ["video"] if item.get("supports_video_in") else []
    yield {**item, "input_modalities": looks_at}


def graduated_token(item: Item) -> Iterable[Item]:
    """Modelz: the id stands under one of many names, or in an object ``Token``."""
    token = item.get("Token")
    return ({**item, **token},) if isinstance(token, Mapping) else (item,)
