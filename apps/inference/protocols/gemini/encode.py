"""A request in Google's words, for a host that speaks generateContent.

https://ai.google.dev/api/generate-content#request-body, and the types of google-genai 3.4.0 (2026-11-21)
Neither the model's name nor the stream flag is part of the body: both stand in the URL. Schemas are sent in the fields
that take JSON Schema as it is (``parametersJsonSchema``, ``responseJsonSchema``).
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
from apps.inference.protocols.gemini.encode_contents import encode_conversation
from apps.inference.protocols.gemini.paths import put_back

_WIRE = Wire.GEMINI
_CONFIG_NAMES = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_OWN_CONFIG_NAMES = {
    "n": "candidateCount",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
"""What Gemini knows, but other wires' clients would never see of the answer."""
_NO_WORD_FOR = ("logit_bias", "user", "metadata", "service_tier")
_DYNAMIC = -1
"""The budget that leaves it to the model: https://ai.google.dev/gemini-api/docs/thinking#set-budget"""
_MODES = {ToolMode.AUTO: "AUTO", ToolMode.NONE: "NONE", ToolMode.REQUIRED: "ANY"}
_BUDGETS = {
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "xhigh": 24576,
    "max": 24576,
}
"""As in Google's own OpenAI layer: https://ai.google.dev/gemini-api/docs/openai#thinking (2026-11-21).

Budgets, because Gemini 2.5 knows no levels and Gemini 3 still takes budgets; a row's quirk may say it better.
"""


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    """``model`` is for the URL, and so is ``request.stream``: the provider row's path holds them."""
    dropped: list[str] = foreign_keys(request.extra, _WIRE)
    dropped.extend(
        request.name_of(name) for name in _NO_WORD_FOR if getattr(request, name) is not None
    )
    if request.parallel_tool_calls is False:
        dropped.append(request.name_of("parallel_tool_calls"))
    system, contents = encode_conversation(request, dropped)
    body: Json = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    body |= _encode_tools(request, dropped)
    if config := _encode_config(request, dropped):
        body["generationConfig"] = config
    body = put_back(body, own_keys(request.extra, _WIRE))
    return EncodedRequest(body, tuple(dict.fromkeys(filter(None, dropped))))


def _encode_config(request: ChatRequest, dropped: list[str]) -> Json:
    config: Json = {}
    for field_name, name in _CONFIG_NAMES.items():
        value = getattr(request, field_name)
        if value is not None:
            config[name] = value
    for field_name, name in _OWN_CONFIG_NAMES.items():
        value = getattr(request, field_name)
        if value is None or (field_name == "n" and value == 1 and request.origin is not _WIRE):
            continue
        if request.origin is _WIRE:
            config[name] = value
        else:
            dropped.append(request.name_of(field_name))
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.reasoning and (thinking := _encode_thinking(request.reasoning, request, dropped)):
        config["thinkingConfig"] = thinking
    return config | _encode_response_format(request, dropped)


def _encode_response_format(request: ChatRequest, dropped: list[str]) -> Json:
    match request.response_format:
        case None:
            return {}
        case JsonObject():
            return {"responseMimeType": "application/json"}
        case JsonSchema() as wanted:
            if wanted.description:
                dropped.append(f"{request.name_of('response_format')}.description")
            return {"responseMimeType": "application/json", "responseJsonSchema": wanted.schema}
        case _ as never:
            assert_never(never)


def _encode_thinking(wanted: ReasoningConfig, request: ChatRequest, dropped: list[str]) -> Json:
    """Clients of other wires are used to seeing the thoughts, which Gemini shows only when asked to."""
    if request.origin is _WIRE:
        return _encode_own_thinking(wanted)
    budget = _BUDGETS.get(wanted.effort or "")
    takes_effort = wanted.mode in (None, ReasoningMode.ADAPTIVE) and budget is not None
    if wanted.effort and not takes_effort:
        dropped.append(request.name_of("effort"))
    match wanted.mode:
        case ReasoningMode.OFF:
            return {"thinkingBudget": 0}
        case ReasoningMode.BUDGET:
            budget = wanted.budget_tokens
        case ReasoningMode.ADAPTIVE:
            budget = _DYNAMIC if budget is None else budget
        case None:
            pass
        case _ as never:
            assert_never(never)
    return {} if budget is None else {"thinkingBudget": budget, "includeThoughts": True}


def _encode_own_thinking(wanted: ReasoningConfig) -> Json:
    thinking: Json = {}
    match wanted.mode:
        case ReasoningMode.OFF:
            thinking["thinkingBudget"] = 0
        case ReasoningMode.BUDGET:
            thinking["thinkingBudget"] = wanted.budget_tokens
        case ReasoningMode.ADAPTIVE:
            thinking["thinkingBudget"] = _DYNAMIC
        case None:
            pass
        case _ as never:
            assert_never(never)
    if wanted.show_thoughts is not None:
        thinking["includeThoughts"] = wanted.show_thoughts
    if wanted.effort is not None:
        thinking["thinkingLevel"] = wanted.effort.upper()
    return thinking


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    functions: list[Json] = []
    tools: list[Json] = []
    choice, is_own = request.tool_choice, request.origin is _WIRE
    # A list of allowed functions goes with ANY alone; else only those are sent.
    is_listed = is_own or (choice is not None and choice.mode is ToolMode.REQUIRED)
    for tool in request.tools if is_listed else request.allowed_tools:
        if isinstance(tool, Tool):
            functions.append(_encode_function(tool, dropped))
        elif tool.wire == _WIRE:
            tools.append(tool.payload)
        else:
            dropped.append(f"tools.{tool.name}")
    if functions:
        tools.insert(0, {"functionDeclarations": functions})
    found: Json = {"tools": tools} if tools else {}
    if choice and (functions or is_own):
        config = _encode_tool_choice(choice, lists_allowed=is_listed)
        found["toolConfig"] = {"functionCallingConfig": config}
    return found


def _encode_function(tool: Tool, dropped: list[str]) -> Json:
    dropped.extend(foreign_keys(tool.extra, _WIRE))
    if tool.strict:
        dropped.append("strict")
    if tool.cache:
        dropped.append("cache_control")
    encoded: Json = {"name": tool.name}
    if tool.description:
        encoded["description"] = tool.description
    if tool.schema:
        encoded["parametersJsonSchema"] = tool.schema
    return encoded | own_keys(tool.extra, _WIRE)


def _encode_tool_choice(choice: ToolChoice, *, lists_allowed: bool) -> Json:
    if choice.mode is ToolMode.NAMED:
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    config: Json = {"mode": _MODES[choice.mode]}
    if choice.allowed and lists_allowed:
        config["allowedFunctionNames"] = list(choice.allowed)
    return config
