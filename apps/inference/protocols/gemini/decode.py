"""A generateContent request, from Google's words to ours.

https://ai.google.dev/api/generate-content#request-body, and the types of google-genai 3.4.0 (2026-11-21)
The body must hold ``model`` and may hold ``stream``, which the surface takes from the URL. What the format documents is
checked and modelled; every other key is kept for this wire in ``extra``, by its path.
"""

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningConfig,
    ReasoningMode,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.protocols.gemini.decode_contents import decode_contents, decode_system
from apps.inference.protocols.gemini.paths import rest_at
from apps.inference.protocols.gemini.schemas import to_json_schema
from apps.inference.protocols.gemini.spelling import in_camel_case

_KNOWN = frozenset(
    {"model", "stream", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig"}
)
_KNOWN_CONFIG = frozenset(
    {
        "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed",
        "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "thinkingConfig",
        "responseMimeType", "responseSchema", "responseJsonSchema",
    }
)  # fmt: skip
_KNOWN_THINKING = frozenset({"thinkingBudget", "thinkingLevel", "includeThoughts"})
_NAMES = {
    "max_tokens": "maxOutputTokens",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "stop": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "reasoning": "thinkingConfig",
    "effort": "thinkingConfig.thinkingLevel",
    "show_thoughts": "thinkingConfig.includeThoughts",
    "title": "displayName",
    "response_format": "responseMimeType",
    "tool_choice": "functionCallingConfig",
}
_MODES = {
    "AUTO": ToolMode.AUTO,
    "MODE_UNSPECIFIED": ToolMode.AUTO,
    "VALIDATED": ToolMode.AUTO,
    "ANY": ToolMode.REQUIRED,
    "NONE": ToolMode.NONE,
}
_MOST_CANDIDATES = 128
"""As many as OpenAI's format may ask for; Google says 8 today. The hold covers each of them."""
_DYNAMIC = -1
"""The budget that leaves it to the model: https://ai.google.dev/gemini-api/docs/thinking#set-budget"""


def decode_request(body: Json) -> ChatRequest:
    """Raises InvalidRequest naming the field when the body is not of this wire."""
    fields = Fields(in_camel_case(body))
    extra = fields.rest(_KNOWN)
    config = fields.object("generationConfig") or Fields({}, "generationConfig")
    extra |= rest_at(config, _KNOWN_CONFIG, at="generationConfig")
    top_k = config.number("topK", least=0, most=2**31)
    return ChatRequest(
        origin=Wire.GEMINI,
        model=fields.required_name("model"),
        system=decode_system(fields),
        messages=decode_contents(fields),
        tools=_decode_tools(fields),
        tool_choice=_decode_tool_choice(fields, extra),
        max_tokens=config.whole_number("maxOutputTokens", least=1),
        temperature=config.number("temperature", least=0, most=2),
        top_p=config.number("topP", least=0, most=1),
        top_k=None if top_k is None else int(top_k),  # a float in Google's definition
        stop=config.texts("stopSequences"),
        seed=config.whole_number("seed"),
        frequency_penalty=config.number("frequencyPenalty", least=-2, most=2),
        presence_penalty=config.number("presencePenalty", least=-2, most=2),
        logprobs=config.flag("responseLogprobs"),
        top_logprobs=config.whole_number("logprobs", least=0),
        n=config.whole_number("candidateCount", least=1, most=_MOST_CANDIDATES),
        response_format=_decode_response_format(config, extra),
        reasoning=_decode_reasoning(config, extra),
        stream=fields.flag("stream") or False,
        include_usage=True,
        names=_NAMES,
        extra={Wire.GEMINI: extra} if extra else {},
    )


def _decode_tools(fields: Fields) -> tuple[Tool | Opaque, ...]:
    """A tool object holds functions of the client's, and beside them tools that run at Google."""
    tools: list[Tool | Opaque] = []
    for tool in fields.objects("tools"):
        tools.extend(
            _decode_function(function) for function in tool.objects("functionDeclarations")
        )
        if own := tool.rest({"functionDeclarations"}):
            tools.append(Opaque(Wire.GEMINI, own))
    return tuple(tools)


def _decode_function(function: Fields) -> Tool:
    schema = function.plain_object("parametersJsonSchema")
    described = function.plain_object("parameters")
    if schema is None and described is not None:
        schema = to_json_schema(described)
    rest = function.rest({"name", "description", "parameters", "parametersJsonSchema"})
    return Tool(
        name=function.required_name("name"),
        description=function.text("description") or "",
        schema=schema,
        extra={Wire.GEMINI: rest} if rest else {},
    )


def _decode_tool_choice(fields: Fields, extra: Json) -> ToolChoice | None:
    config = fields.object("toolConfig")
    extra |= rest_at(config, {"functionCallingConfig"}, at="toolConfig")
    choice = config.object("functionCallingConfig") if config else None
    if choice is None:
        return None
    at = "toolConfig.functionCallingConfig"
    extra |= rest_at(choice, {"mode", "allowedFunctionNames"}, at=at)
    mode = choice.choice("mode", _MODES) or "AUTO"
    allowed = choice.texts("allowedFunctionNames")
    if mode == "ANY" and len(allowed) == 1:
        return ToolChoice(ToolMode.NAMED, allowed[0])
    if mode == "VALIDATED":
        extra[f"{at}.mode"] = mode
    return ToolChoice(_MODES[mode], allowed=allowed)


def _decode_response_format(config: Fields, extra: Json) -> ResponseFormat | None:
    media_type = config.text("responseMimeType")
    schema = config.plain_object("responseJsonSchema")
    described = config.plain_object("responseSchema")
    if media_type not in (None, "text/plain", "application/json"):
        # An enumeration as plain text: no other wire has a word for it.
        extra["generationConfig.responseMimeType"] = media_type
        extra |= {"generationConfig.responseSchema": described} if described else {}
        return None
    if schema is None and described is not None:
        schema = to_json_schema(described)
    if schema is not None:
        return JsonSchema(schema=schema)
    return JsonObject() if media_type == "application/json" else None


def _decode_reasoning(config: Fields, extra: Json) -> ReasoningConfig | None:
    """https://ai.google.dev/gemini-api/docs/thinking: a budget for Gemini 2.5, a level for Gemini 3."""
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return None
    extra |= rest_at(thinking, _KNOWN_THINKING, at="generationConfig.thinkingConfig")
    shown = thinking.flag("includeThoughts")
    level = thinking.text("thinkingLevel")
    effort = None if level is None else level.lower()
    budget = thinking.whole_number("thinkingBudget", least=_DYNAMIC)
    if budget is None:
        return ReasoningConfig(effort=effort, show_thoughts=shown)
    if budget == _DYNAMIC:
        return ReasoningConfig(mode=ReasoningMode.ADAPTIVE, effort=effort, show_thoughts=shown)
    if budget == 0:
        return ReasoningConfig(mode=ReasoningMode.OFF, effort=effort, show_thoughts=shown)
    return ReasoningConfig(
        mode=ReasoningMode.BUDGET, budget_tokens=budget, effort=effort, show_thoughts=shown
    )
