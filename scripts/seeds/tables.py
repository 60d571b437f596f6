"""Entries of litellm's table of prices: https://github.com/BerriAI/litellm, a file with an MIT licence.

The table says dollars per token, image, second, character or query as JSON numbers, which are read as ``Decimal``.
"""

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from apps.catalog.providers.amounts import ListedPrice, Unit, nano_amounts
from apps.catalog.providers.modalities import modalities_of
from seeds.entries import BASE_TIER, Entry, LeftOut
from seeds.sources import TABLE

Row = dict[str, Any]
Price = tuple[str, str, Unit]

TEXT: tuple[Price, ...] = (
    ("input", "input_cost_per_token", Unit.PER_TOKEN), ("output", "output_cost_per_token", Unit.PER_TOKEN),
    ("cache_read", "cache_read_input_token_cost", Unit.PER_TOKEN),
    ("cache_write_5m", "cache_creation_input_token_cost", Unit.PER_TOKEN),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr", Unit.PER_TOKEN),
    ("reasoning", "output_cost_per_reasoning_token", Unit.PER_TOKEN),
    ("audio_input", "input_cost_per_audio_token", Unit.PER_TOKEN),
    ("request", "input_cost_per_request", Unit.PER_REQUEST),
)  # fmt: skip
IMAGES_IN_TOKENS: tuple[Price, ...] = (
    ("input", "input_cost_per_image_token", Unit.PER_TOKEN), ("output", "output_cost_per_image_token", Unit.PER_TOKEN),
)  # fmt: skip
REPORTING = frozenset({"openai", "azure-openai"})
"""Who says in every answer how many tokens its images were, so that images by the token can be billed."""
IMAGE_INPUT = "input at the price of an image's tokens: text costs less there, and a bill has one price for both"
IMAGES: tuple[Price, ...] = (("images", "output_cost_per_image", Unit.PER_IMAGE),)
EMBEDDINGS: tuple[Price, ...] = (("input", "input_cost_per_token", Unit.PER_TOKEN),)
SPEECH: tuple[Price, ...] = (("characters", "input_cost_per_character", Unit.PER_CHARACTER),)
TRANSCRIPTION: tuple[Price, ...] = (
    ("seconds", "input_cost_per_second", Unit.PER_SECOND), ("audio_input", "input_cost_per_audio_token", Unit.PER_TOKEN),
    ("input", "input_cost_per_token", Unit.PER_TOKEN), ("output", "output_cost_per_token", Unit.PER_TOKEN),
)  # fmt: skip
RERANK: tuple[Price, ...] = (
    ("searches", "input_cost_per_query", Unit.PER_SEARCH), ("input", "input_cost_per_token", Unit.PER_TOKEN),
)  # fmt: skip

MODES: dict[str, tuple[str, tuple[Price, ...], frozenset[str]]] = {
    "chat": ("text", TEXT, frozenset({"input", "output"})),
    "completion": ("text", TEXT, frozenset({"input", "output"})),
    "embedding": ("embeddings", EMBEDDINGS, frozenset({"input"})),
    "image_generation": ("image", IMAGES, frozenset({"images"})),
    "audio_speech": ("speech", SPEECH, frozenset({"characters"})),
    "audio_transcription": ("transcription", TRANSCRIPTION, frozenset({"seconds"})),
    "rerank": ("rerank", RERANK, frozenset()),
    "moderation": ("moderation", EMBEDDINGS, frozenset({"input"})),
}
"""What a mode makes, its prices, and those of them that must be known."""

FOREIGN = re.compile(
    r"cost_per_(?:pixel|video|dbu|session|page|credit)|^input_dbu|^cost_per_second$|^output_cost_per_(?:image|audio)_token$"
)
"""Something that an answer can be billed by and that we do not meter. An image looked at counts as input tokens."""

PARAMETERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("supports_function_calling", ("tools",)),
    ("supports_tool_choice", ("tool_choice",)),
    ("supports_parallel_function_calling", ("parallel_tool_calls",)),
    ("supports_response_schema", ("response_format", "structured_outputs")),
    ("supports_reasoning", ("reasoning", "include_reasoning")),
)
ALWAYS = ("max_tokens", "stop", "stream")
SAMPLING = ("temperature", "top_p")
# Sound is left out: few answers say how many of their tokens it was, and it costs more than text.
INPUTS = (
    ("supports_vision", "image"), ("supports_pdf_input", "file"), ("supports_video_input", "video"),
)  # fmt: skip

IMAGES_BY_TOKENS = (
    "input_cost_per_token", "output_cost_per_token", "output_cost_per_image_token", "input_cost_per_pixel", "output_cost_per_pixel",
)  # fmt: skip
"""Beside a price per image, which is then an example for one size."""

SKIPPED = re.compile(
    r"-latest$|^ft:|deep-research|search-(?:preview|api)|computer-use|realtime|-live-|-audio|audio-|-customtools|robotics"
    r"|^openai/container|babbage|-draft|/community$|davinci|-instruct-0914|\d-x-|steps/|^(?:us|eu|global|us-gov|global-standard)/"
)
"""Moving names, other endpoints (realtime, jobs), and keys that are a size or a quality and not a model."""
VERTEX = ("claude-", "gemini-", "imagen-", "text-embedding-", "text-multilingual-embedding-")
"""Vertex's own publishers; the others there are asked for at another endpoint."""


def table_entries(table: dict[str, Row], date: datetime.date) -> Iterator[Entry | LeftOut]:
    for key, row in table.items():
        if row.get("litellm_provider") not in TABLE:
            continue
        slug, prefix = TABLE[row["litellm_provider"]]
        upstream = key.removeprefix(prefix)
        reason = _why_left_out(upstream, slug, row, date)
        yield LeftOut(key, reason) if reason else _entry(upstream, slug, row)


def _why_left_out(upstream: str, slug: str, row: Row, date: datetime.date) -> str:
    if row.get("mode") not in MODES:
        return f"mode {row.get('mode')}"
    if row.get("deprecation_date") and str(row["deprecation_date"]) <= date.isoformat():
        return "retired"
    if is_other_key(upstream, slug):
        return "no id that is asked for"
    if any(FOREIGN.search(name) for name, value in row.items() if value) and row["mode"] in {
        "chat",
        "completion",
        "embedding",
    }:
        return "also priced by something that we do not meter"
    if _is_image_by_tokens(row) and (
        slug not in REPORTING or not row.get("output_cost_per_image_token")
    ):
        return "images by the token"
    if row["mode"] in {"chat", "completion"} and modalities_of((), (), upstream) != ("text",):
        return "listed as chat, named like another kind"
    return ""


def _is_image_by_tokens(row: Row) -> bool:
    return row["mode"] == "image_generation" and any(row.get(name) for name in IMAGES_BY_TOKENS)


def is_other_key(upstream: str, slug: str) -> bool:
    if SKIPPED.search(upstream.lower()):
        return True
    match slug:
        case "fireworks":
            return not upstream.startswith("accounts/")
        case "cloudflare-workers-ai":
            return not upstream.startswith("@")
        case "aws-bedrock":
            return (
                upstream.startswith("us-gov.")
                or "/" in upstream
                or "." not in upstream
                or ("anthropic" in upstream and "claude-3-5" in upstream)
            )
        case "google-vertex":
            return not upstream.startswith(VERTEX) or (
                upstream.startswith("claude-") and "-20" in upstream
            )
        case (
            "azure-openai" | "openai" | "anthropic" | "xai" | "cohere" | "mistral" | "zai" | "meta"
        ):
            return "/" in upstream
        case "perplexity":
            return upstream.startswith("sonar") or "/" not in upstream
        case _:
            return upstream.endswith("b") and "-to-" in upstream


def _entry(upstream: str, slug: str, row: Row) -> Entry | LeftOut:
    output, fields, needed = MODES[row["mode"]]
    if _is_image_by_tokens(row):
        fields, needed = IMAGES_IN_TOKENS, frozenset({"input", "output"})
    tiers = row.get("tiered_pricing")
    if tiers:
        row = {**row, **tiers[0]}
    found = nano_amounts(
        ListedPrice(bucket, Decimal(row[name]), unit)
        for bucket, name, unit in fields
        if row.get(name) is not None
    )
    by_tokens = output == "transcription" and {"audio_input", "output"} <= found.keys()
    if not (needed <= found.keys() or by_tokens) or not (
        any(found.values()) or output == "moderation"
    ):
        return LeftOut(upstream, f"no price for {output}")
    if output == "rerank" and found.get("searches"):
        found.pop("input", None)
    entry = Entry(
        provider=slug, upstream=upstream, outputs=(output,),
        prices={bucket: amount for bucket, amount in found.items() if amount or output == "moderation"},
        context=_whole(row.get("max_input_tokens") or (row.get("max_tokens") if output != "text" else None)),
        max_output=_whole(row.get("max_output_tokens")) if output == "text" else None,
        inputs=_inputs(row, output), parameters=_parameters(row) if output == "text" else (),
        note=_note(row),
        reach=_reach(upstream) if slug == "aws-bedrock" else 0,
    )  # fmt: skip
    return entry if entry.id else LeftOut(upstream, "nothing tells whose model it is")


def _note(row: Row) -> str:
    if _is_image_by_tokens(row):
        return IMAGE_INPUT
    rises = row.get("tiered_pricing") or any("_above_" in key and "1hr" not in key for key in row)
    return BASE_TIER if rises else ""


def _reach(upstream: str) -> int:
    """Worldwide before the United States before one region before the others."""
    region = upstream.partition(".")[0]
    return {"global": 4, "us": 3}.get(region, 1 if len(region) <= 4 or region == "us-gov" else 2)


def _inputs(row: Row, output: str) -> tuple[str, ...]:
    if output == "transcription":
        return ("audio",)
    if _is_image_by_tokens(row):
        return ("text", "image")  # edits look at images
    return ("text", *(word for name, word in INPUTS if row.get(name)))


def _parameters(row: Row) -> tuple[str, ...]:
    sampling = SAMPLING if row.get("supports_sampling_params", True) else ()
    told = [
        parameter for name, parameters in PARAMETERS if row.get(name) for parameter in parameters
    ]
    return tuple(sorted({*ALWAYS, *sampling, *told}))


def _whole(value: Any) -> int | None:
    try:
        found = int(value)
    except (TypeError, ValueError):
        return None
    return found if 0 < found < 2_000_000_000 else None
