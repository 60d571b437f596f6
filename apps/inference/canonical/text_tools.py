"""Tools whose input is plain text, often bound to a grammar: OpenAI's custom tools, as Codex's ``apply_patch``.

https://platform.openai.com/docs/guides/function-calling#custom-tools (2026-07)
Only OpenAI's two formats have them, and only its own hosts. Elsewhere such a tool is a function with one parameter, ``input``;
the grammar joins its description, and a call of it turns back into text on the way to the client.
"""

from typing import Any

import orjson

from apps.inference.canonical.content import Extra
from apps.inference.canonical.request import ChatRequest, TextInput, Tool

_SCHEMA = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool."}},
    "required": ["input"],
    "additionalProperties": False,
}
_OPENING, _CLOSING = '{"input":"', '"}'


def text_tool(
    name: str, wanted: TextInput, *, extra: Extra, source: dict[str, Any] | None = None
) -> Tool:
    return Tool(
        name=name,
        description=_description(wanted),
        schema=_SCHEMA,
        text_input=wanted,
        source=source,
        extra=extra,
    )


def text_tool_names(request: ChatRequest) -> frozenset[str]:
    return frozenset(
        tool.name
        for tool in request.tools
        if isinstance(tool, Tool) and tool.text_input is not None
    )


def to_arguments(text: str) -> str:
    return _OPENING + escaped(text) + _CLOSING


def to_input(arguments: str) -> str:
    """The text in a call's arguments; the arguments as they are when the model did not write ``{"input": …}``."""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if isinstance(found, dict) and isinstance(found.get("input"), str):
        return str(found["input"])
    return arguments


def next_arguments(text: str, *, is_first: bool) -> str:
    """A piece of the text as a piece of the arguments."""
    return (_OPENING if is_first else "") + escaped(text)


def last_arguments(*, is_first: bool) -> str:
    """What ends the arguments; all of them when there was no text."""
    return (_OPENING if is_first else "") + _CLOSING


def escaped(text: str) -> str:
    """Inside of a JSON string."""
    return orjson.dumps(text)[1:-1].decode()


def _description(wanted: TextInput) -> str:
    if not wanted.definition:
        return wanted.description
    grammar = f"The input must follow this {wanted.syntax} grammar:\n{wanted.definition}"
    return f"{wanted.description}\n\n{grammar}" if wanted.description else grammar
