"""The messages of a Converse request, from Amazon's words to ours.

A block says what it is by its only key. A ``cachePoint`` is a block of its own and means all that stands before it, so it
becomes a property of the part that it follows.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import (
    CacheTtl,
    Document,
    Extra,
    Image,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import Message, Role, Tool
from apps.inference.canonical.signatures import settle
from apps.inference.protocols.bedrock_converse.media import DOCUMENT_TYPES, IMAGE_TYPES

_WIRE = Wire.BEDROCK_CONVERSE
_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM)}
_TTLS = {ttl.value: ttl for ttl in CacheTtl}

Item = TypeVar("Item", bound=Part | Tool)


def decode_system(fields: Fields) -> tuple[Text, ...]:
    return tuple(with_cache_points(fields.objects("system"), _decode_instruction))


def decode_messages(fields: Fields) -> tuple[Message, ...]:
    fields.require("messages")
    messages = tuple(_decode_message(message) for message in fields.objects("messages"))
    if not messages:
        fields.refuse("messages", "must hold at least one message")
    return messages


def with_cache_points(blocks: Iterable[Fields], decode: Callable[[Fields], Item]) -> list[Item]:
    """One before anything else caches nothing, and is left out."""
    items: list[Item] = []
    for block in blocks:
        point = block.object("cachePoint")
        if point is None:
            items.append(decode(block))
        elif items and not isinstance(items[-1], Opaque | Reasoning | Refusal):
            cache = _TTLS[point.choice("ttl", _TTLS) or "5m"]
            items[-1] = replace(items[-1], cache=cache)
    return items


def _decode_instruction(block: Fields) -> Text:
    """``guardContent`` is text that a guardrail is to look at."""
    guard = block.object("guardContent")
    if guard is None:
        return Text(block.required_text("text"))
    text = guard.required_object("text").required_text("text")
    return Text(text, extra={_WIRE: {"guardContent": guard.body}})


def _decode_message(message: Fields) -> Message:
    message.require("role")
    message.require("content")
    role = _ROLES[message.choice("role", _ROLES) or "user"]
    parts = settle(with_cache_points(message.objects("content"), _decode_block))
    return Message(role, parts, _kept(message, "role", "content"))


def _kept(fields: Fields, *known: str) -> Extra:
    rest = fields.rest(known)
    return {_WIRE: rest} if rest else {}


def _decode_block(block: Fields) -> Part:
    match next(iter(block.body), ""):
        case "text":
            return Text(block.required_text("text"))
        case "image":
            return _decode_image(block)
        case "document":
            return _decode_document(block)
        case "toolUse":
            return _decode_tool_use(block)
        case "toolResult":
            return _decode_tool_result(block.required_object("toolResult"))
        case "reasoningContent":
            return _decode_reasoning(block.required_object("reasoningContent"))
        case _:
            return Opaque(_WIRE, block.body)


def _decode_image(block: Fields) -> Image | Opaque:
    image = block.required_object("image")
    source = image.required_object("source")
    image.require("format")
    media_type = IMAGE_TYPES[image.choice("format", IMAGE_TYPES) or "png"]
    if "bytes" not in source.body:
        return Opaque(_WIRE, block.body)  # an object in S3
    return Image(
        data=source.required_name("bytes"),
        media_type=media_type,
        extra=_kept(image, "format", "source"),
    )


def _decode_document(block: Fields) -> Document | Opaque:
    document = block.required_object("document")
    source = document.required_object("source")
    media_type = DOCUMENT_TYPES[document.choice("format", DOCUMENT_TYPES) or "txt"]
    if not source.body.keys() & {"bytes", "text"}:
        return Opaque(_WIRE, block.body)  # an object in S3, or nested blocks
    return Document(
        data=source.text("bytes") or "",
        text=source.text("text") or "",
        media_type=media_type,
        title=document.required_name("name"),
        extra=_kept(document, "format", "name", "source"),
    )


def _decode_tool_use(block: Fields) -> ToolCall | Opaque:
    use = block.required_object("toolUse")
    if use.text("type"):
        return Opaque(_WIRE, block.body)  # it ran at Amazon
    return ToolCall(
        id=use.required_name("toolUseId"),
        name=use.required_name("name"),
        arguments=orjson.dumps(use.required_object("input").body).decode(),
        extra=_kept(use, "toolUseId", "name", "input"),
    )


def _decode_tool_result(result: Fields) -> ToolResult:
    result.require("content")
    content = [_decode_result_block(block) for block in result.objects("content")]
    return ToolResult(
        tool_call_id=result.required_name("toolUseId"),
        content=tuple(
            part for part in content if isinstance(part, Text | Image | Document | Opaque)
        ),
        is_error=result.choice("status", ("success", "error")) == "error",
        extra=_kept(result, "toolUseId", "content", "status"),
    )


def _decode_result_block(block: Fields) -> Part:
    if "json" in block.body:
        return Text(orjson.dumps(block.body["json"]).decode())
    return _decode_block(block)


def _decode_reasoning(content: Fields) -> Reasoning:
    if data := content.text("redactedContent"):
        return Reasoning(data=data, origin=_WIRE)
    said = content.required_object("reasoningText")
    signature = said.text("signature") or ""
    return Reasoning(
        text=said.required_text("text"),
        signature=signature,
        origin=_WIRE if signature else None,
    )
