"""Entries of models.dev, an open list of models and prices: https://github.com/anomalyco/models.dev (MIT).

It has no package of its own. The program opencode (https://www.npmjs.com/package/opencode-ai, MIT) carries the whole list with
each release, as a literal of JavaScript in its executable file; it is read from there, and nothing is run.
The list says dollars per million tokens as numbers, which are read as ``Decimal``.
"""

import json
import mmap
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.catalog.providers.amounts import ListedPrice, Unit, nano_amounts
from apps.catalog.providers.canonical import canonicalize
from apps.catalog.providers.modalities import modalities_of
from seeds.entries import BASE_TIER, Entry, LeftOut
from seeds.sources import MODELS_DEV
from seeds.tables import ALWAYS, SAMPLING, is_other_key

Row = dict[str, Any]

BEGINNING = re.compile(rb"=>\((?=\{[\w-]+:\{id:\"[\w-]+\",env:\[)")
TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|(?P<key>[A-Za-z_$][\w$]*)(?=:)"""
    r"""|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)|(?P<flag>![01]|null)|(?P<mark>[{}\[\]:,])""",
    re.ASCII,
)
ESCAPED = re.compile(r'\\x(?P<code>[0-9a-fA-F]{2})|\\.|"')
LITERALS = {"!0": "true", "!1": "false", "null": "null"}

DAY = re.compile(r"\d{4}-\d\d-\d\d")
PRICES = (
    ("input", "input"), ("output", "output"), ("cache_read", "cache_read"), ("cache_write_5m", "cache_write"),
    ("reasoning", "reasoning"), ("audio_input", "input_audio"),
)  # fmt: skip
INPUTS = (("image", "image"), ("pdf", "file"), ("video", "video"))
"""Sound is left out, as in ``tables``."""
PARAMETERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tool_call", ("tools", "tool_choice")),
    ("structured_output", ("response_format", "structured_outputs")),
    ("reasoning", ("reasoning", "include_reasoning")),
    ("temperature", SAMPLING),
)
SKIPPED = re.compile(
    r"^~|-latest(?:$|[@:])|-(?:cheaper|original)(?:$|:)|^(?:stealth|nanogpt|kilo-auto|openrouter)/|(?:^|/)auto(?:$|[-:/])"
    r"|:thinking:|router|summarizer|gliner|gliguard"
)
"""Names whose model changes, is kept secret or is chosen by the host, settings that are a parameter elsewhere, and models
that do not write."""


def read_program(path: Path) -> dict[str, Row]:
    """The list in opencode's executable file, by provider."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = BEGINNING.search(data)
        if found is None:
            raise ValueError(f"no list of models in {path}")
        text = data[found.end() : found.end() + 16_000_000].decode("ascii", "replace")
    return dict(json.loads(_as_json(text), parse_float=Decimal, parse_int=Decimal))


def _as_json(text: str) -> str:
    """The literal at the start of ``text`` and no more."""
    parts: list[str] = []
    position = depth = 0
    while not parts or depth:
        token = TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"not a literal: {text[position : position + 40]!r}")
        position, word = token.end(), token[0]
        match token.lastgroup:
            case "text":
                word = f'"{ESCAPED.sub(_escaped, word[1:-1])}"'
            case "key":
                word = f'"{word}"'
            case "number":
                word = str(Decimal(word))
            case "flag":
                word = LITERALS[word]
            case "mark":
                depth += (word in "{[") - (word in "}]")
        parts.append(word)
    return "".join(parts)


def _escaped(found: re.Match[str]) -> str:
    """As JSON escapes it: JavaScript knows more escapes, and needs none for a quotation mark of another kind."""
    if found["code"]:
        return f"\\u00{found['code']}"
    character = found[0][-1]
    return (
        found[0]
        if found[0][0] == "\\" and character in '"\\/bfnrtu'
        else json.dumps(character)[1:-1]
    )


def models_dev_entries(providers: dict[str, Row]) -> Iterator[Entry | LeftOut]:
    for name, slug in MODELS_DEV.items():
        for row in providers[name]["models"].values():
            reason = _why_left_out(row, slug)
            yield LeftOut(row["id"], reason) if reason else _entry(row, slug)


def release_days(providers: dict[str, Row]) -> Iterator[tuple[str, str, str]]:
    """Provider, model and the day on which it came out by that provider, also of what is left out.

    Where only a month is told, or 1970, nobody knows the day.
    """
    for name, slug in MODELS_DEV.items():
        for row in providers[name]["models"].values():
            day, model_id = row.get("release_date") or "", canonicalize(slug, row["id"]).id
            if model_id and DAY.fullmatch(day) and day > "2000":
                yield slug, model_id, day


def _why_left_out(row: Row, slug: str) -> str:
    cost, upstream = row.get("cost") or {}, row["id"]
    if row.get("status") == "deprecated":
        return "retired"
    if SKIPPED.search(upstream.lower()) or is_other_key(upstream, slug):
        return "no id that is asked for"
    if not cost or not (
        any(cost.get(name) for name in ("input", "output")) or upstream.endswith(":free")
    ):
        return "no price"
    if cost.get("output_audio") or row["modalities"]["output"] != ["text"]:
        return "also priced by something that we do not meter"
    if modalities_of((), (), upstream) not in {("text",), ("embeddings",)}:
        return "not text: left to the other source"
    return ""


def _entry(row: Row, slug: str) -> Entry | LeftOut:
    upstream, cost, limit = row["id"], row["cost"], row.get("limit") or {}
    outputs = modalities_of((), (), upstream)
    needed, told = (
        ({"input", "output"}, PRICES) if outputs == ("text",) else ({"input"}, PRICES[:1])
    )
    found = nano_amounts(
        ListedPrice(bucket, cost[name], Unit.PER_1M)
        for bucket, name in told
        if cost.get(name) is not None
    )
    prices = {bucket: amount for bucket, amount in found.items() if amount}
    if not prices and upstream.endswith(":free"):
        prices = {"input": 0}
    elif not needed <= prices.keys():
        return LeftOut(upstream, f"no price for {outputs[0]}")
    parameters = {word for name, words in PARAMETERS if row.get(name) for word in words}
    entry = Entry(
        provider=slug,
        upstream=upstream,
        prices=prices,
        name=row.get("name", "").strip(),
        context=int(limit.get("context") or 0) or None,
        max_output=int(limit.get("output") or 0) or None if outputs == ("text",) else None,
        inputs=("text", *(word for name, word in INPUTS if name in row["modalities"]["input"])),
        outputs=outputs,
        parameters=tuple(sorted({*ALWAYS, *parameters})) if outputs == ("text",) else (),
        note=BASE_TIER if cost.get("tiers") or cost.get("context_over_200k") else "",
    )
    return entry if entry.id else LeftOut(upstream, "nothing tells whose model it is")
