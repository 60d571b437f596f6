"""Relay: one upstream answer on its way to the client. Sans-IO; what both lanes have in common.

    attempts.py  --bytes-->  relay.feed()  --bytes for the client-->  consumer
                             relay.tally   what the answer has shown so far: content, usage, finish, faults

Two lanes exist. ``verbatim``: client and provider speak the same wire, bytes are passed on and only read. ``translated``:
they differ, and everything goes through the canonical form. Terminal records (usage, end marker) are held back until
``finish``, when the final usage and its cost are known.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec
import orjson
from msgspec import field
from msgspec.structs import replace

from apps.catalog.providers.quirks import apply_quirks
from apps.catalog.providers.spec import Endpoint, Quirk
from apps.common.errors import GatewayzError
from apps.common.usage import NOTHING, Usage
from apps.inference.canonical.codec import AnswerIdentity, MalformedUpstream, PriceUsage
from apps.inference.canonical.events import UpstreamError
from apps.inference.requests.common import text_size
from apps.inference.requests.forms import Form
from apps.inference.tokens import BYTES_PER_TOKEN, PICTURE_TOKENS, count

Json = dict[str, Any]
Body = Json | Form
"""What a client sent: a JSON object, or a form with files."""

JSON_TYPE = "application/json"

UNREADABLE = (
    MalformedUpstream, msgspec.MsgspecError, ValueError, RecursionError, orjson.JSONEncodeError,
)  # fmt: skip
"""What a relay raises when a provider's bytes are not what its wire says: broken JSON or UTF-8, endless nesting, 1e999."""


EXPLANATIONS = frozenset(
    {
        "length", "max_tokens", "max_output_tokens", "model_length", "continuation",
        "model_context_window_exceeded", "stop_sequence",
        "content_filter", "content_filtered", "refusal", "safety", "guardrail_intervened",
        "recitation", "language", "blocklist", "prohibited_content", "spii", "model_armor",
        "image_safety", "image_prohibited_content", "image_recitation",
    }
)  # fmt: skip
"""Reasons to end, in the words of every wire, that tell the client why there is nothing to read: a limit, a filter, a refusal,
a sequence that it named itself. A test compares them with the codecs'."""


class Tally(msgspec.Struct):
    """What an answer has shown so far; everything that routing and billing need to know of it."""

    usage: Usage | None = None
    """As the provider reported it; None when it has not, or reported nonsense."""
    usage_rejected: bool = False
    """The provider reported usage that cannot be true."""
    finish_reason: str = ""
    has_content: bool = False
    """Text, reasoning, a refusal, a tool call, a picture or sound has arrived: from here on the client holds part of an answer."""
    output_bytes: int = 0
    reasoning_bytes: int = 0
    open_choices: set[int] = field(default_factory=set)
    """Answers of a request for several that have begun and not said why they ended."""
    closed_choices: set[int] = field(default_factory=set)
    """Those that have said why they ended: a host that repeats them empty beside its usage opens none again."""
    has_reason: bool = False
    """The translated lane has read why the answer ended, which ``finish_reason`` tells only at the end of the stream."""
    ended: bool = False
    """The provider has sent its end marker: whatever follows is no part of the answer."""
    signs: int = 0
    """What has come beside text that is counted: usage, the end, blocks, sound. Comments, pings and empty deltas are none."""
    error: UpstreamError | None = None
    """The provider reported an error inside the stream or in the body of a 200."""

    is_explained: bool = False
    """The finish reason is an answer in itself."""
    may_be_silent: bool = False
    """So is any: the request gave a tool's result, to which there may be nothing to add, or named where to end."""

    def take_usage(self, usage: Usage | None, *, reported: bool) -> None:
        """``usage`` is None when nothing was reported, or something that cannot be true."""
        self.signs += usage != self.usage
        self.usage = usage
        self.usage_rejected = reported and usage is None

    def finish(self, reason: Any) -> None:
        """Take the provider's reason, whatever type it came in."""
        if reason:
            self.signs += str(reason) != self.finish_reason
            self.finish_reason = str(reason)
            self.is_explained = self.finish_reason.lower() in EXPLANATIONS

    @property
    def progress(self) -> int:
        """Grows with whatever the provider says that is new: for anything else nobody waits."""
        return self.output_bytes + self.reasoning_bytes + self.signs

    @property
    def is_finished(self) -> bool:
        """Every choice has said why it ended: nothing but usage and the end marker can be missing."""
        return self.has_reason or (bool(self.finish_reason) and not self.open_choices)

    @property
    def is_empty(self) -> bool:
        """No answer at all, however well it ended: its host has failed."""
        said_enough = self.is_explained or (self.may_be_silent and bool(self.finish_reason))
        return not self.has_content and not said_enough

    def add_output(self, text: str) -> None:
        if text:
            self.output_bytes += text_size(text)
            self.has_content = True

    def add_reasoning(self, text: str) -> None:
        if text:
            self.reasoning_bytes += text_size(text)
            self.has_content = True

    def add_pictures(self, number: int) -> None:
        if number:
            self.signs += 1
            self.output_bytes += number * PICTURE_TOKENS * BYTES_PER_TOKEN
            self.has_content = True

    def counted(self, *, input_tokens: int, units: Usage = NOTHING) -> Usage:
        """Usage by our own count, for a provider that sent none; ``units`` is what the request said of itself."""
        return replace(
            units,
            input=input_tokens,
            output=count(self.output_bytes),
            reasoning=count(self.reasoning_bytes),
        )


class AnswerShape(msgspec.Struct, frozen=True):
    """How the answer is to be presented to this client."""

    identity: AnswerIdentity
    price: PriceUsage
    include_usage: bool
    expected: Usage = NOTHING
    """What the request itself says that it will use beside tokens: images, characters, seconds, searches."""


LABELS = frozenset({"metadata", "user", "safety_identifier", "prompt_cache_key"})
"""A client's own, which its answer bears whether a host was told them or not."""


def without_unheard(shape: AnswerShape, dropped: Iterable[str]) -> AnswerShape:
    """The shape of an answer that repeats nothing of its request that the host was not told, as though it had been heard."""
    echo = shape.identity.echo
    unheard = (set(dropped) - LABELS) & echo.keys()
    if not unheard:
        return shape
    heard = {name: value for name, value in echo.items() if name not in unheard}
    return replace(shape, identity=replace(shape.identity, echo=heard))


class Outgoing(msgspec.Struct, frozen=True):
    """What is sent to a host, after its quirks."""

    body: bytes
    content_type: str
    dropped: tuple[str, ...]
    """Client parameters that the quirks took away."""


class StreamRelay(Protocol):
    tally: Tally
    media_type: str
    """Of what the client gets; known when the host's answer is open."""
    takes_json: bool
    """A whole JSON answer in the place of a stream is one, too."""

    def open(self, media_type: str) -> None:
        """The host answers with this type. Raises MalformedUpstream when that is no such stream."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Client bytes for these upstream bytes, possibly none. Raises MalformedUpstream."""
        ...

    def end(self) -> bytes:
        """The upstream stream has ended. Raises MalformedUpstream when it ended in the middle of a record."""
        ...

    def break_off(self) -> bytes:
        """In the place of ``end``, of a stream that broke when the answer was finished: without the record that was cut."""
        ...

    def finish(self, usage: Usage) -> bytes:
        """The closing records for the client."""
        ...

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke: after them nothing may follow.

        None at all where the format has no words for it: then the answer must stay visibly unfinished.
        """
        ...


class EventRelay:
    """What streams of server-sent events have in common. Hosts do not all name the type right."""

    media_type = "text/event-stream; charset=utf-8"
    takes_json = False

    def open(self, media_type: str) -> None:
        return

    def break_off(self) -> bytes:
        return b""


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
