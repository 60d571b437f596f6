"""The body of ``POST /v1/messages``, as in Anthropic's API reference (https://docs.anthropic.com/en/api/messages)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from apps.inference.requests.common import RequestFacts, check, encoded_bytes, text_size, tool_bytes


class Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    content: "str | list[Block] | dict[str, msgspec.Raw] | None" = None
    """An object in results of Anthropic's own tools."""
    input: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    source: dict[str, msgspec.Raw] | None = None


class Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class MessagesBody(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1)]
    system: str | list[Block] | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: dict[str, msgspec.Raw] | None = None
    thinking: dict[str, msgspec.Raw] | None = None


def read_messages(raw: bytes) -> RequestFacts:
    """Check a messages request. Raises InvalidRequest naming the field."""
    body = check(raw, MessagesBody)
    size, images = _content_size(body.system)
    for message in body.messages:
        more, pictures = _content_size(message.content)
        size, images = size + more, images + pictures
    for tool in body.tools or ():
        size += tool_bytes(tool.values())
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=True,
        text_bytes=size,
        images=images,
        max_output_tokens=body.max_tokens,
        choices=1,
        reasoning=body.thinking is not None
        and bytes(body.thinking.get("type", b"")) != b'"disabled"',
    )


def _content_size(content: str | list[Block] | dict[str, msgspec.Raw] | None) -> tuple[int, int]:
    """(UTF-8 bytes of text, images)."""
    if content is None:
        return 0, 0
    if isinstance(content, str):
        return text_size(content), 0
    if isinstance(content, dict):
        return tool_bytes(content.values()), 0
    size = images = 0
    for block in content:
        size += text_size(block.text or "") + text_size(block.thinking or "")
        size += len(bytes(block.input))
        if block.type == "image":
            images += 1
        elif block.source is not None:
            is_text = bytes(block.source.get("type", b"")) == b'"text"'
            size += tool_bytes(block.source.values()) if is_text else encoded_bytes(block.source)
        more, pictures = _content_size(block.content)
        size, images = size + more, images + pictures
    return size, images
