"""A request in the words of Responses, for a host that speaks it.

https://platform.openai.com/docs/api-reference/responses/create (2026-07)
The gateway keeps the conversation, not the provider: nothing is stored there, and reasoning comes back encrypted so that
it can be sent again. Models that cannot reason refuse that, which is for their hosts' quirks:
https://github.com/pydantic/pydantic-ai/issues/2865 (2025-09).
"""

from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import foreign_keys, own_keys
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningConfig,
    ReasoningMode,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.protocols.openai_responses.custom_tools import custom_names
from apps.inference.protocols.openai_responses.decode import ENCRYPTED_REASONING
from apps.inference.protocols.openai_responses.encode_items import encode_input

_WIRE = Wire.OPENAI_RESPONSES
_NO_WORD_FOR = (
    "top_k", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
    "top_logprobs",
)  # fmt: skip
_SAME_NAME = ("parallel_tool_calls", "temperature", "top_p", "metadata")
_OPENAIS = (Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES)
_LONGEST_USER = 64
_DOTTED = ("reasoning", "text")
"""Objects of which only a part is modelled; the rest stands in ``extra`` under dotted names."""

LEAST_OUTPUT = 16
"""A smaller limit is refused: https://platform.openai.com/docs/api-reference/responses/create#responses-create-max_output_tokens."""


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    dropped: list[str] = foreign_keys(request.extra, _WIRE)
    dropped.extend(
        request.name_of(name) for name in _NO_WORD_FOR if getattr(request, name) is not None
    )
    if request.n is not None and request.n > 1:
        dropped.append("n")
    if request.stop:
        dropped.append(request.name_of("stop"))
    body: Json = {"model": model, **encode_input(request, dropped)}
    for name in _SAME_NAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, LEAST_OUTPUT)
    if request.stream:
        body["stream"] = True
    body |= _encode_tools(request, dropped)
    body |= _encode_account(request, dropped)
    body["reasoning"] = _encode_reasoning(request, dropped)
    body["text"] = _encode_format(request)
    own = own_keys(request.extra, _WIRE)
    body |= {"store": False, "include": [ENCRYPTED_REASONING, *own.pop("include", ())]}
    for key, value in own.items():
        _put(body, key, value)
    for name in _DOTTED:
        if not body[name]:
            del body[name]
    return EncodedRequest(body, tuple(dict.fromkeys(filter(None, dropped))))


def _put(body: Json, key: str, value: object) -> None:
    outer, dot, inner = key.partition(".")
    if dot and outer in _DOTTED:
        body[outer][inner] = value
    else:
        body[key] = value


def _encode_account(request: ChatRequest, dropped: list[str]) -> Json:
    """Who asks and on which terms."""
    found: Json = {}
    if request.user is not None:
        is_own = request.origin is _WIRE
        name = request.name_of("user") if is_own else "user"
        found[name] = request.user if is_own else request.user[:_LONGEST_USER]
    if request.service_tier is not None:
        if request.origin in _OPENAIS:
            found["service_tier"] = request.service_tier
        else:
            dropped.append("service_tier")
    return found


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    tools: list[Json] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            dropped.extend(foreign_keys(tool.extra, _WIRE))
            if tool.cache is not None:
                dropped.append("cache_control")
            tools.append(_encode_tool(tool, request))
        elif tool.wire == _WIRE:
            tools.append(tool.payload)
        else:
            dropped.append(f"tools.{tool.payload.get('type', '')}")
    found: Json = {"tools": tools} if tools else {}
    if request.tool_choice is not None:
        found["tool_choice"] = _encode_tool_choice(request.tool_choice, custom_names(request))
    return found


def _encode_tool(tool: Tool, request: ChatRequest) -> Json:
    """A function without ``strict`` is strict here and nowhere else, so the requests of other wires say it."""
    own = own_keys(tool.extra, _WIRE)
    if "custom" in own:
        custom: Json = own["custom"]
        return custom
    encoded: Json = {"type": "function", "name": tool.name}
    if tool.description:
        encoded["description"] = tool.description
    if request.origin is not _WIRE:
        encoded["parameters"] = tool.schema or {"type": "object", "properties": {}}
        encoded["strict"] = tool.strict or False
        return encoded
    if tool.schema is not None:
        encoded["parameters"] = tool.schema
    if tool.strict is not None:
        encoded["strict"] = tool.strict
    return encoded | own


def _encode_tool_choice(choice: ToolChoice, custom: frozenset[str]) -> Json | str:
    if choice.mode is ToolMode.NAMED:
        kind = "custom" if choice.name in custom else "function"
        return {"type": kind, "name": choice.name}
    return choice.mode.value


def _encode_format(request: ChatRequest) -> Json:
    match request.response_format:
        case None:
            return {}
        case JsonObject():
            return {"format": {"type": "json_object"}}
        case JsonSchema() as wanted:
            described: Json = {"type": "json_schema", "name": wanted.name or "answer"}
            described["schema"] = wanted.schema
            if wanted.description:
                described["description"] = wanted.description
            if wanted.strict is not None:
                described["strict"] = wanted.strict
            elif request.origin is not _WIRE:
                described["strict"] = False
            return {"format": described}
        case _ as never:
            assert_never(never)


def _encode_reasoning(request: ChatRequest, dropped: list[str]) -> Json:
    wanted = request.reasoning
    if wanted is None:
        return {}
    if wanted.mode is ReasoningMode.OFF and request.origin not in _OPENAIS:
        # ``none`` is refused by every model that cannot reason; other dialects say "off" to those as well.
        dropped.append(request.name_of("reasoning"))
        return {}
    effort = _effort_of(wanted)
    return {} if effort is None else {"effort": effort}


def _effort_of(wanted: ReasoningConfig) -> str | None:
    """None leaves it to the model, which is what an adaptive request asks for."""
    if wanted.mode is ReasoningMode.OFF:
        return "none"
    if wanted.effort is not None or wanted.budget_tokens is None:
        return wanted.effort
    if wanted.budget_tokens <= 2048:
        return "low"
    return "medium" if wanted.budget_tokens <= 8192 else "high"
