"""Relay: one upstream answer on its way to the client. Sans-IO; what both lanes have in common.

    attempts.py  --bytes-->  relay.feed()  --bytes for the client-->  consumer
                             relay.tally   what the answer has shown so far: content, usage, finish, faults

Two lanes exist. ``verbatim``: client and provider speak the same wire, bytes are passed on and only read. ``translated``:
they differ, and everything goes through the canonical form. Terminal records (usage, end marker) are held back until
``finish``, when the final usage and its cost are known.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec
import orjson

from apps.catalog.providers.quirks import apply_quirks
from apps.catalog.providers.spec import Endpoint, Quirk
from apps.common.errors import GatewayzError
from apps.common.usage import NOTHING, Usage
from apps.inference.canonical.codec import AnswerIdentity, MalformedUpstream, PriceUsage
from apps.inference.canonical.events import UpstreamError
from apps.inference.requests.common import text_size
from apps.inference.requests.forms import Form
from apps.inference.tokens import count

Json = dict[str, Any]
Body = Json | Form
"""What a client sent: a JSON object, or a form with files."""

JSON_TYPE = "application/json"

UNREADABLE = (
    MalformedUpstream, msgspec.MsgspecError, ValueError, RecursionError, orjson.JSONEncodeError,
)  # fmt: skip
"""What a relay raises when a provider's bytes are not what its wire says: broken JSON or UTF-8, endless nesting, 1e999."""


@dataclass(slots=True)
class Tally:
    """What an answer has shown so far; everything that routing and billing need to know of it."""

    usage: Usage | None = None
    """As the provider reported it; None when it has not, or reported nonsense."""
    usage_rejected: bool = False
    """The provider reported usage that cannot be true."""
    finish_reason: str = ""
    has_content: bool = False
    """Text, reasoning, a refusal or a tool call has arrived: from here on the client holds part of an answer."""
    output_bytes: int = 0
    reasoning_bytes: int = 0
    open_choices: set[int] = field(default_factory=set)
    """Answers of a request for several that have begun and not said why they ended."""
    ended: bool = False
    """The provider has sent its end marker: whatever follows is no part of the answer."""
    error: UpstreamError | None = None
    """The provider reported an error inside the stream or in the body of a 200."""

    def take_usage(self, usage: Usage | None, *, reported: bool) -> None:
        """``usage`` is None when nothing was reported, or something that cannot be true."""
        self.usage = usage
        self.usage_rejected = reported and usage is None

    def finish(self, reason: Any) -> None:
        """Take the provider's reason, whatever type it came in."""
        if reason:
            self.finish_reason = str(reason)

    def add_output(self, text: str) -> None:
        self.output_bytes += text_size(text)
        self.has_content = True

    def add_reasoning(self, text: str) -> None:
        self.reasoning_bytes += text_size(text)
        self.has_content = True

    def counted(self, *, input_tokens: int, units: Usage = NOTHING) -> Usage:
        """Usage by our own count, for a provider that sent none; ``units`` is what the request said of itself."""
        return replace(
            units,
            input=input_tokens,
            output=count(self.output_bytes),
            reasoning=count(self.reasoning_bytes),
        )


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """How the answer is to be presented to this client."""

    identity: AnswerIdentity
    price: PriceUsage
    include_usage: bool
    expected: Usage = NOTHING
    """What the request itself says that it will use beside tokens: images, characters, seconds, searches."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent to a host, after its quirks."""

    body: bytes
    content_type: str
    dropped: tuple[str, ...]
    """Client parameters that the quirks took away."""


class StreamRelay(Protocol):
    tally: Tally

    def feed(self, data: bytes) -> bytes:
        """Client bytes for these upstream bytes, possibly none. Raises MalformedUpstream."""
        ...

    def end(self) -> bytes:
        """The upstream stream has ended. Raises MalformedUpstream when it ended in the middle of a record."""
        ...

    def finish(self, usage: Usage) -> bytes:
        """The closing records for the client."""
        ...

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke: after them nothing may follow."""
        ...


class JsonRelay(Protocol):
    tally: Tally
    media_type: str
    """Of the body that ``finish`` gives."""

    def read(self, body: bytes, media_type: str) -> None:
        """Take the whole upstream body. Raises MalformedUpstream."""
        ...

    def finish(self, usage: Usage) -> bytes:
        """The whole body for the client."""
        ...


class Lane(Protocol):
    """One request towards one wire."""

    dropped: tuple[str, ...]
    """Client parameters that this wire cannot carry."""

    def outgoing(
        self, upstream_model: str, endpoint: Endpoint, quirks: tuple[Quirk, ...]
    ) -> Outgoing: ...

    def stream(self, shape: AnswerShape) -> StreamRelay: ...

    def answer(self, shape: AnswerShape) -> JsonRelay: ...


def outgoing_json(body: Json, endpoint: Endpoint, quirks: tuple[Quirk, ...]) -> Outgoing:
    """The body after the host's quirks; a path that names the model takes it out of the body."""
    body, dropped = apply_quirks(body, quirks)
    if "{model}" in endpoint.path:
        body = {name: value for name, value in body.items() if name != "model"}
    return Outgoing(orjson.dumps(body), JSON_TYPE, dropped)
