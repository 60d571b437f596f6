"""A Messages request, from Anthropic's words to ours.

https://docs.claude.com/en/api/messages
What the format documents is checked and modelled; every other key is kept for this wire in ``extra``.
"""

from typing import Any

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
from apps.inference.protocols.anthropic_messages.decode_blocks import (
    decode_cache,
    decode_messages,
    decode_system,
    unknown,
)

_KNOWN = frozenset(
    {
        "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k",
        "stop_sequences", "stream", "metadata", "tools", "tool_choice", "thinking",
        "output_config", "service_tier",
    }
)  # fmt: skip
_NAMES = {
    "stop": "stop_sequences",
    "reasoning": "thinking",
    "effort": "output_config.effort",
    "response_format": "output_config.format",
    "user": "metadata.user_id",
}
_TOOL_MODES = {
    "auto": ToolMode.AUTO,
    "any": ToolMode.REQUIRED,
    "none": ToolMode.NONE,
    "tool": ToolMode.NAMED,
}


def decode_request(body: Json) -> ChatRequest:
    """Raises InvalidRequest naming the field when the body is not of this wire."""
    fields = Fields(body)
    extra = fields.rest(_KNOWN)
    fields.require("max_tokens")
    choice, parallel = _decode_tool_choice(fields)
    user, metadata = _decode_metadata(fields)
    return ChatRequest(
        origin=Wire.ANTHROPIC_MESSAGES,
        model=fields.required_name("model"),
        system=decode_system(fields),
        messages=decode_messages(fields),
        tools=tuple(_decode_tool(tool) for tool in fields.objects("tools")),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        max_tokens=fields.whole_number("max_tokens", least=0),  # 0 only fills the prompt cache
        temperature=fields.number("temperature", least=0, most=1),
        top_p=fields.number("top_p", least=0, most=1),
        top_k=fields.whole_number("top_k", least=0),
        stop=fields.texts("stop_sequences"),
        response_format=_decode_format(fields, extra),
        reasoning=_decode_reasoning(fields, extra),
        user=user,
        stream=fields.flag("stream") or False,
        include_usage=True,
        metadata=metadata,
        service_tier=fields.text("service_tier"),
        names=_NAMES,
        extra={Wire.ANTHROPIC_MESSAGES: extra} if extra else {},
    )


def _decode_metadata(fields: Fields) -> tuple[str | None, Json | None]:
    metadata = fields.object("metadata")
    if metadata is None:
        return None, None
    return metadata.text("user_id"), metadata.rest({"user_id"}) or None


def _decode_tool(tool: Fields) -> Tool | Opaque:
    """Tools with a type of their own run at Anthropic and have no meaning elsewhere."""
    if tool.text("type") not in (None, "custom"):
        return Opaque(Wire.ANTHROPIC_MESSAGES, tool.body)
    return Tool(
        name=tool.required_name("name"),
        description=tool.text("description") or "",
        schema=tool.required_object("input_schema").body,
        strict=tool.flag("strict"),
        cache=decode_cache(tool),
        extra=unknown(tool, "name", "description", "input_schema", "strict"),
    )


def _decode_tool_choice(fields: Fields) -> tuple[ToolChoice | None, bool | None]:
    """The choice, and whether calls may be parallel: Anthropic keeps the second inside the first."""
    choice = fields.object("tool_choice")
    if choice is None:
        return None, None
    choice.require("type")
    mode = _TOOL_MODES[choice.choice("type", _TOOL_MODES) or "auto"]
    name = choice.required_name("name") if mode is ToolMode.NAMED else ""
    disabled = choice.flag("disable_parallel_tool_use")
    return ToolChoice(mode, name), None if disabled is None else not disabled


def _decode_format(fields: Fields, extra: dict[str, Any]) -> JsonSchema | None:
    """https://docs.claude.com/en/docs/build-with-claude/structured-outputs"""
    config = fields.object("output_config")
    if config is None:
        return None
    wanted = config.object("format")
    has_own_format = wanted is not None and wanted.required_text("type") != "json_schema"
    if has_own_format or config.rest({"effort", "format"}):
        extra["output_config"] = config.body
    if wanted is None or has_own_format:
        return None
    return JsonSchema(schema=wanted.required_object("schema").body)


def _decode_reasoning(fields: Fields, extra: dict[str, Any]) -> ReasoningConfig | None:
    """https://docs.claude.com/en/docs/build-with-claude/extended-thinking and …/effort"""
    config = fields.object("output_config")
    effort = config.text("effort") if config else None
    thinking = fields.object("thinking")
    if thinking is None:
        return ReasoningConfig(effort=effort) if effort else None
    if thinking.rest({"type", "budget_tokens"}):
        extra["thinking"] = thinking.body
    match thinking.required_text("type"):
        case "enabled":
            thinking.require("budget_tokens")
            budget = thinking.whole_number("budget_tokens", least=1)
            return ReasoningConfig(mode=ReasoningMode.BUDGET, budget_tokens=budget, effort=effort)
        case "adaptive":
            return ReasoningConfig(mode=ReasoningMode.ADAPTIVE, effort=effort)
        case "disabled":
            return ReasoningConfig(mode=ReasoningMode.OFF, effort=effort)
        case _:
            extra["thinking"] = thinking.body
            return ReasoningConfig(effort=effort) if effort else None
