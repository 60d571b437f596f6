"""What a price can be at all, by what the model makes: the one check that needs no second host.

Dollars: for a million tokens or characters, else for one piece. Each is several times the dearest that was sold on
2026-11-21, and far below a price that was read in the wrong unit, which is a thousand or a million times too high.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from apps.common.money import NANO_PER_USD, format_usd

PIECES = frozenset({"images", "seconds", "searches", "request"})
MOST_PER_MILLION, MOST_PER_PIECE = Decimal(1_000), Decimal(10)
"""Where nothing nearer is known. The dearest takes $600 for a million tokens and $0.30 for a picture."""

MOST: Mapping[str, Mapping[str, Decimal]] = {
    "text": {  # $150, $600, $0.014
        "input": Decimal(500), "audio_input": Decimal(500), "request": Decimal(1),
    },
    "embeddings": {"input": Decimal(10), "request": Decimal("0.1")},  # $0.18
    "rerank": {"input": Decimal(10), "searches": Decimal("0.1"), "request": Decimal("0.1")},  # $0.20, $0.0025
    "moderation": {"input": Decimal(10), "request": Decimal("0.1")},  # free of charge
    "image": {"input": Decimal(100), "output": Decimal(500), "images": Decimal(10)},  # $8, $32, $0.30
    "speech": {"input": Decimal(100), "output": Decimal(500), "characters": Decimal(500)},  # $40 for characters
    "transcription": {  # $2.50, $10, $0.0001
        "input": Decimal(100), "audio_input": Decimal(100), "output": Decimal(500), "seconds": Decimal("0.01"),
    },
}  # fmt: skip
"""By the model's ``output_modalities``; a model that makes several things may cost what the dearest of them may."""

LEAST: Mapping[str, Decimal] = {
    "text": Decimal("0.001"),  # $0.01
    "embeddings": Decimal("0.0005"),  # $0.008
    "rerank": Decimal("0.0005"),  # $0.01
}
"""For a million tokens, in and out, where it is not nought: far below the cheapest that was sold on 2026-11-22, and far above
a price for one token that was read as one for a million."""


def beyond_bounds(amounts: Mapping[str, int], outputs: Iterable[str]) -> str:
    """Why no such thing is sold at this price; empty when it may be. Amounts are nano-USD by bucket."""
    kinds = tuple(outputs)
    for name, amount in amounts.items():
        if amount > most_of(name, kinds) * NANO_PER_USD:
            return f"dearer than anything that is sold ({name}: {format_usd(amount)})"
    return ""


def beneath_bounds(taken: int, given: int, outputs: Iterable[str], *, zero_is_free: bool) -> str:
    """Why no such thing is sold at so little for input and output; empty when it may be. Nothing for both is free of charge.

    Nought for one of them is how a list says that it does not know, unless there it means free.
    """
    kinds = tuple(outputs)
    amounts = {"input": taken, "output": given}
    if "text" in kinds and bool(taken) != bool(given) and not zero_is_free:
        free, sold = ("output", "input") if taken else ("input", "output")
        return f"nothing for {free}, where {sold} costs {format_usd(amounts[sold])}"
    least = min((LEAST.get(kind, Decimal(0)) for kind in kinds), default=Decimal(0))
    for name, amount in amounts.items():
        if 0 < amount < least * NANO_PER_USD:
            return f"cheaper than anything that is sold ({name}: {format_usd(amount)})"
    return ""


def most_of(name: str, kinds: tuple[str, ...]) -> Decimal:
    usual = MOST_PER_PIECE if name in PIECES else MOST_PER_MILLION
    return max((MOST.get(kind, {}).get(name, usual) for kind in kinds), default=usual)
