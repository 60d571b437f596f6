"""Categories: what a model is for, told by its modalities, parameters, prices and name. A model may be in several."""

import re
from collections.abc import Callable, Mapping

from apps.catalog.capabilities import REASONING, TOOLS
from apps.catalog.cards import is_free
from apps.catalog.snapshots import ModelSnapshot

LONG_CONTEXT = 200_000
CODE = re.compile(
    r"(?<![a-z])(?:code|coder|codex|codestral|devstral|[a-z]+coder|codellama)(?![a-z])"
)

Belongs = Callable[[ModelSnapshot], bool]


def _makes(*modalities: str) -> Belongs:
    return lambda model: not set(modalities).isdisjoint(model.output_modalities)


def _takes(*parameters: str) -> Belongs:
    return lambda model: not set(parameters).isdisjoint(model.supported_parameters)


def _hears_or_speaks(model: ModelSnapshot) -> bool:
    return "audio" in model.input_modalities or _makes("audio", "speech", "transcription")(model)


def _context(model: ModelSnapshot) -> int:
    return model.context_length or model.offerings[0].context_length or 0


CATEGORIES: Mapping[str, tuple[str, Belongs]] = {
    "text": ("Writes text.", _makes("text")),
    "vision": ("Looks at images.", lambda model: "image" in model.input_modalities),
    "audio": ("Hears or makes sound.", _hears_or_speaks),
    "image": ("Makes images.", _makes("image")),
    "embeddings": ("Makes embeddings.", _makes("embeddings")),
    "rerank": ("Orders documents.", _makes("rerank")),
    "moderation": ("Classifies what may violate a policy.", _makes("moderation")),
    "speech": ("Reads text aloud.", _makes("speech")),
    "transcription": ("Writes down what is said.", _makes("transcription")),
    "reasoning": ("Its thinking can be asked for.", _takes(*REASONING)),
    "tools": ("Calls tools.", _takes(*TOOLS)),
    "code": ("Has code in its name.", lambda model: bool(CODE.search(model.id.lower()))),
    "free": ("Costs nothing.", lambda model: is_free(model.offerings[0].rates)),
    "long-context": (
        f"Reads {LONG_CONTEXT:,} tokens or more.",
        lambda model: _context(model) >= LONG_CONTEXT,
    ),
}
"""By name: what is said of it, and which models with an offering belong to it."""


def categories_of(model: ModelSnapshot) -> frozenset[str]:
    return frozenset(name for name, (_, belongs) in CATEGORIES.items() if belongs(model))
