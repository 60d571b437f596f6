"""The messages of an Anthropic request, from Anthropic's words to ours.

https://docs.claude.com/en/api/messages#body-messages
"""

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import (
    CacheTtl,
    Document,
    Extra,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import Message, Role
from apps.inference.canonical.signatures import settle
from apps.inference.protocols.anthropic_messages.decode_sources import (
    decode_nested_document,
    decode_search_result,
)

_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM)}
_TTLS = {ttl.value: ttl for ttl in CacheTtl}


def decode_system(fields: Fields) -> tuple[Text, ...]:
    """``system`` is a string or a list of text blocks."""
    system = fields.body.get("system")
    if system is None:
        return ()
    if isinstance(system, str):
        return (Text(system),)
    if not isinstance(system, list):
        fields.refuse("system", "must be a string or an array of text blocks", code="invalid_type")
    blocks = fields.objects("system")
    for block in blocks:
        block.require("type")
        block.choice("type", ("text",))
    return tuple(_decode_text(block) for block in blocks)


def decode_messages(fields: Fields) -> tuple[Message, ...]:
    fields.require("messages")
    messages = tuple(_decode_message(message) for message in fields.objects("messages"))
    if not messages:
        fields.refuse("messages", "must hold at least one message")
    return messages


def decode_cache(fields: Fields) -> CacheTtl | None:
    """https://docs.claude.com/en/docs/build-with-claude/prompt-caching"""
    control = fields.object("cache_control")
    if control is None:
        return None
    return _TTLS[control.choice("ttl", _TTLS) or "5m"]


def unknown(fields: Fields, *known: str) -> Extra:
    """The keys that are not modelled; Anthropic's own SDK writes ``null`` for those that it did not get."""
    given = fields.rest({"type", "cache_control", *known})
    rest = {key: value for key, value in given.items() if value is not None}
    return {Wire.ANTHROPIC_MESSAGES: rest} if rest else {}


def _decode_message(message: Fields) -> Message:
    message.require("role")
    message.require("content")
    role = _ROLES[message.choice("role", _ROLES) or "user"]
    rest = message.rest({"role", "content"})
    extra: Extra = {Wire.ANTHROPIC_MESSAGES: rest} if rest else {}
    return Message(role, _decode_content(message), extra)


def _decode_content(fields: Fields) -> tuple[Part, ...]:
    content = fields.body.get("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        fields.refuse("content", "must be a string or an array of blocks", code="invalid_type")
    return settle(_decode_block(block) for block in fields.objects("content"))


def _decode_block(block: Fields) -> Part:
    match block.required_text("type"):
        case "text":
            return _decode_text(block)
        case "image":
            return _decode_image(block)
        case "document":
            return _decode_document(block)
        case "tool_use":
            return _decode_tool_use(block)
        case "tool_result":
            return _decode_tool_result(block)
        case "thinking":
            return _decode_thinking(block)
        case "redacted_thinking":
            data = block.required_text("data")
            return Reasoning(data=data, origin=Wire.ANTHROPIC_MESSAGES)
        case "search_result":
            return decode_search_result(block)
        case _:
            return Opaque(Wire.ANTHROPIC_MESSAGES, block.body)


def _decode_text(block: Fields) -> Text:
    return Text(block.required_text("text"), decode_cache(block), unknown(block, "text"))


def _decode_image(block: Fields) -> Image | Opaque:
    source = block.required_object("source")
    extra = unknown(block, "source")
    match source.required_text("type"):
        case "base64":
            return Image(
                data=source.required_name("data"),
                media_type=source.required_name("media_type"),
                cache=decode_cache(block),
                extra=extra,
            )
        case "url":
            url = source.required_name("url")
            return Image(url=url, cache=decode_cache(block), extra=extra)
        case _:
            return Opaque(Wire.ANTHROPIC_MESSAGES, block.body)  # an uploaded file's id


def _decode_document(block: Fields) -> Document | Opaque:
    source = block.required_object("source")
    kind = source.required_text("type")
    if kind == "content":
        return decode_nested_document(block)
    if kind not in ("base64", "text", "url"):
        return Opaque(Wire.ANTHROPIC_MESSAGES, block.body)  # an uploaded file's id
    is_text, is_url = kind == "text", kind == "url"
    content = source.required_name("url" if is_url else "data")
    return Document(
        url=content if is_url else "",
        text=content if is_text else "",
        data="" if is_text or is_url else content,
        media_type="" if is_url else source.required_name("media_type"),
        title=block.text("title") or "",
        cache=decode_cache(block),
        extra=unknown(block, "source", "title"),
    )


def _decode_tool_use(block: Fields) -> ToolCall:
    return ToolCall(
        id=block.required_name("id"),
        name=block.required_name("name"),
        arguments=orjson.dumps(block.required_object("input").body).decode(),
        cache=decode_cache(block),
        extra=unknown(block, "id", "name", "input"),
    )


def _decode_tool_result(block: Fields) -> ToolResult:
    return ToolResult(
        tool_call_id=block.required_name("tool_use_id"),
        content=tuple(
            part
            for part in _decode_content(block)
            if isinstance(part, Text | Image | Document | Opaque)
        ),
        is_error=block.flag("is_error") or False,
        cache=decode_cache(block),
        extra=unknown(block, "tool_use_id", "content", "is_error"),
    )


def _decode_thinking(block: Fields) -> Reasoning:
    """The signature may be empty: then the reasoning came from another wire, through us."""
    signature = block.text("signature") or ""
    return Reasoning(
        text=block.required_text("thinking"),
        signature=signature,
        origin=Wire.ANTHROPIC_MESSAGES if signature else None,
    )
