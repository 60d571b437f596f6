"""The seed: models and prices that ship with the release, so that a start without a network has something to offer.

``apps/catalog/seeds`` says where they come from. A provider without a row is passed over.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from apps.catalog.models import PriceSource, Provider
from apps.catalog.providers.canonical import SEEDS
from apps.catalog.services import intake
from apps.catalog.services.offers import Amounts

MODELS = SEEDS / "models.jsonl"


class SeedLine(msgspec.Struct, kw_only=True):
    """One model at one provider; amounts by name, in nano-USD. What is not there follows ``Amounts.of``."""

    provider: str
    upstream: str
    id: str
    prices: dict[str, int]
    name: str = ""
    variant: str = ""
    quantization: str = ""
    context: int | None = None
    max_output: int | None = None
    inputs: tuple[str, ...] = msgspec.field(default=("text",), name="in")
    outputs: tuple[str, ...] = msgspec.field(default=("text",), name="out")
    parameters: str = ""
    note: str = ""


def read_seed(path: Path = MODELS) -> Iterator[SeedLine]:
    decoder = msgspec.json.Decoder(SeedLine)
    with path.open("rb") as file:
        for line in file:
            yield decoder.decode(line)


def import_seed() -> intake.Intake:
    """For every provider that has a row. Safe to repeat."""
    present = set(Provider.objects.values_list("slug", flat=True))
    found = [_found(line) for line in read_seed() if line.provider in present]
    return intake.take_in(found, source=PriceSource.SEED)


def _found(line: SeedLine) -> intake.Found:
    told = {"input": 0, "output": 0, **line.prices}
    return intake.Found(
        provider=line.provider,
        upstream_model=line.upstream,
        model_id=line.id,
        amounts=Amounts.of(**told),
        name=line.name,
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
