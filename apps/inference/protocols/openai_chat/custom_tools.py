"""Custom tools of Chat Completions: those that take plain text, and the calls of them.

    {"type": "custom", "custom": {"name": "patch", "description": …, "format": {"type": "grammar", "grammar": {…}}}}
    {"type": "custom", "id": "call_1", "custom": {"name": "patch", "input": "…"}}

https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools, and the types of openai 3.54.0 (2026-11-21)
A call that a host of another wire makes is one of a function; it gets this form again for the client who sent such a tool.
"""

from collections.abc import Mapping
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.content import Extra, ToolCall, own_keys
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import TextInput, Tool
from apps.inference.canonical.text_tools import text_tool, to_arguments, to_input

_WIRE = Wire.OPENAI_CHAT
_ECHO = "custom_tools"


def decode_custom_tool(tool: Fields) -> Tool:
    custom = tool.required_object("custom")
    wanted = custom.object("format")
    grammar = wanted.object("grammar") if wanted else None
    text_input = TextInput(
        description=custom.text("description") or "",
        syntax=(grammar.text("syntax") or "") if grammar else "",
        definition=(grammar.text("definition") or "") if grammar else "",
    )
    lost = custom.rest({"name", "description", "format"}) | tool.rest({"type", "custom"})
    extra: Extra = {_WIRE: lost} if lost else {}
    return text_tool(custom.required_name("name"), text_input, extra=extra, source=tool.body)


def decode_custom_call(call: Fields) -> ToolCall:
    custom = call.required_object("custom")
    extra = call.rest({"id", "type", "custom", "index"})
    return ToolCall(
        id=call.required_name("id"),
        name=custom.required_name("name"),
        arguments=to_arguments(custom.required_text("input")),
        takes_text=True,
        extra={_WIRE: extra} if extra else {},
    )


def encode_custom_call(call: ToolCall) -> Json:
    said = custom_call(call.name, to_input(call.arguments))
    return {"id": call.id, **said, **own_keys(call.extra, _WIRE)}


def custom_call(name: str, text: str) -> Json:
    return {"type": "custom", "custom": {"name": name, "input": text}}


def echo_of_custom_tools(tools: tuple[Any, ...]) -> dict[str, Any]:
    """What the answer must know of such a request."""
    names = frozenset(
        tool.name for tool in tools if isinstance(tool, Tool) and tool.text_input is not None
    )
    return {_ECHO: names} if names else {}


def echoed_custom_names(echo: Mapping[str, Any]) -> frozenset[str]:
    return echo.get(_ECHO) or frozenset()
