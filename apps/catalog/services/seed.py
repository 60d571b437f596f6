"""The seed: models and prices that ship with the release, so that a start without a network has something to offer.

``apps/catalog/seeds`` says where they come from.
"""

import datetime
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from apps.catalog.models import PriceSource
from apps.catalog.providers.canonical import SEEDS
from apps.catalog.services.intake import Found
from apps.catalog.services.offers import Amounts

MODELS = SEEDS / "models.jsonl"


class SeedLine(msgspec.Struct, kw_only=True):
    """One model at one provider; amounts by name, in nano-USD. What is not there follows ``Amounts.of_model``."""

    provider: str
    upstream: str
    id: str
    prices: dict[str, int]
    name: str = ""
    variant: str = ""
    quantization: str = ""
    released: datetime.date | None = None
    context: int | None = None
    max_output: int | None = None
    inputs: tuple[str, ...] = msgspec.field(default=(), name="in")
    outputs: tuple[str, ...] = msgspec.field(default=("text",), name="out")
    """Text is not written down. Of what a model takes it is also what the builder writes when it does not know."""
    parameters: str = ""
    note: str = ""


def read_seed(path: Path = MODELS) -> Iterator[SeedLine]:
    decoder = msgspec.json.Decoder(SeedLine)
    with path.open("rb") as file:
        for line in file:
            yield decoder.decode(line)


def found_in_seed(present: Collection[str]) -> list[Found]:
    """What the seed says of these providers."""
    return [_found(line) for line in read_seed() if line.provider in present]


def _found(line: SeedLine) -> Found:
    return Found(
        source=PriceSource.SEED,
        provider=line.provider,
        upstream_model=line.upstream,
        model_id=line.id,
        amounts=Amounts.of_model(line.id, line.prices),
        name=line.name,
        released_on=line.released,
        context_length=line.context,
        max_output_tokens=line.max_output,
        input_modalities=line.inputs,
        output_modalities=line.outputs,
        supported_parameters=tuple(line.parameters.split()),
        variant=line.variant,
        quantization=line.quantization,
        note=line.note,
        free=not any(line.prices.values()),
    )
