"""A request in the words of Responses, for a host that speaks it.

https://platform.openai.com/docs/api-reference/responses/create (2026-07)
The gateway keeps the conversation, not the provider: nothing is stored there, and reasoning comes back encrypted so that
it can be sent again. Models that cannot reason refuse that, which is for their hosts' quirks:
https://github.com/pydantic/pydantic-ai/issues/2865 (2025-09).
"""

from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical import openai_words
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import foreign_keys, own_keys
from apps.inference.canonical.reasoning import encode_effort
from apps.inference.canonical.request import (
    LEAST_OUTPUT,
    ChatRequest,
    JsonObject,
    JsonSchema,
    TextInput,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.canonical.text_tools import text_tool_names
from apps.inference.protocols.openai_responses.decode import ENCRYPTED_REASONING
from apps.inference.protocols.openai_responses.encode_items import encode_input, own_names

_WIRE = Wire.OPENAI_RESPONSES
_NO_WORD_FOR = (
    "top_k", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
    "top_logprobs",
)  # fmt: skip
_SAME_NAME = ("parallel_tool_calls", "temperature", "top_p", "metadata")
_LONGEST_USER = 64
_DOTTED = ("reasoning", "text")
"""Objects of which only a part is modelled; the rest stands in ``extra`` under dotted names."""


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    dropped = openai_words.lost_keys(request.extra, _WIRE, openai_words.REQUEST)
    dropped.extend(
        request.name_of(name) for name in _NO_WORD_FOR if getattr(request, name) is not None
    )
    if request.n is not None and request.n > 1:
        dropped.append(request.name_of("n"))
    if request.stop:
        dropped.append(request.name_of("stop"))
    body: Json = {"model": model, **encode_input(request, dropped)}
    for name in _SAME_NAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.max_tokens is not None:
        body["max_output_tokens"] = max(request.max_tokens, LEAST_OUTPUT[_WIRE])
        if request.max_tokens < LEAST_OUTPUT[_WIRE]:
            dropped.append(request.name_of("max_tokens"))
    if request.stream:
        body["stream"] = True
    body |= _encode_tools(request, dropped)
    body |= _encode_account(request, dropped)
    body["reasoning"] = _encode_reasoning(request, dropped)
    body["text"] = _encode_format(request)
    own = own_keys(request.extra, _WIRE)
    own |= openai_words.said_alike(request.extra, _WIRE, openai_words.REQUEST)
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
        is_openais = request.origin in openai_words.OPENAIS
        name = request.name_of("user") if is_openais else "user"
        found[name] = request.user if is_openais else request.user[:_LONGEST_USER]
    if request.service_tier is not None:
        if request.origin in openai_words.OPENAIS:
            found["service_tier"] = request.service_tier
        else:
            dropped.append("service_tier")
    return found


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    is_own = request.origin is _WIRE
    tools: list[Json] = []
    source: object = None
    for tool in request.tools if is_own else request.allowed_tools:
        if isinstance(tool, Tool):
            dropped.extend(foreign_keys(tool.extra, _WIRE))
            if tool.cache is not None:
                dropped.append("cache_control")
            if tool.source is None or tool.source is not source:  # a namespace is written once
                tools.append(_encode_tool(tool, request))
            source = tool.source
        elif tool.wire == _WIRE:
            tools.append(tool.payload)
        else:
            dropped.append(f"tools.{tool.name}")
    found: Json = {"tools": tools} if tools else {}
    if request.tool_choice is not None:
        found["tool_choice"] = _encode_tool_choice(
            request.tool_choice, request, lists_allowed=is_own
        )
    return found


def _encode_tool(tool: Tool, request: ChatRequest) -> Json:
    """A function without ``strict`` is strict here and nowhere else, so the requests of other wires say it."""
    own = own_keys(tool.extra, _WIRE)
    if tool.source is not None and request.origin is _WIRE:
        return dict(tool.source)
    if tool.text_input is not None:
        return _encode_text_tool(tool.name, tool.text_input)
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


def _encode_text_tool(name: str, wanted: TextInput) -> Json:
    encoded: Json = {"type": "custom", "name": name}
    if wanted.description:
        encoded["description"] = wanted.description
    if wanted.definition:
        grammar = {"syntax": wanted.syntax, "definition": wanted.definition}
        encoded["format"] = {"type": "grammar", **grammar}
    return encoded


def _encode_tool_choice(
    choice: ToolChoice, request: ChatRequest, *, lists_allowed: bool
) -> Json | str:
    own = own_names(request)
    takes_text = text_tool_names(request)

    def named(name: str) -> Json:
        return {
            "type": "custom" if name in takes_text else "function",
            **own.get(name, {"name": name}),
        }

    if choice.mode is ToolMode.NAMED:
        return named(choice.name)
    if choice.allowed and lists_allowed:
        tools = [named(name) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode.value, "tools": tools}
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
    effort = encode_effort(request, dropped, knows_none=request.origin in openai_words.OPENAIS)
    return {} if effort is None else {"effort": effort}
