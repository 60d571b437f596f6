"""Fields that both of OpenAI's formats have, and no other: kept under the client's word, said to a host in its own.

Codecs know nothing of each other, so what means the same in two of them stands here.
https://platform.openai.com/docs/guides/migrate-to-responses, and the types of openai 3.54.0 (2026-11-21)
"""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Extra, foreign_keys

OPENAIS = (Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES)
Words = tuple[tuple[str, str], ...]
"""The same in both, in the order of ``OPENAIS``."""

REQUEST: Words = (
    ("verbosity", "text.verbosity"),
    ("prompt_cache_key", "prompt_cache_key"),
    ("prompt_cache_retention", "prompt_cache_retention"),
    ("safety_identifier", "safety_identifier"),
    ("user", "user"),
)
IMAGE: Words = (("image_url.detail", "detail"),)


def said_alike(extra: Extra, wire: Wire, words: Words) -> dict[str, Any]:
    """What a client of the other format said, in the words of this one."""
    found: dict[str, Any] = {}
    there, here = _columns(wire)
    said = extra.get(OPENAIS[there], {})
    for pair in words:
        if said.get(pair[there]) is not None:
            found[pair[here]] = said[pair[there]]
    return found


def lost_keys(extra: Extra, wire: Wire, words: Words) -> list[str]:
    """The unmodelled keys that this wire has no word for."""
    there, here = _columns(wire)
    alike = said_alike(extra, wire, words)
    kept = {pair[there] for pair in words if pair[here] in alike}
    return [key for key in foreign_keys(extra, wire) if key not in kept]


def _columns(wire: Wire) -> tuple[int, int]:
    """Of the other format, and of this one."""
    here = OPENAIS.index(wire)
    return 1 - here, here
