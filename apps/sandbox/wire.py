"""What a wire must be able to do, and the values that pass between wires, delivery and the application.

A wire is a module (``openai_wire``, ``anthropic_wire``) with the functions of :class:`Wire`. It knows formats only:
it reads a body, and renders answers and refusals. When something is sent, or not sent, is delivery's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from apps.sandbox.options import Options
from apps.sandbox.replies import Prompt, Reply
from apps.sandbox.tokens import PromptCache, Usage


class Kind(Enum):
    """A record's place in the stream, as far as faults care."""

    OPENING = auto()
    FRAME = auto()
    CONTENT = auto()
    CLOSING = auto()


@dataclass(frozen=True, slots=True)
class Record:
    """One SSE record before framing."""

    kind: Kind
    data: bytes
    event: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything a wire needs to render; ``model`` is the model string exactly as it was asked for."""

    id: str
    created: int
    model: str
    prompt: Prompt
    replies: tuple[Reply, ...]
    usage: Usage
    options: Options


class Refused(Exception):
    """The request gets an error. ``code`` and ``param`` are shown where the wire has a place for them."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param


class Wire(Protocol):
    """A provider's format, spoken from the provider's side."""

    def read_prompt(self, body: dict[str, Any]) -> Prompt:
        """Raise Refused for what the original would refuse."""

    def meter(self, cache: PromptCache, model: str, prompt: Prompt) -> Usage: ...

    def render_answer(self, answer: Answer) -> dict[str, Any]: ...

    def render_stream(self, answer: Answer) -> Iterator[Record]:
        """Lazy: a record is made when it is due, so that a stamp in it is the time of its writing."""

    def render_refusal(self, refusal: Refused, *, request_id: str) -> dict[str, Any]: ...

    def refusal_record(self, refusal: Refused, *, request_id: str) -> Record: ...

    def explain_context(self, prompt_tokens: int) -> Refused: ...

    def explain_filter(self) -> Refused: ...

    def name_request_id_header(self) -> str: ...
