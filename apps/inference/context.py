"""RequestContext: the facts of one request, and what has happened to it so far.

The facts are set once, at admission. The progress is written by attempts.py and read by settlement.py whenever the
request ends, however it ends.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.billing.services.values import HoldDecision
from apps.catalog.providers.spec import Wire
from apps.catalog.selectors import ModelSnapshot
from apps.common import clock
from apps.common.usage import Usage
from apps.inference.operations import Surface
from apps.inference.planner import Target
from apps.inference.relay import StreamRelay, Tally
from apps.inference.requests.common import RequestFacts
from apps.keys.selectors import KeySnapshot


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of one host. ``fault`` is empty when it answered."""

    provider: str
    model: str
    fault: str
    status: int | None
    milliseconds: int

    def as_json(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "model": self.model,
            "fault": self.fault,
            "status": self.status,
            "ms": self.milliseconds,
        }


@dataclass(slots=True)
class Progress:
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


@dataclass(slots=True)
class RequestContext:
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

    # Set by admission, in this order:
    key: KeySnapshot | None = None
    facts: RequestFacts | None = None
    model: ModelSnapshot | None = None
    targets: tuple[Target, ...] = ()
    estimated_input: int = 0
    estimated_tokens: int = 0
    slot_asked: bool = False
    """A slot of the key's limits was asked for and not refused."""
    hold: asyncio.Future[HoldDecision] | None = None
    """Asked for; whether it was placed is known when it is done."""
    limit_headers: list[tuple[bytes, bytes]] = field(default_factory=list)

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
