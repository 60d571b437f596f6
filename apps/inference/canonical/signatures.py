"""Signatures on their way through a client of another wire.

A provider's proof of its thoughts must come back to it unchanged, and every other provider refuses it. Clients give back
what they were given, so on a foreign wire a signature travels under a cover that names its maker and the kind of block
that it proves. A wire that has signatures on reasoning only carries those of calls and texts on reasoning without text:

    text signed by Gemini    →  text, carrier        call signed by Gemini  →  carrier, call

Covers are base64, because Google's SDKs read a signature as bytes and write it again, in the URL-safe alphabet.
"""

from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass, replace

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Part, Reasoning, Text, ToolCall
from apps.inference.canonical.events import BlockKind, Opaque

_MARK = "gatewayz"
_COVERED = b64encode(f"{_MARK}:".encode()).decode()
"""What every cover begins with: the mark is nine bytes long, so nothing that follows changes these twelve letters."""
_REDACTED = "redacted"
"""In the place of a kind."""
_TO_URL_SAFE = str.maketrans("+/", "-_")


@dataclass(frozen=True, slots=True)
class Signature:
    text: str
    origin: Wire
    kind: BlockKind
    is_redacted: bool = False
    """It is no proof of thoughts but the thoughts themselves, as only their maker reads them."""


def cover(signature: str, *, origin: Wire, kind: str) -> str:
    return b64encode(f"{_MARK}:{origin}:{kind}:{signature}".encode()).decode()


def uncover(text: str) -> Signature | None:
    """None when it is no cover, or one that somebody has damaged."""
    if not text.startswith(_COVERED):
        return None
    try:
        plain = urlsafe_b64decode(text.translate(_TO_URL_SAFE)).decode()
        _, origin, kind, signature = plain.split(":", 3)
        is_redacted = kind == _REDACTED
        proven = BlockKind.REASONING if is_redacted else BlockKind(kind)
        return Signature(signature, Wire(origin), proven, is_redacted)
    except ValueError:
        return None


def written(signature: str, origin: Wire | None, *, own: Wire, kind: BlockKind) -> str:
    """A signature as ``own`` writes it for its client: bare when it is that wire's own."""
    if not signature or origin in (None, own):
        return signature
    return cover(signature, origin=origin, kind=kind)


def own_signature(signature: str, own: Wire) -> str | None:
    """A client's signature as ``own`` made it; None when another wire did."""
    found = uncover(signature)
    if found is None:
        return signature
    return found.text if found.origin is own else None


def carrier(block: Text | ToolCall) -> str:
    """The signature of the reasoning without text that stands beside the block; empty when it needs none."""
    if not block.signature or block.origin is None:
        return ""
    kind = BlockKind.TEXT if isinstance(block, Text) else BlockKind.TOOL_CALL
    return cover(block.signature, origin=block.origin, kind=kind)


def redacted_carrier(part: Opaque, own: Wire) -> str:
    """The signature of reasoning without text that carries another wire's redacted thoughts; empty when there are none."""
    if not part.redacted or part.wire == own:
        return ""
    return cover(part.redacted, origin=Wire(part.wire), kind=_REDACTED)


def settle(parts: Iterable[Part]) -> tuple[Part, ...]:
    """A client's parts with each covered signature on the part that it proves."""
    settled: list[Part] = []
    for_next_call: Signature | None = None
    for part in parts:
        if isinstance(part, ToolCall) and for_next_call:
            settled.append(_signed(part, for_next_call))
            for_next_call = None
        elif not isinstance(part, Reasoning) or (found := uncover(part.signature)) is None:
            settled.append(part)
        elif found.kind is BlockKind.TOOL_CALL:
            for_next_call = found
        elif found.kind is BlockKind.TEXT:
            text = settled.pop() if settled and isinstance(settled[-1], Text) else Text("")
            settled.append(_signed(text, found))
        else:
            settled.append(_signed(part, found))
    return tuple(settled)


def _signed(part: Part, proof: Signature) -> Part:
    assert isinstance(part, Text | ToolCall | Reasoning)
    if isinstance(part, Reasoning) and proof.is_redacted:
        return replace(part, signature="", data=proof.text, origin=proof.origin)
    return replace(part, signature=proof.text, origin=proof.origin)
