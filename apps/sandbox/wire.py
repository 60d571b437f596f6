"""The values that pass between dialects, wires, delivery and the application, and what each must be able to do.

=========  ==========================================================================================
dialect    how a company's API is entered and how it says no: keys, envelope, error bodies, headers
wire       a format for conversations: reads a prompt, writes answers and streams
task       any other endpoint: reads a body and produces bytes
=========  ==========================================================================================

All know formats only. When something is sent, or not sent, is delivery's business.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from apps.sandbox.framing import Framing, Kind, Record
from apps.sandbox.options import Options
from apps.sandbox.replies import Prompt, Reply
from apps.sandbox.tokens import PromptCache, Usage

__all__ = [
    "Answer",
    "Asked",
    "Dialect",
    "Incoming",
    "Job",
    "Kind",
    "Outgoing",
    "Record",
    "Refused",
    "Wire",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request as it arrived. Header names are lower-case; ``variables`` are what the route's path names."""

    path: str
    raw_path: str
    """The path as it travelled, percent-encoded."""
    raw_query: str
    variables: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request whose envelope is open; ``model`` is the string as it was asked for, with its options."""

    incoming: Incoming
    model: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything a wire needs to render; ``model`` is the model string exactly as it was asked for."""

    id: str
    created: int
    model: str
    asked: Asked
    prompt: Prompt
    replies: tuple[Reply, ...]
    usage: Usage
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything a task needs; ``name`` is the bare model name."""

    id: str
    asked: Asked
    name: str
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What delivery brings to the client: a body, or records in a framing."""

    id: str
    options: Options
    body: Callable[[], bytes] = bytes
    content_type: str = "application/json"
    framing: Framing | None = None
    """None: this is no stream."""
    records: Iterable[Record] = ()
    fail: Callable[["Refused", int], Record] | None = None
    """An error as a record at the given position; None where the format has no such thing."""


class Refused(Exception):
    """The request gets an error. ``code`` and ``param`` are shown where the dialect has a place for them."""

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
        self.retry_after: float | None = None


class Dialect(Protocol):
    """How one company's API is entered, and how it says no."""

    def authenticate(self, incoming: Incoming) -> None:
        """Raise Refused without a key, or with the one that is known to be bad."""

    def open_body(self, incoming: Incoming) -> Asked: ...

    def render_refusal(self, refusal: Refused, *, request_id: str) -> dict[str, Any]: ...

    def render_headers(self, *, request_id: str, refusal: Refused | None) -> dict[str, str]: ...

    def explain_model(self, name: str, asked: Asked) -> Refused: ...

    def explain_context(self, prompt_tokens: int) -> Refused: ...

    def explain_filter(self) -> Refused | None:
        """None: this company answers 200, and the wire's answer tells."""


class Wire(Protocol):
    """A provider's format for conversations, spoken from the provider's side."""

    def read_prompt(self, asked: Asked) -> Prompt:
        """Raise Refused for what the original would refuse."""

    def meter(self, cache: PromptCache, model: str, prompt: Prompt) -> Usage: ...

    def choose_framing(self, asked: Asked) -> Framing: ...

    def render_answer(self, answer: Answer) -> dict[str, Any]: ...

    def render_stream(self, answer: Answer) -> Iterator[Record]:
        """Lazy: a record is made when it is due, so that a stamp in it is the time of its writing."""

    def refusal_record(self, refusal: Refused, *, request_id: str, position: int) -> Record: ...
