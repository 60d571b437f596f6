"""What the sandbox saw: counters, and the latest requests as they really came in.

``requests == completed + failed + broken + aborted + open`` at every moment. Requests keep their headers complete,
credentials included: a test must see which key was sent. Nothing here is written anywhere.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.sandbox.delivery import Outcome

KEPT_REQUESTS = 50


@dataclass(slots=True)
class Seen:
    """One request; ``body`` stays bytes until somebody asks."""

    path: str
    headers: dict[str, str]
    query: str = ""
    body: bytes = b""
    model: str = ""
    outcome: Outcome | None = None

    def describe(self) -> dict[str, Any]:
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            body = self.body.decode(errors="replace")
        return {
            "path": self.path,
            "query": self.query,
            "model": self.model,
            "outcome": self.outcome or "open",
            "headers": self.headers,
            "body": body,
        }


@dataclass(slots=True)
class Stats:
    """All counters since the start or the last reset."""

    requests: int = 0
    streams: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    latest: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))
    generation: int = 0
    open: int = 0

    def take_turn(self, model: str, header: str) -> int:
        """The number of this request among those with the same model string and sandbox header."""
        key = f"{model}\n{header}"
        self.turns[key] += 1
        return self.turns[key]

    @contextmanager
    def track(self, seen: Seen) -> Iterator[None]:
        """Count a request from here to its outcome. aiohttp cancels it when the client leaves."""
        generation = self.generation
        self.requests += 1
        self.open += 1
        self.latest.append(seen)
        try:
            yield
        except asyncio.CancelledError:
            seen.outcome = Outcome.ABORTED
            raise
        finally:
            # No outcome: the sandbox itself failed, and aiohttp answers 500.
            seen.outcome = seen.outcome or Outcome.FAILED
            if generation == self.generation:
                self.open -= 1
                self.outcomes[seen.outcome] += 1

    def reset(self) -> None:
        """Forget everything; requests that are still open will not be counted when they end."""
        generation = self.generation + 1
        fresh = Stats(generation=generation)
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def describe(self, *, recent: int = 0) -> dict[str, Any]:
        last = self.latest[-1].describe() if self.latest else None
        picture: dict[str, Any] = {
            "requests": self.requests,
            "streams": self.streams,
            **{outcome.value: self.outcomes[outcome] for outcome in Outcome},
            "open": self.open,
            "by_model": dict(self.by_model),
            "last_request": last,
        }
        if recent:
            picture["recent"] = [seen.describe() for seen in list(self.latest)[-recent:]]
        return picture
