"""Namespaces: tools in groups. Codex sends the tools of each MCP server so since 0.144.

    {"type": "namespace", "name": "mcp__files", "description": "…", "tools": [{"type": "function", "name": "read", …}]}
    {"type": "function_call", "namespace": "mcp__files", "name": "read", …}

The types of openai 3.54.0 (2026-11-21), https://github.com/openai/codex/issues/36942
No other wire has them. There each tool is one of its own, ``mcp__files__read``, the name that Codex gave it before; a call gets
its namespace and its own name back on the way to the client. Names are looked up, never taken apart.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

LONGEST_NAME = 64
"""OpenAI's and Google's bound: https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools."""
_JOINT = "__"
_DIGITS = 8


class Namespaces:
    """The namespaces of one request, from its ``tools``: each tool's name on other wires, and the way back."""

    __slots__ = ("_flat", "_own")

    def __init__(self, tools: Any) -> None:
        given = _objects(tools)
        taken = {str(tool.get("name")) for tool in given if tool.get("type") != "namespace"}
        self._flat: dict[tuple[str, str], str] = {}
        self._own: dict[str, tuple[str, str]] = {}
        for group in given:
            if group.get("type") != "namespace":
                continue
            for tool in _objects(group.get("tools")):
                place = str(group.get("name")), str(tool.get("name"))
                if place in self._flat:
                    continue
                flat = _joined(*place)
                if flat in taken:
                    flat = _marked(flat, *place)
                taken.add(flat)
                self._flat[place], self._own[flat] = flat, place

    def flat(self, namespace: str, name: str) -> str:
        """What other wires call this tool, also one that the request no longer offers."""
        if not namespace:
            return name
        return self._flat.get((namespace, name)) or _joined(namespace, name)

    def own(self, flat: str) -> tuple[str, str]:
        """The namespace, empty for none, and the name in it."""
        return self._own.get(flat, ("", flat))


def _objects(value: Any) -> list[dict[str, Any]]:
    found: Iterable[Any] = value if isinstance(value, list) else ()
    return [item for item in found if isinstance(item, dict)]


def _joined(namespace: str, name: str) -> str:
    joint = "" if namespace.endswith(_JOINT) else _JOINT
    flat = f"{namespace}{joint}{name}"
    return flat if len(flat) <= LONGEST_NAME else _marked(flat, namespace, name)


def _marked(flat: str, namespace: str, name: str) -> str:
    """The name made short, or unlike another, by a digest of what it stands for."""
    digest = hashlib.sha256(f"{namespace}\0{name}".encode()).hexdigest()[:_DIGITS]
    return f"{flat[: LONGEST_NAME - _DIGITS - 1]}_{digest}"
