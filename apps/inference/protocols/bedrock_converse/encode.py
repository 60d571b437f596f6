"""A request in Amazon's words, for Bedrock's Converse.

Neither the model's name nor the stream flag is part of the body: both stand in the URL. What Converse has no field for goes
into ``additionalModelRequestFields`` in Claude's words (``thinking``, ``top_k``); for other models a row's quirk renames it.
"""

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import ToolCall, ToolResult, foreign_keys, own_keys
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningMode,
    Tool,
    ToolMode,
)
from apps.inference.protocols.bedrock_converse.encode_blocks import (
    encode_cache,
    encode_conversation,
)

_WIRE = Wire.BEDROCK_CONVERSE
_NO_WORD_FOR = (
    "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
    "user", "metadata", "service_tier",
)  # fmt: skip
_EFFORTS = {"minimal": "low"} | {word: word for word in ("low", "medium", "high", "xhigh", "max")}
_LEAST_BUDGET = 1024
_NESTED = ("inferenceConfig", "additionalModelRequestFields")


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    """``model`` is for the URL, and so is ``request.stream``: the provider row's path holds them."""
    dropped: list[str] = foreign_keys(request.extra, _WIRE)
    dropped.extend(
        request.name_of(name) for name in _NO_WORD_FOR if getattr(request, name) is not None
    )
    if request.n is not None and request.n > 1:
        dropped.append(request.name_of("n"))
    if request.parallel_tool_calls is False:
        dropped.append(request.name_of("parallel_tool_calls"))
    system, messages = encode_conversation(request, dropped)
    body: Json = {"messages": messages}
    if system:
        body["system"] = system
    thinking = _encode_thinking(request, messages, dropped)
    body |= _encode_sampling(request, dropped, thinking=thinking)
    body |= _encode_tools(request, dropped)
    body |= _encode_output(request, dropped)
    own = own_keys(request.extra, _WIRE)
    for name in _NESTED:
        if name in own:
            body[name] = body.get(name, {}) | own.pop(name)
    return EncodedRequest(body | own, tuple(dict.fromkeys(filter(None, dropped))))


def _encode_sampling(request: ChatRequest, dropped: list[str], *, thinking: Json) -> Json:
    """Thinking with a budget fixes the temperature, and Claude then refuses another.

    https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html
    """
    values = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    given = {name: value for name, value in values.items() if value is not None}
    if "budget_tokens" in thinking and request.origin is not _WIRE:
        dropped.extend(request.name_of(name) for name in given)
        given = {}
    config: Json = {}
    if request.max_tokens:
        config["maxTokens"] = request.max_tokens
    if "temperature" in given:
        config["temperature"] = min(max(given["temperature"], 0), 1)
    if "top_p" in given:
        config["topP"] = given["top_p"]
    if request.stop:
        config["stopSequences"] = list(request.stop)
    model_fields: Json = {"thinking": thinking} if thinking else {}
    if "top_k" in given:
        model_fields["top_k"] = given["top_k"]
    found: Json = {"inferenceConfig": config} if config else {}
    return found | ({"additionalModelRequestFields": model_fields} if model_fields else {})


def _encode_thinking(request: ChatRequest, messages: list[Json], dropped: list[str]) -> Json:
    wanted, is_own = request.reasoning, request.origin is _WIRE
    dropped.extend(request.hidden_thoughts)
    match wanted.mode if wanted else None:
        case ReasoningMode.ADAPTIVE:
            return {"type": "adaptive"}
        case ReasoningMode.OFF:
            if is_own:
                return {"type": "disabled"}
            dropped.append(request.name_of("reasoning"))  # models that cannot think refuse the word
            return {}
        case ReasoningMode.BUDGET:
            budget = (wanted.budget_tokens if wanted else None) or 0
            if is_own or _may_think(budget, request, messages):
                return {"type": "enabled", "budget_tokens": budget}
            dropped.append(request.name_of("reasoning"))
            return {}
        case None:
            return {}


def _may_think(budget: int, request: ChatRequest, messages: list[Json]) -> bool:
    """The budget comes out of ``maxTokens``; a model that must call a tool may not think first, and one that has called
    tools must see the thoughts that it had then."""
    if request.tool_choice is not None and request.tool_choice.is_forced and request.tools:
        return False
    if budget < _LEAST_BUDGET or budget >= (request.max_tokens or budget + 1):
        return False
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    lost = answers and any("toolUse" in block for block in answers[-1])
    return not lost or "reasoningContent" in answers[-1][0]


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    """There is no choice of none: the tools stay away then, unless the conversation holds calls, which need them."""
    choice = request.tool_choice
    if choice is not None and choice.mode is ToolMode.NONE:
        if not _has_calls(request):
            return {}
        dropped.append(request.name_of("tool_choice"))
    tools: list[Json] = []
    for tool in request.allowed_tools:
        if isinstance(tool, Tool):
            dropped.extend(foreign_keys(tool.extra, _WIRE))
            tools += [{"toolSpec": _encode_tool(tool)}, *encode_cache(tool.cache)]
        elif tool.wire == _WIRE:
            tools.append(tool.payload)
        else:
            dropped.append(f"tools.{tool.name}")
    if not tools:
        return {}  # a configuration without tools is refused
    encoded = _encode_tool_choice(request)
    return {"toolConfig": {"tools": tools} | ({"toolChoice": encoded} if encoded else {})}


def _has_calls(request: ChatRequest) -> bool:
    parts = (part for message in request.messages for part in message.parts)
    return any(isinstance(part, ToolCall | ToolResult) for part in parts)


def _encode_tool(tool: Tool) -> Json:
    spec: Json = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    schema = dict(tool.schema or {})
    spec["inputSchema"] = {"json": schema if "type" in schema else {"type": "object", **schema}}
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return spec | own_keys(tool.extra, _WIRE)


def _encode_tool_choice(request: ChatRequest) -> Json:
    choice = request.tool_choice
    match choice.mode if choice else ToolMode.NONE:
        case ToolMode.NAMED:
            return {"tool": {"name": choice.name if choice else ""}}
        case ToolMode.REQUIRED:
            return {"any": {}}
        case ToolMode.AUTO:
            return {"auto": {}}
        case _:
            return {}


def _encode_output(request: ChatRequest, dropped: list[str]) -> Json:
    config: Json = {}
    match request.response_format:
        case JsonSchema() as wanted:
            described = {"schema": orjson.dumps(wanted.schema).decode()}
            described |= {"name": wanted.name} if wanted.name else {}
            described |= {"description": wanted.description} if wanted.description else {}
            structure = {"jsonSchema": described}
            config["textFormat"] = {"type": "json_schema", "structure": structure}
        case JsonObject():
            dropped.append(request.name_of("response_format"))
        case None:
            pass
    effort = request.reasoning.effort if request.reasoning else None
    if effort is not None:
        known = effort if request.origin is _WIRE else _EFFORTS.get(effort)
        if known is None:
            dropped.append(request.name_of("reasoning"))
        else:
            config["effort"] = known
    return {"outputConfig": config} if config else {}
