"""RequestContext: the facts of one request, and what has happened to it so far.

The facts are set once, at admission. The progress is written by attempts.py and read by settlement.py whenever the
request ends, however it ends.
"""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import field
from msgspec.structs import replace

from apps.billing.services.values import HoldDecision
from apps.catalog.providers.spec import Wire
from apps.catalog.selectors import ModelSnapshot
from apps.common import clock
from apps.common.usage import Usage, UsageSource
from apps.inference.canonical.request import LEAST_OUTPUT
from apps.inference.cover import Cover
from apps.inference.extras import Extra
from apps.inference.features.auto_router import Choice
from apps.inference.operations import Surface
from apps.inference.planner import Considered, Rejection, Target
from apps.inference.preferences import Deadlines
from apps.inference.relay import StreamRelay, Tally
from apps.inference.requests.common import RequestFacts
from apps.keys.selectors import KeySnapshot, Recover


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One call of one host. ``fault`` is empty when it answered."""

    provider: str
    model: str
    fault: str
    status: int | None
    milliseconds: int
    is_byok: bool = False
    """It was asked with the customer's own key."""

    def as_json(self) -> dict[str, Any]:
        told = {
            "provider": self.provider,
            "model": self.model,
            "fault": self.fault,
            "status": self.status,
            "ms": self.milliseconds,
        }
        return told | {"is_byok": True} if self.is_byok else told


class Progress(msgspec.Struct):
    target: Target | None = None
    """The host that is answering, or was asked last."""
    tally: Tally = field(default_factory=Tally)
    attempts: list[Attempt] = field(default_factory=list)
    first_content_at: float | None = None
    delivered: bool = False
    """Part of the answer was handed to the client."""
    relay: StreamRelay | None = None
    """Of the stream that is being delivered."""
    usage: Usage | None = None
    """The final usage of a complete answer, as the client was told."""
    is_complete: bool = False
    """All of the answer was handed to the client."""


class Sent(msgspec.Struct):
    """What the client has of a stream."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self.size += len(piece)


class Recalled(msgspec.Struct, frozen=True):
    """An answer that came from the cache, or from the same request under way: what its record tells of it."""

    model: str
    finish_reason: str
    usage: Usage
    source: UsageSource
    cost: int = 0
    """Nano-USD that it cost whoever was given it first."""


class RequestContext(msgspec.Struct):
    id: str
    surface: Surface
    body: bytes
    headers: dict[str, str]
    """The few request headers that matter here, lower-case."""
    path_fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the body that the path says."""
    started: float = field(default_factory=clock.monotonic)
    progress: Progress = field(default_factory=Progress)

    echo: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request that the answer repeats, on wires that do so."""
    own_input: list[dict[str, Any]] = field(default_factory=list)
    """The items of this turn, without the history that was put before them."""

    is_within: bool = False
    """Part of another request of the same key, which was let in and counted for both."""

    # Set by admission, in this order:
    key: KeySnapshot | None = None
    facts: RequestFacts | None = None
    model: ModelSnapshot | None = None
    constraints: str = ""
    """Who may answer, as the request and the policy of its key limit it (``preferences.constraints_of``)."""
    choice: Choice | None = None
    """Of the router that the client named in place of a model."""
    targets: tuple[Target, ...] = ()
    considered: tuple[Considered, ...] = ()
    extras: tuple[Extra, ...] = ()
    """What it buys beside tokens."""
    """The targets with what was known of them, where there was a choice."""
    sorted_by: str = "default"
    rejected: tuple[Rejection, ...] = ()
    """The hosts that are not asked, and why."""
    estimated_input: int = 0
    estimated_tokens: int = 0
    slot_asked: bool = False
    """A slot of the key's limits was asked for and not refused."""
    hold: asyncio.Future[HoldDecision] | None = None
    """Asked for; whether it was placed is known when it is done."""
    held_at: datetime.datetime | None = None
    """The moment that says in which windows of budgets it counts."""
    cover: Cover | None = None
    """How far the hold pays for a stream."""
    recover: Recover = Recover.OFF
    """What may be done when a host fails in the middle of its answer."""
    hedges: bool = False
    """A second host is asked beside the first when that takes longer than it usually does."""
    deadlines: Deadlines = Deadlines()
    """What the client says of them."""
    max_cost: int | None = None
    """Nano-USD that it may cost at most."""
    sent: Sent | None = None
    """Kept while another host could go on with the stream."""
    limit_headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    recalled: Recalled | None = None
    """Set when no provider was asked because the answer was there."""
    at_end: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What must still be done when the request has ended, however it ended."""

    def facts_at(self, target: Target) -> RequestFacts:
        """The facts as they hold for one host: one of another wire than the client's is asked for one answer, and for as
        little of it as its wire allows."""
        assert self.facts is not None
        if self.surface.is_passed_on or target.endpoint.wire is self.surface.wire:
            return self.facts
        asked, least = self.facts.max_output_tokens, LEAST_OUTPUT.get(target.endpoint.wire, 0)
        most = None if asked is None else max(asked, least)
        return replace(self.facts, choices=1, max_output_tokens=most)

    def id_headers(self) -> list[tuple[bytes, bytes]]:
        """Every client gets ``x-request-id``; Anthropic's SDK reads ``request-id``."""
        value = self.id.encode()
        if self.surface.wire is Wire.ANTHROPIC_MESSAGES:
            return [(b"x-request-id", value), (b"request-id", value)]
        return [(b"x-request-id", value)]

    def attempt_headers(self) -> list[tuple[bytes, bytes]]:
        """How many calls it took to fail; nothing when no provider was asked."""
        number = len(self.progress.attempts)
        return [(b"x-gatewayz-attempts", str(number).encode())] if number else []

    def elapsed_ms(self) -> int:
        return round((clock.monotonic() - self.started) * 1000)
