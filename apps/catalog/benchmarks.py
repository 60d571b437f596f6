"""Published results of models, with their sources. Pure; read once.

``seeds/benchmarks.json`` has for each area, ``general`` or ``code``, one benchmark or null: results of two of them would not
compare. A result goes in only where its licence allows and where it is of exactly one of our models.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


class Result(msgspec.Struct, frozen=True):
    value: float
    """The higher the better."""
    date: datetime.date
    """When it was measured."""


class Benchmark(msgspec.Struct, frozen=True):
    name: str
    measure: str
    """What ``value`` is."""
    source: str
    """Where the results are published."""
    licence: str
    attribution: str
    results: Mapping[str, Result]
    """By model id."""

    def tell(self, model_id: str) -> dict[str, Any] | None:
        """The model's result with its source, as JSON; None when it was not measured."""
        result = self.results.get(model_id)
        if result is None:
            return None
        return {
            "name": self.name,
            "measure": self.measure,
            "value": result.value,
            "date": result.date.isoformat(),
            "source": self.source,
            "licence": self.licence,
        }


Benchmarks = Mapping[str, Benchmark | None]
"""By area."""
BENCHMARKS: Benchmarks = msgspec.json.decode(
    Path(__file__).with_name("seeds").joinpath("benchmarks.json").read_bytes(),
    type=dict[str, Benchmark | None],
)


def results_in(area: str, benchmarks: Benchmarks = BENCHMARKS) -> Mapping[str, Result]:
    benchmark = benchmarks.get(area)
    return benchmark.results if benchmark else {}


def tell_result(area: str, model_id: str) -> dict[str, Any] | None:
    """The model's published result in the area with its source, as JSON; None when there is none."""
    benchmark = BENCHMARKS.get(area)
    return benchmark.tell(model_id) if benchmark else None


def tell_results(model_id: str) -> dict[str, dict[str, Any]]:
    """Its results by area."""
    told = {area: tell_result(area, model_id) for area in BENCHMARKS}
    return {area: result for area, result in told.items() if result is not None}
