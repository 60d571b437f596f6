"""A Converse request, from Amazon's words to ours.

The body must hold ``model`` and may hold ``stream``, which the surface takes from the URL. What the format documents is
checked and modelled; every other key is kept for this wire in ``extra``. ``additionalModelRequestFields`` are the model's own
words: ``thinking`` and ``top_k``, as Claude's, are read, the others are kept.
"""

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import (
    ChatRequest,
    JsonSchema,
    ReasoningConfig,
    ReasoningMode,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.protocols.bedrock_converse.decode_blocks import (
    decode_messages,
    decode_system,
    with_cache_points,
)

_KNOWN = frozenset(
    {
        "model", "stream", "messages", "system", "inferenceConfig", "toolConfig", "outputConfig",
        "additionalModelRequestFields",
    }
)  # fmt: skip
_NAMES = {
    "max_tokens": "maxTokens",
    "top_p": "topP",
    "stop": "stopSequences",
    "reasoning": "thinking",
    "response_format": "outputConfig.textFormat",
    "tool_choice": "toolChoice",
}
_EMPTY: Json = {}


def decode_request(body: Json) -> ChatRequest:
    """Raises InvalidRequest naming the field when the body is not of this wire."""
    fields = Fields(body)
    extra = fields.rest(_KNOWN)
    config = fields.object("inferenceConfig") or Fields(_EMPTY, "inferenceConfig")
    model_fields = fields.object("additionalModelRequestFields") or Fields(_EMPTY)
    output = fields.object("outputConfig") or Fields(_EMPTY, "outputConfig")
    if rest := config.rest({"maxTokens", "temperature", "topP", "stopSequences"}):
        extra["inferenceConfig"] = rest
    if rest := model_fields.rest({"thinking", "top_k"}):
        extra["additionalModelRequestFields"] = rest
    tools, choice = _decode_tools(fields)
    return ChatRequest(
        origin=Wire.BEDROCK_CONVERSE,
        model=fields.required_name("model"),
        system=decode_system(fields),
        messages=decode_messages(fields),
        tools=tools,
        tool_choice=choice,
        max_tokens=config.whole_number("maxTokens", least=1),
        temperature=config.number("temperature", least=0, most=1),
        top_p=config.number("topP", least=0, most=1),
        top_k=model_fields.whole_number("top_k", least=0),
        stop=config.texts("stopSequences"),
        response_format=_decode_format(output),
        reasoning=_decode_reasoning(model_fields, output.text("effort")),
        stream=fields.flag("stream") or False,
        include_usage=True,
        names=_NAMES,
        extra={Wire.BEDROCK_CONVERSE: extra} if extra else {},
    )


def _decode_tools(fields: Fields) -> tuple[tuple[Tool | Opaque, ...], ToolChoice | None]:
    config = fields.object("toolConfig")
    if config is None:
        return (), None
    config.require("tools")
    tools = with_cache_points(config.objects("tools"), _decode_tool)
    return tuple(tools), _decode_tool_choice(config.object("toolChoice"))


def _decode_tool(tool: Fields) -> Tool | Opaque:
    """``systemTool`` runs at Amazon and has no meaning elsewhere."""
    spec = tool.object("toolSpec")
    if spec is None:
        return Opaque(Wire.BEDROCK_CONVERSE, tool.body)
    rest = spec.rest({"name", "description", "inputSchema", "strict"})
    return Tool(
        name=spec.required_name("name"),
        description=spec.text("description") or "",
        schema=spec.required_object("inputSchema").required_object("json").body,
        strict=spec.flag("strict"),
        extra={Wire.BEDROCK_CONVERSE: rest} if rest else {},
    )


def _decode_tool_choice(choice: Fields | None) -> ToolChoice | None:
    if choice is None:
        return None
    if named := choice.object("tool"):
        return ToolChoice(ToolMode.NAMED, named.required_name("name"))
    return ToolChoice(ToolMode.REQUIRED if "any" in choice.body else ToolMode.AUTO)


def _decode_format(output: Fields) -> JsonSchema | None:
    """The schema is JSON text."""
    wanted = output.object("textFormat")
    if wanted is None:
        return None
    described = wanted.required_object("structure").required_object("jsonSchema")
    try:
        schema = orjson.loads(described.required_text("schema"))
    except orjson.JSONDecodeError:
        described.refuse("schema", "must be JSON")
    if not isinstance(schema, dict):
        described.refuse("schema", "must be a JSON object")
    return JsonSchema(
        schema=schema,
        name=described.text("name") or "",
        description=described.text("description") or "",
    )


def _decode_reasoning(model_fields: Fields, effort: str | None) -> ReasoningConfig | None:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html"""
    thinking = model_fields.object("thinking")
    if thinking is None:
        return ReasoningConfig(effort=effort) if effort else None
    match thinking.required_text("type"):
        case "adaptive":
            return ReasoningConfig(mode=ReasoningMode.ADAPTIVE, effort=effort)
        case "disabled":
            return ReasoningConfig(mode=ReasoningMode.OFF, effort=effort)
        case _:
            thinking.require("budget_tokens")
            budget = thinking.whole_number("budget_tokens", least=1)
            return ReasoningConfig(mode=ReasoningMode.BUDGET, budget_tokens=budget, effort=effort)
