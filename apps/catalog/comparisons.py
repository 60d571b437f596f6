"""Comparisons: models and their hosts side by side, with the cheapest of each price marked."""

from collections.abc import Sequence
from typing import Any

from apps.catalog.cards import PRICES, architecture, endpoint_card
from apps.catalog.snapshots import ModelSnapshot, OfferingSnapshot


def compare(models: Sequence[ModelSnapshot]) -> dict[str, Any]:
    """Two hosts with the same lowest price are both marked. What nobody charges for is not marked at all."""
    hosts = [offering for model in models for offering in model.offerings]
    lowest = {
        name: min(amounts)
        for name, (field, _) in PRICES.items()
        if any(amounts := [getattr(host.rates, field) for host in hosts])
    }
    parameters = sorted({name for model in models for name in model.supported_parameters})
    return {
        "object": "comparison",
        "data": [_compared(model, lowest) for model in models],
        "parameters": {
            name: [model.id for model in models if name in model.supported_parameters]
            for name in parameters
        },
    }


def _compared(model: ModelSnapshot, lowest: dict[str, int]) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": model.name,
        "context_length": model.context_length or model.offerings[0].context_length,
        "architecture": architecture(model),
        "supported_parameters": model.supported_parameters,
        "endpoints": [
            {**endpoint_card(model, offering), "cheapest": _cheapest(offering, lowest)}
            for offering in model.offerings
        ],
    }


def _cheapest(offering: OfferingSnapshot, lowest: dict[str, int]) -> list[str]:
    return [
        name for name, least in lowest.items() if getattr(offering.rates, PRICES[name][0]) == least
    ]
