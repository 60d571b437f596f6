"""ChatRequest: what a client asks, in no dialect. Frozen: ``dataclasses.replace`` makes the next attempt's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import CacheTtl, Extra, Part, Text
from apps.inference.canonical.events import Opaque

LEAST_OUTPUT = {Wire.OPENAI_RESPONSES: 16}
"""Tokens; a smaller limit is refused: https://platform.openai.com/docs/api-reference/responses/create#responses-create-max_output_tokens."""


class Role(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    """Instructions in the middle of a conversation; the ones at its head are ``ChatRequest.system``."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. The results of tools are parts of a user turn, whatever the client's dialect calls it."""

    role: Role
    parts: tuple[Part, ...]
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextInput:
    """How a tool takes plain text in the place of arguments; the grammar is empty where any text will do."""

    description: str = ""
    """Of the tool, without the grammar."""
    syntax: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    """Unlike that of any other tool of the request, and a name on every wire."""
    description: str = ""
    schema: Mapping[str, Any] | None = None
    """JSON schema of the arguments; None when the client gave none."""
    strict: bool | None = None
    cache: CacheTtl | None = None
    extra: Extra = field(default_factory=dict)
    text_input: TextInput | None = None
    """Of a tool that takes text, for the wires that have such; to the others, name, description and schema are a function."""
    source: Mapping[str, Any] | None = None
    """What the client sent, where it is no function on its own wire; every other wire is sent the function. The tools of one
    group have the same."""
    own_name: str = ""
    """What the client calls it inside of a group."""


class ToolMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    mode: ToolMode
    name: str = ""
    """The tool that must be called; only with NAMED."""
    allowed: tuple[str, ...] = ()
    """The tools that may be called; empty for all. Only with AUTO and REQUIRED."""

    @property
    def is_forced(self) -> bool:
        return self.mode in (ToolMode.REQUIRED, ToolMode.NAMED)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Any JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """JSON that satisfies a schema."""

    schema: Mapping[str, Any]
    name: str = ""
    description: str = ""
    strict: bool | None = None


ResponseFormat = JsonObject | JsonSchema


class ReasoningMode(StrEnum):
    OFF = "off"
    ADAPTIVE = "adaptive"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningConfig:
    """How much the model should think; ``mode`` is None when the client named only an effort."""

    mode: ReasoningMode | None = None
    budget_tokens: int | None = None
    effort: str | None = None
    """minimal, low, medium, high, xhigh or max; passed on as the client wrote it."""
    show_thoughts: bool | None = None
    """Whether the answer is to hold the thoughts (Gemini); None leaves it to the wire."""
    source: Mapping[str, Any] | None = None
    """What the client sent, where its own wire has several words for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """None means that the client did not say; the provider's default then applies."""

    origin: Wire
    """The dialect of the client."""
    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool | Opaque, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningConfig | None = None
    user: str | None = None
    stream: bool = False
    include_usage: bool = False
    """Whether the client wants usage in its stream. Upstream, usage is always asked for: it is the bill."""
    metadata: Mapping[str, Any] | None = None
    service_tier: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """The client's words for our fields, where they differ; the report of dropped parameters speaks them."""
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What the answer must know of the request, for ``AnswerIdentity.echo``."""
    extra: Extra = field(default_factory=dict)

    @property
    def allowed_tools(self) -> tuple[Tool | Opaque, ...]:
        """The tools that the choice leaves, for wires that cannot say it in another way."""
        allowed = self.tool_choice.allowed if self.tool_choice else ()
        return tuple(
            tool
            for tool in self.tools
            if not allowed or isinstance(tool, Opaque) or tool.name in allowed
        )

    def name_of(self, field_name: str) -> str:
        """What the client called this field."""
        return self.names.get(field_name, field_name)

    @property
    def hidden_thoughts(self) -> tuple[str, ...]:
        """The wish to see no thoughts, which only its own wire can grant; empty without one."""
        is_wished = self.reasoning is not None and self.reasoning.show_thoughts is False
        return (self.name_of("show_thoughts"),) if is_wished else ()
