"""A request in OpenAI's words, for a host that speaks Chat Completions.

https://platform.openai.com/docs/api-reference/chat/create
Hosts differ in what they accept; that is for their quirks. Here stands what OpenAI documents.
"""

from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical import openai_words
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import foreign_keys, own_keys
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.reasoning import encode_effort
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.canonical.text_tools import text_tool_names
from apps.inference.protocols.openai_chat.encode_messages import encode_cache, encode_messages

_SAME_NAME = (
    "parallel_tool_calls", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty",
    "logit_bias", "logprobs", "top_logprobs", "metadata",
)  # fmt: skip
_LONGEST_USER = 64
"""OpenAI refuses longer ones; Anthropic's clients send 140 characters that begin with a hash of the user."""


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    """A stream always asks for usage, whatever the client wants to see of it."""
    dropped = openai_words.lost_keys(request.extra, Wire.OPENAI_CHAT, openai_words.REQUEST)
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
        is_openais = request.origin in openai_words.OPENAIS
        name = request.name_of("user") if is_openais else "user"
        body[name] = request.user if is_openais else request.user[:_LONGEST_USER]
    body |= _encode_choices(request, dropped)
    body |= _encode_tools(request, dropped)
    body |= _encode_response_format(request)
    body |= _encode_reasoning(request, dropped)
    body |= _encode_other_wire_fields(request, dropped)
    own = _own_fields(request)
    own |= openai_words.said_alike(request.extra, Wire.OPENAI_CHAT, openai_words.REQUEST)
    stream_options = own.pop("stream_options", {})
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {**stream_options, "include_usage": True}
    return EncodedRequest(body | own, tuple(dict.fromkeys(dropped)))


def _own_fields(request: ChatRequest) -> Json:
    """Without the parts of ``reasoning`` that other wires have no words for: here they are in its source."""
    own = own_keys(request.extra, Wire.OPENAI_CHAT)
    return {name: value for name, value in own.items() if not name.startswith("reasoning.")}


def _encode_choices(request: ChatRequest, dropped: list[str]) -> Json:
    """Translation brings back one answer, so a client of another wire would pay for answers that it never sees."""
    if request.n is None:
        return {}
    if request.origin is Wire.OPENAI_CHAT:
        return {"n": request.n}
    if request.n > 1:
        dropped.append(request.name_of("n"))
    return {}


def _encode_other_wire_fields(request: ChatRequest, dropped: list[str]) -> Json:
    """Fields that share a name with OpenAI's but, coming from another wire, not their meaning."""
    found: Json = {}
    knowing = {"top_k": (Wire.OPENAI_CHAT,), "service_tier": openai_words.OPENAIS}
    for name, origins in knowing.items():
        value = getattr(request, name)
        if value is None:
            continue
        if request.origin in origins:
            found[name] = value
        else:
            dropped.append(request.name_of(name))
    return found


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    """Hosts of this wire that are not OpenAI's know no list of allowed tools, so other wires' clients send only those."""
    is_own = request.origin is Wire.OPENAI_CHAT
    tools = []
    for tool in request.tools if is_own else request.allowed_tools:
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
        found["tool_choice"] = _encode_tool_choice(request.tool_choice, request)
    return found


def _encode_tool(tool: Tool, request: ChatRequest, dropped: list[str]) -> Json:
    if tool.source is not None and request.origin is Wire.OPENAI_CHAT:
        return dict(tool.source)
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


def _encode_tool_choice(choice: ToolChoice, request: ChatRequest) -> Json | str:
    is_own = request.origin is Wire.OPENAI_CHAT
    custom = text_tool_names(request) if is_own else frozenset()

    def named(name: str) -> Json:
        kind = "custom" if name in custom else "function"
        return {"type": kind, kind: {"name": name}}

    if choice.mode is ToolMode.NAMED:
        return named(choice.name)
    if choice.allowed and is_own:
        tools = [named(name) for name in choice.allowed]
        allowed = {"mode": choice.mode.value, "tools": tools}
        return {"type": "allowed_tools", "allowed_tools": allowed}
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
    if wanted and wanted.source and request.origin is Wire.OPENAI_CHAT:
        return {"reasoning": wanted.source}
    effort = encode_effort(request, dropped, knows_none=request.origin is Wire.OPENAI_CHAT)
    return {} if effort is None else {"reasoning_effort": effort}
