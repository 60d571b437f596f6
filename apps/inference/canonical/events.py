"""The canonical stream: what any upstream says, as a closed set of small events.

    Started → ( BlockStarted → ( BlockDelta | Cited )* → BlockFinished )* → UsageReported? → Finished

Blocks may interleave (parallel tool calls): ``index`` is ours, dense from 0 in order of opening, and decoders map their
provider's own indices onto it. ``Opaque`` carries what we do not understand, for an encoder of the same wire.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage


class BlockKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"


class FinishReason(StrEnum):
    STOP = "stop"
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class Started:
    id: str
    model: str


@dataclass(frozen=True, slots=True)
class BlockStarted:
    index: int
    kind: BlockKind
    tool_call_id: str = ""
    tool_name: str = ""
    signature: str = ""
    """Of a tool call: known when it begins, and some clients read it only from the first fragment."""
    origin: Wire | None = None
    """The wire that made the signature."""


@dataclass(frozen=True, slots=True)
class BlockDelta:
    """More of a block: text, reasoning text, or a fragment of a tool call's JSON arguments."""

    index: int
    text: str = ""
    signature: str = ""
    """The maker's proof of the block: of reasoning (Anthropic, Gemini) or of text (Gemini). Sent back to no other wire."""
    origin: Wire | None = None
    """The wire that made the signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A page of the web that stands behind a text."""

    url: str
    title: str = ""
    cited_text: str = ""
    """What the page says."""
    span: tuple[int, int] | None = None
    """The characters of the block's text that lean on the page, from and up to; None for all of it."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation of a block of text that is still open."""

    index: int
    citation: Citation


@dataclass(frozen=True, slots=True)
class BlockFinished:
    index: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The meters so far; the last report of a stream wins. None: what was reported cannot be true."""

    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Finished:
    reason: FinishReason
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamError:
    """An error that the provider reported inside a stream or in the body of a 200.

    ``message`` is for the log and for classification; it never reaches a client.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: base64 ``data`` with its media type."""

    data: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that a model made: ``url``, or base64 ``data`` with its media type."""

    url: str = ""
    data: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Opaque:
    wire: str
    payload: dict[str, Any]
    text: str = ""
    """What it says, for the other wires; empty when only its own wire can say it."""
    lost: tuple[str, ...] = ()
    """What the text leaves out, in the client's words."""
    sound: Sound | None = None
    """What is heard of it, for those other wires that take sound."""
    pictures: tuple[Picture, ...] = ()
    """What is seen of it in an answer, for the other wires."""
    redacted: str = ""
    """Thoughts that nobody may read, which must come back to their maker."""
    upload: str = ""
    """The id of a file at OpenAI, for the other of its two wires."""
    at: str = ""
    """The field that names the file, where a request is refused on wires that cannot be told of it."""

    @property
    def name(self) -> str:
        """What to call it in a report: its type or role; on wires that have neither, the key that tells what it is."""
        named = self.payload.get("type") or self.payload.get("role")
        return str(named or next(iter(self.payload), ""))


Event = (
    Started
    | BlockStarted
    | BlockDelta
    | Cited
    | BlockFinished
    | UsageReported
    | Finished
    | UpstreamError
    | Opaque
)
