"""An entry of the seed: one model at one provider, as a line of models.jsonl."""

import json
from dataclasses import dataclass, field

from apps.catalog.providers.canonical import canonicalize

BASE_TIER = "base tier of a price that rises with the context"


@dataclass(frozen=True)
class LeftOut:
    name: str
    reason: str


@dataclass
class Entry:
    provider: str
    upstream: str
    prices: dict[str, int]
    """Buckets of ``models.price.AMOUNTS`` to nano-USD; what is not there follows ``Amounts.of_model``."""
    name: str = ""
    context: int | None = None
    max_output: int | None = None
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)
    parameters: tuple[str, ...] = ()
    note: str = ""
    reach: int = 0
    released: str = ""
    """The day on which the model came out, as ISO 8601 writes it."""
    id: str = field(init=False)
    variant: str = field(init=False)
    quantization: str = field(init=False)

    def __post_init__(self) -> None:
        found = canonicalize(self.provider, self.upstream)
        self.id, self.variant, self.quantization = found.id, found.variant, found.quantization

    @property
    def place(self) -> tuple[str, str]:
        return self.provider, self.upstream

    def completed_by(self, other: "Entry") -> "Entry":
        """With the other's facts where this one has none; the price stays."""
        self.name = self.name or other.name
        self.context = self.context or other.context
        self.max_output = self.max_output or other.max_output
        self.parameters = self.parameters or other.parameters
        self.inputs = other.inputs if self.inputs == ("text",) else self.inputs
        return self

    def line(self) -> str:
        values = {
            "provider": self.provider, "upstream": self.upstream, "id": self.id, "name": self.name, "variant": self.variant,
            "quantization": self.quantization, "released": self.released, "context": self.context, "max_output": self.max_output,
            "in": list(self.inputs) if self.inputs != ("text",) else None,
            "out": list(self.outputs) if self.outputs != ("text",) else None,
            "parameters": " ".join(self.parameters), "prices": self.prices, "note": self.note,
        }  # fmt: skip
        told = {name: value for name, value in values.items() if value}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n"
