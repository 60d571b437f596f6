"""The parts that messages and answers are made of: a closed set, understood by every wire.

A part may carry a prompt cache breakpoint (``cache``) and keys that only its own wire understands (``extra``).
What no other wire has a word for is an ``Opaque``, which only an encoder of the same wire writes out again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.common.errors import InvalidRequest
from apps.inference.canonical.events import Citation, Opaque, Sound

Json = dict[str, Any]

Extra = Mapping[Wire, Mapping[str, Any]]
"""Keys that a client sent and we do not model, by the wire it spoke; written out again only on that wire."""


class CacheTtl(StrEnum):
    """How long the provider keeps the prompt up to and including this part."""

    FIVE_MINUTES = "5m"
    ONE_HOUR = "1h"


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)
    signature: str = ""
    """Gemini's proof of the thoughts behind the text."""
    origin: Wire | None = None
    """The wire that made the signature."""
    citations: tuple[Citation, ...] = ()
    """Of an answer's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Either ``url``, or base64 ``data`` with its ``media_type``."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One of ``url``, base64 ``data`` with its ``media_type``, or plain ``text``."""

    url: str = ""
    data: str = ""
    media_type: str = ""
    text: str = ""
    title: str = ""
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    id: str
    name: str
    arguments: str
    """JSON text exactly as the model wrote it: it may be malformed, or empty for no arguments."""
    signature: str = ""
    """Gemini's proof of the thoughts behind the call, without which it refuses the call's result."""
    origin: Wire | None = None
    """The wire that made the signature."""
    takes_text: bool = False
    """In a conversation: the tool takes plain text, which stands in the arguments as ``text_tools`` writes it."""
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    tool_call_id: str
    content: tuple["Text | Image | Document | Opaque", ...] = ()
    is_error: bool = False
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    text: str = ""
    signature: str = ""
    """Proof of origin; worthless, and refused, on any wire but ``origin``."""
    data: str = ""
    """Encrypted or redacted reasoning that only its maker can read."""
    origin: Wire | None = None
    """The wire that made signature and data."""
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Text with which the model declines, told apart from an answer."""

    text: str


Part = Text | Image | Document | ToolCall | ToolResult | Reasoning | Refusal | Opaque
Block = Text | Reasoning | ToolCall | Refusal | Opaque
"""The parts that an answer can hold."""


def readable(
    parts: Iterable[Part],
    wire: Wire,
    dropped: list[str],
    *,
    encode_sound: Callable[[Sound], Json] = lambda _: {},
    encode_upload: Callable[[str], Json] = lambda _: {},
) -> list[Part]:
    """The parts as this wire can carry them: what only another has a word for becomes sound or text, or is named as dropped.

    Raises InvalidRequest naming the field of a file that this wire has no words for.

    ``encode_sound`` writes a part of sound in this wire's words; ``{}`` when it takes none of this kind. ``encode_upload`` does
    so with the id of a file.
    """
    found: list[Part] = []
    for part in parts:
        if not isinstance(part, Opaque) or part.wire == wire:
            found.append(part)
        elif part.sound and (payload := encode_sound(part.sound)):
            found.append(Opaque(wire, payload))
        elif part.upload and (payload := encode_upload(part.upload)):
            found.append(Opaque(wire, payload))
            dropped.extend(part.lost)
        elif part.text:
            found.append(Text(part.text))
            dropped.extend(part.lost)
        elif part.at:
            raise InvalidRequest(
                f"'{part.at}' names a file that this model's provider cannot read; send what it holds.",
                param=part.at,
                code="invalid_value",
            )
        else:
            dropped.append(part.name)
    return found


def own_keys(extra: Extra, wire: Wire) -> Json:
    """A copy of the unmodelled keys that may be written on this wire."""
    return dict(extra.get(wire, {}))


def foreign_keys(extra: Extra, wire: Wire) -> list[str]:
    """The unmodelled keys that are lost on this wire."""
    return [key for origin, keys in extra.items() if origin is not wire for key in keys]
