"""Custom tools: those whose input is plain text, often bound to a grammar, as Codex's ``apply_patch``.

https://platform.openai.com/docs/guides/function-calling#custom-tools (2026-07)
No other wire has them. There a custom tool is a function with one parameter, ``input``; the grammar joins its description,
and a call of it turns back into text on the way to the client.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import ChatRequest, Tool

_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool."}},
    "required": ["input"],
    "additionalProperties": False,
}


def decode_custom_tool(tool: Fields) -> Tool:
    return Tool(
        name=tool.required_name("name"),
        description=_description(tool),
        schema=_SCHEMA,
        extra={Wire.OPENAI_RESPONSES: {"custom": tool.body}},
    )


def custom_names(request: ChatRequest) -> frozenset[str]:
    """The custom tools of a client of this wire."""
    return frozenset(
        tool.name
        for tool in request.tools
        if isinstance(tool, Tool) and "custom" in tool.extra.get(Wire.OPENAI_RESPONSES, {})
    )


def echoed_custom_names(echo: Mapping[str, Any]) -> frozenset[str]:
    """The same, as an answer knows them."""
    tools = echo.get("tools") or ()
    return frozenset(str(tool.get("name")) for tool in tools if tool.get("type") == "custom")


def to_arguments(text: str) -> str:
    return orjson.dumps({"input": text}).decode()


def to_input(arguments: str) -> str:
    """The text in a call's arguments; the arguments as they are when the model did not write ``{"input": …}``."""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if isinstance(found, dict) and isinstance(found.get("input"), str):
        return str(found["input"])
    return arguments


def _description(tool: Fields) -> str:
    described = tool.text("description") or ""
    wanted = tool.object("format")
    rules = wanted.body.get("definition") if wanted else None
    if wanted is None or not isinstance(rules, str):
        return described
    syntax = wanted.text("syntax") or ""
    grammar = f"The input must follow this {syntax} grammar:\n{rules}"
    return f"{described}\n\n{grammar}" if described else grammar
