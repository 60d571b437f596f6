"""The conversation of a request in Anthropic's words.

From another wire, four things change: instructions anywhere move to ``system``, results of tools come first in their
turn, consecutive turns of one role become one, and blocks that Anthropic refuses (empty text, unsigned thinking) go.
"""

import re
from collections.abc import Iterable
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.content import (
    CacheTtl,
    Document,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    foreign_keys,
    own_keys,
    readable,
)
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.request import ChatRequest, Message, Role

_WIRE = Wire.ANTHROPIC_MESSAGES
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def encode_conversation(request: ChatRequest, dropped: list[str]) -> tuple[list[Json], list[Json]]:
    """The ``system`` blocks and the ``messages``."""
    system = _encode_parts(request.system, dropped)
    if request.origin is _WIRE:
        return system, [_encode_turn(turn, dropped) for turn in request.messages]
    messages: list[Json] = []
    for turn in request.messages:
        if turn.role is Role.SYSTEM:
            dropped.extend(foreign_keys(turn.extra, _WIRE))
            system.extend(_encode_parts(turn.parts, dropped))
            continue
        _append_merged(messages, _encode_turn(turn, dropped))
    for message in messages:
        # "tool_result blocks must come first in the content array", or the request is refused:
        # https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use
        message["content"].sort(key=lambda block: block["type"] != "tool_result")
    if messages or not system:
        return system, messages
    return [], [{"role": "user", "content": system}]  # at least one message is mandatory


def encode_cache(ttl: CacheTtl | None) -> Json:
    match ttl:
        case None:
            return {}
        case CacheTtl.FIVE_MINUTES:
            return {"cache_control": {"type": "ephemeral"}}
        case CacheTtl.ONE_HOUR:
            return {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
        case _ as never:
            assert_never(never)


def arguments_object(arguments: str) -> Json:
    """Arguments as the object that Anthropic wants; ``{}`` when the model wrote no JSON object."""
    try:
        found: Any = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _append_merged(messages: list[Json], message: Json) -> None:
    if not message["content"]:
        return
    if messages and messages[-1]["role"] == message["role"]:
        messages[-1]["content"].extend(message["content"])
        return
    messages.append(message)


def _encode_turn(turn: Message, dropped: list[str]) -> Json:
    dropped.extend(foreign_keys(turn.extra, _WIRE))
    own = own_keys(turn.extra, _WIRE)
    return {"role": turn.role.value, "content": _encode_parts(turn.parts, dropped), **own}


def _encode_parts(parts: Iterable[Part], dropped: list[str]) -> list[Json]:
    blocks: list[Json] = []
    for part in readable(parts, _WIRE, dropped):
        blocks.extend(_encode_part(part, dropped))
    return blocks


def _encode_part(part: Part, dropped: list[str]) -> list[Json]:
    match part:
        case Opaque():
            return [part.payload]
        case Reasoning():
            return _encode_reasoning(part, dropped)
        case Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Text() | Image() | Document() | ToolCall() | ToolResult():
            dropped.extend(foreign_keys(part.extra, _WIRE))
            block = _encode_block(part, dropped)
            if not block:
                return []
            return [block | own_keys(part.extra, _WIRE) | encode_cache(part.cache)]
        case _ as never:
            assert_never(never)


def _encode_block(
    part: Text | Image | Document | ToolCall | ToolResult, dropped: list[str]
) -> Json:
    """Empty when there is nothing to send: Anthropic refuses empty text."""
    match part:
        case Text():
            return {"type": "text", "text": part.text} if part.text else {}
        case Image():
            return {"type": "image", "source": _encode_image_source(part)}
        case Document():
            title = {"title": part.title} if part.title else {}
            return {"type": "document", "source": _encode_document_source(part), **title}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": _acceptable_id(part.id),
                "name": part.name,
                "input": arguments_object(part.arguments),
            }
        case ToolResult():
            return _encode_tool_result(part, dropped)
        case _ as never:
            assert_never(never)


def _encode_tool_result(result: ToolResult, dropped: list[str]) -> Json:
    block: Json = {"type": "tool_result", "tool_use_id": _acceptable_id(result.tool_call_id)}
    if content := _encode_parts(result.content, dropped):
        block["content"] = content
    if result.is_error:
        block["is_error"] = True
    return block


def _acceptable_id(call_id: str) -> str:
    """Anthropic takes only ``[a-zA-Z0-9_-]+``; other models' ids, as ``functions.search:0``, hold more.

    Call and result change alike, so they still find each other.
    """
    return _NOT_IN_IDS.sub("_", call_id)


def _encode_image_source(part: Image) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _encode_document_source(part: Document) -> Json:
    if part.url:
        return {"type": "url", "url": part.url}
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    return {"type": "base64", "media_type": part.media_type, "data": part.data}


def _encode_reasoning(part: Reasoning, dropped: list[str]) -> list[Json]:
    """Only what Anthropic itself signed: unsigned thinking is refused.

    https://docs.claude.com/en/docs/build-with-claude/extended-thinking#preserving-thinking-blocks
    """
    if part.origin is not _WIRE:
        dropped.extend(foreign_keys(part.extra, _WIRE))
        return []
    if part.data:
        return [{"type": "redacted_thinking", "data": part.data}]
    return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
