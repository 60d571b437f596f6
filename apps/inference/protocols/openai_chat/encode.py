"""A request in OpenAI's words, for a host that speaks Chat Completions.

https://platform.openai.com/docs/api-reference/chat/create
Hosts differ in what they accept; that is for their quirks. Here stands what OpenAI documents.
"""

from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import foreign_keys, own_keys
from apps.inference.canonical.events import Opaque
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
from apps.inference.protocols.openai_chat.encode_messages import encode_cache, encode_messages

_SAME_NAME = (
    "parallel_tool_calls", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty",
    "logit_bias", "logprobs", "top_logprobs", "n", "metadata",
)  # fmt: skip
_LONGEST_USER = 64
"""OpenAI refuses longer ones; Anthropic's clients send 140 characters that begin with a hash of the user."""


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    """A stream always asks for usage, whatever the client wants to see of it."""
    dropped: list[str] = foreign_keys(request.extra, Wire.OPENAI_CHAT)
    body: Json = {"model": model, "messages": encode_messages(request, dropped)}
    for name in _SAME_NAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.max_tokens is not None:
        body["max_completion_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.user is not None:
        is_own = request.origin is Wire.OPENAI_CHAT
        body["user"] = request.user if is_own else request.user[:_LONGEST_USER]
    body |= _encode_tools(request, dropped)
    body |= _encode_response_format(request)
    body |= _encode_reasoning(request, dropped)
    body |= _encode_other_wire_fields(request, dropped)
    own = own_keys(request.extra, Wire.OPENAI_CHAT)
    stream_options = own.pop("stream_options", {})
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {**stream_options, "include_usage": True}
    return EncodedRequest(body | own, tuple(dict.fromkeys(dropped)))


def _encode_other_wire_fields(request: ChatRequest, dropped: list[str]) -> Json:
    """Fields that share a name with OpenAI's but, coming from another wire, not their meaning."""
    found: Json = {}
    for name in ("top_k", "service_tier"):
        value = getattr(request, name)
        if value is None:
            continue
        if request.origin is Wire.OPENAI_CHAT:
            found[name] = value
        else:
            dropped.append(request.name_of(name))
    return found


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    tools = []
    for tool in request.tools:
        if isinstance(tool, Opaque):
            if tool.wire == Wire.OPENAI_CHAT:
                tools.append(tool.payload)
            else:
                dropped.append(f"tools.{tool.name}")
            continue
        dropped.extend(foreign_keys(tool.extra, Wire.OPENAI_CHAT))
        tools.append(_encode_tool(tool, request, dropped))
    found: Json = {"tools": tools} if tools else {}
    if request.tool_choice is not None:
        found["tool_choice"] = _encode_tool_choice(request.tool_choice)
    return found


def _encode_tool(tool: Tool, request: ChatRequest, dropped: list[str]) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.schema is not None:
        function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    own = own_keys(tool.extra, Wire.OPENAI_CHAT)
    function |= own.pop("function", {})
    encoded = {"type": "function", "function": function, **own}
    return encoded | encode_cache(tool.cache, request, dropped)


def _encode_tool_choice(choice: ToolChoice) -> Json | str:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode.value


def _encode_response_format(request: ChatRequest) -> Json:
    match request.response_format:
        case None:
            return {}
        case JsonObject():
            return {"response_format": {"type": "json_object"}}
        case JsonSchema() as wanted:
            described: Json = {"name": wanted.name or "answer", "schema": wanted.schema}
            if wanted.description:
                described["description"] = wanted.description
            if wanted.strict is not None:
                described["strict"] = wanted.strict
            return {"response_format": {"type": "json_schema", "json_schema": described}}
        case _ as never:
            assert_never(never)


def _encode_reasoning(request: ChatRequest, dropped: list[str]) -> Json:
    wanted = request.reasoning
    if wanted is None or "reasoning" in own_keys(request.extra, Wire.OPENAI_CHAT):
        return {}
    if wanted.mode is ReasoningMode.OFF and request.origin is not Wire.OPENAI_CHAT:
        # ``none`` is refused by every model that cannot reason; other dialects say "off" to those as well.
        dropped.append(request.name_of("reasoning"))
        return {}
    effort = _effort_of(wanted)
    return {} if effort is None else {"reasoning_effort": effort}


def _effort_of(wanted: ReasoningConfig) -> str | None:
    """None leaves it to the model, which is what an adaptive request asks for."""
    if wanted.mode is ReasoningMode.OFF:
        return "none"
    if wanted.effort is not None or wanted.budget_tokens is None:
        return wanted.effort
    if wanted.budget_tokens <= 2048:
        return "low"
    return "medium" if wanted.budget_tokens <= 8192 else "high"
