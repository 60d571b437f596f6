"""``functions`` and ``function_call``: the form that tools had until 2023, of which agents still send some.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-functions
They mean the same as tools, but for two things: an answer holds one call at most, and calls have no ids. A client that
sends functions gets its call as ``function_call``.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import Tool, ToolChoice, ToolMode

_ECHO = "functions"
_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE}


class FunctionCalls:
    """Ids for the calls of one conversation: results find theirs by name and order."""

    __slots__ = ("_count", "_waiting")

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[str, deque[str]] = defaultdict(deque)

    def begin(self, name: str) -> str:
        """The id of the next call of this function."""
        call_id = f"function_{self._count}"
        self._count += 1
        self._waiting[name].append(call_id)
        return call_id

    def end(self, name: str) -> str:
        """The id of the oldest call of this function that has no result yet; a new one when there is none."""
        if not self._waiting[name]:
            self.begin(name)
        return self._waiting[name].popleft()


def decode_functions(fields: Fields) -> tuple[Tool, ...]:
    """Raises InvalidRequest naming the field."""
    return tuple(
        Tool(
            name=function.required_name("name"),
            description=function.text("description") or "",
            schema=function.plain_object("parameters"),
            strict=function.flag("strict"),
        )
        for function in fields.objects("functions")
    )


def decode_function_choice(fields: Fields) -> ToolChoice | None:
    """Raises InvalidRequest naming the field."""
    choice = fields.body.get("function_call")
    if choice is None:
        return None
    if isinstance(choice, str):
        fields.choice("function_call", _MODES)
        return ToolChoice(_MODES[choice])
    return ToolChoice(ToolMode.NAMED, fields.required_object("function_call").required_name("name"))


def echo_of(fields: Fields) -> Mapping[str, Any]:
    """What the answer must know of such a request."""
    return {_ECHO: True} if uses_functions(fields) else {}


def uses_functions(fields: Fields) -> bool:
    """Whether the client can read nothing but ``function_call``."""
    return bool(fields.body.get("functions")) and not fields.body.get("tools")


def wants_functions(echo: Mapping[str, Any]) -> bool:
    return _ECHO in echo
