"""How the provider routes show the directory. Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from apps.catalog.cards import per_token
from apps.catalog.directory import Directory, ListedProvider
from apps.catalog.providers.spec import Operation
from apps.catalog.routers import router_cards
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot

Json = dict[str, Any]

DEFAULT_POLICY: Json = {
    "id": "default",
    "description": "Every host of the model, one after another until one answers.",
    "order": [
        "own_key",
        "account_has_credit",
        "not_failing",
        "offering_priority",
        "provider_priority",
        "price",
        "latency",
        "provider_name",
    ],
}
"""The planner's default order in words: what of two hosts decides first. A test compares them."""


def provider_card(provider: ListedProvider) -> Json:
    return {
        "name": provider.name,
        "slug": provider.slug,
        "docs_url": provider.docs or None,
        "privacy_policy_url": provider.policy_page or None,
        "terms_of_service_url": None,
        "status_page_url": None,
        "status": "routable" if provider.is_routable else "unavailable",
        "models": len(provider.models),
        "input_modalities": sorted({m for found in provider.models for m in found.input_modalities}),
        "output_modalities": sorted(
            {m for found in provider.models for m in found.output_modalities}
        ),
    }  # fmt: skip


def provider_list(directory: Directory) -> Json:
    return _whole([provider_card(found) for found in directory.providers.values()])


def _whole(data: list[Json]) -> Json:
    """A list without pages, which say of themselves what is behind them."""
    return {"data": data, "total": len(data), "has_more": False}


def gateway_list(directory: Directory) -> Json:
    return {
        "object": "list",
        **_whole(
            [
                {
                    "id": found.slug,
                    "name": found.name,
                    "wires": found.wires,
                    "operations": found.operations,
                    "priority": found.priority,
                    "models": len(found.models),
                    "enabled": found.enabled,
                }
                for found in directory.providers.values()
            ]
        ),
    }


def summary(directory: Directory) -> Json:
    models = directory.snapshot.listed()
    conversing = [
        offering
        for model in models
        if model.does(Operation.CHAT)
        for offering in model.offerings
        if does(offering, Operation.CHAT)
    ]
    by_price = sorted(conversing, key=lambda offering: (offering.rates.input, offering.model_id))
    return {
        "data": {
            "providers": len(directory.providers),
            "routable": sum(found.is_routable for found in directory.providers.values()),
            "models": len(models),
            "priced_offerings": sum(len(model.offerings) for model in models),
            "models_by_operation": _count(operations_of(model) for model in models),
            "models_by_input_modality": _count(model.input_modalities for model in models),
            "models_by_output_modality": _count(model.output_modalities for model in models),
            "cheapest_prompt": _prompt_price(by_price[0]) if by_price else None,
            "dearest_prompt": _prompt_price(by_price[-1]) if by_price else None,
        }
    }


def routers(directory: Directory) -> Json:
    models = directory.snapshot.models
    return {
        "object": "list",
        **_whole([DEFAULT_POLICY]),
        "aliases": {
            name: {"model": model_id, "providers": _hosts(models[model_id])}
            for name, model_id in sorted(directory.snapshot.names.items())
            if name != model_id.lower() and models[model_id].offerings
        },
        "auto_routers": router_cards(directory.snapshot),
    }


def operations_of(model: ModelSnapshot) -> list[str]:
    """What it is made for and some host of it can be asked for."""
    return [
        operation.value
        for operation in Operation
        if model.does(operation) and any(does(found, operation) for found in model.offerings)
    ]


def does(offering: OfferingSnapshot, operation: Operation) -> bool:
    endpoints = offering.provider.endpoints.get(operation, ())
    return any(endpoint.serves(offering.upstream_model) for endpoint in endpoints)


def _hosts(model: ModelSnapshot) -> list[str]:
    return list(dict.fromkeys(offering.provider.slug for offering in model.offerings))


def _count(groups: Iterable[Iterable[str]]) -> dict[str, int]:
    counted = Counter(name for group in groups for name in set(group))
    return dict(sorted(counted.items()))


def _prompt_price(offering: OfferingSnapshot) -> Json:
    return {
        "model": offering.model_id,
        "provider": offering.provider.slug,
        "price": per_token(offering.rates.input),
    }
