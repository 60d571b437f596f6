"""The body of ``POST /v1/messages``, as in Anthropic's API reference (https://docs.anthropic.com/en/api/messages).

Unknown fields are not looked at here and travel on, and so do blocks, sources and tools of an unknown type: what a type
needs is in the tables.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from apps.common.errors import InvalidRequest
from apps.inference.requests.common import (
    FORMAT_ABILITIES,
    Count,
    Integer,
    Name,
    RequestFacts,
    Size,
    Tokens,
    check,
    encoded_bytes,
    is_null,
    is_text,
    lacks,
    missing,
    text_size,
    tool_bytes,
    wrong_type,
)

BLOCK_NEEDS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "search_result": ("source", "title", "content"),
    "tool_use": ("id", "name", "input"),
    "server_tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "thinking": ("thinking",),
    "redacted_thinking": ("data",),
}
SOURCE_NEEDS: dict[bytes, tuple[str, ...]] = {
    b'"base64"': ("media_type", "data"),
    b'"text"': ("media_type", "data"),
    b'"url"': ("url",),
    b'"file"': ("file_id",),
    b'"content"': ("content",),
}
"""By the type as it stands in the body: a source may be long and stays undecoded. All are texts but ``content``."""
OBJECT_SOURCES = frozenset({"image", "document"})
TEXT_SOURCES = frozenset({"search_result"})
NO_OBJECT_CONTENT = frozenset({"tool_result", "mcp_tool_result", "search_result"})
"""Results of Anthropic's own tools, in blocks of other types, hold objects."""
CUSTOM_TOOL_NEEDS = ("name", "input_schema")
"""Tools of another type run at Anthropic, which knows what they need."""
CHOICE_NEEDS: dict[str, tuple[str, ...]] = {"tool": ("name",)}
THINKING_NEEDS: dict[str, tuple[str, ...]] = {"enabled": ("budget_tokens",)}
LEAST_THINKING = 1024
NULL = msgspec.Raw(b"null")

Source = dict[str, msgspec.Raw]


class CacheControl(msgspec.Struct):
    type: str
    ttl: str | None = None


class Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    data: Any = None
    id: str | None = None
    name: str | None = None
    input: dict[str, msgspec.Raw] | None = None
    tool_use_id: str | None = None
    content: "str | list[Block] | dict[str, msgspec.Raw] | None" = None
    """An object in results of Anthropic's own tools."""
    source: str | Source | None = None
    """A text in search results."""
    title: str | None = None
    cache_control: CacheControl | None = None


class Message(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Tool(msgspec.Struct):
    type: str | None = None
    name: Name | None = None
    description: str | None = None
    input_schema: dict[str, msgspec.Raw] | None = None
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Integer | None = None


class Metadata(msgspec.Struct):
    user_id: str | None = None


class CountTokensBody(msgspec.Struct, kw_only=True):
    model: Name
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Block] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    cache_control: CacheControl | None = None
    mcp_servers: list[dict[str, msgspec.Raw]] | None = None
    output_config: dict[str, msgspec.Raw] | None = None
    context_management: dict[str, msgspec.Raw] | None = None
    """What Anthropic takes out of a long conversation: https://platform.claude.com/docs/en/build-with-claude/context-editing."""


class MessagesBody(CountTokensBody, kw_only=True):
    max_tokens: Tokens
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Count | None = None
    stop_sequences: list[str] | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    container: str | dict[str, msgspec.Raw] | None = None


def read_messages(raw: bytes) -> RequestFacts:
    """Check a messages request. Raises InvalidRequest naming the field."""
    body = check(raw, MessagesBody)
    size = _input_size(body)
    thinking = body.thinking
    if thinking and not body.tools and (thinking.budget_tokens or 0) >= body.max_tokens:
        # With tools, a model that thinks between their calls may think for longer than one answer.
        raise _wrong_budget("must be less than 'max_tokens'")
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=True,
        text_bytes=size.whole,
        guessed_bytes=size.guessed if body.context_management is None else size.whole,
        images=size.images,
        max_output_tokens=body.max_tokens,
        choices=1,
        reasoning=thinking is not None and thinking.type != "disabled",
        is_thoughtless=thinking is not None and thinking.type == "disabled",
        needs=frozenset(size.needs),
    )


def read_count_tokens(raw: bytes) -> RequestFacts:
    """The same without what only an answer needs."""
    body = check(raw, CountTokensBody)
    size = _input_size(body)
    return RequestFacts(
        model=body.model,
        stream=False,
        include_usage=False,
        text_bytes=size.whole,
        guessed_bytes=size.guessed if body.context_management is None else size.whole,
        images=size.images,
        max_output_tokens=None,
        choices=1,
        expected_output=0,
        needs=frozenset(size.needs),
    )


def _input_size(body: CountTokensBody) -> Size:
    size = Size()
    if body.system:
        _measure(body.system, "system", size)
    for index, message in enumerate(body.messages):
        if isinstance(message.content, str):
            size.text += text_size(message.content)
        else:
            _measure(message.content, f"messages[{index}].content", size)
    if body.tools:
        size.text += _tools_size(body.tools)
        size.needs.add("tools")
    if body.output_config and not is_null(body.output_config.get("format", NULL)):
        size.needs.add(FORMAT_ABILITIES["json_schema"])
    if (choice := body.tool_choice) and (name := lacks(choice, CHOICE_NEEDS.get(choice.type, ()))):
        raise missing(f"tool_choice.{name}")
    thinking = body.thinking
    if thinking and (name := lacks(thinking, THINKING_NEEDS.get(thinking.type, ()))):
        raise missing(f"thinking.{name}")
    if thinking and thinking.type == "enabled" and (thinking.budget_tokens or 0) < LEAST_THINKING:
        raise _wrong_budget(f"must be {LEAST_THINKING} or more")
    return size


def _wrong_budget(rule: str) -> InvalidRequest:
    param = "thinking.budget_tokens"
    return InvalidRequest(f"'{param}' {rule}.", param=param, code="invalid_value")


def _measure(
    content: str | list[Block] | dict[str, msgspec.Raw] | None, at: str, size: Size
) -> None:
    if isinstance(content, str):
        size.text += text_size(content)
        return
    if isinstance(content, dict):
        size.guessed += tool_bytes(content)  # of Anthropic's own tools: much of it is encrypted
        return
    for index, block in enumerate(content or ()):
        if block.type == "text" and block.text is not None:  # nearly every block
            size.text += text_size(block.text)
            continue
        if name := lacks(block, BLOCK_NEEDS.get(block.type, ())):
            raise missing(f"{at}[{index}].{name}")
        size.text += text_size(block.text or "")
        # Of earlier turns it is not read again: https://platform.claude.com/docs/en/build-with-claude/extended-thinking
        size.guessed += text_size(block.thinking or "")
        if block.input:
            size.text += tool_bytes(block.input)
        if block.source is not None:
            _measure_source(block, f"{at}[{index}].source", size)
        if block.content is not None:
            if isinstance(block.content, dict) and block.type in NO_OBJECT_CONTENT:
                raise wrong_type(f"{at}[{index}].content", "str | array")
            _measure(block.content, f"{at}[{index}].content", size)


def _measure_source(block: Block, at: str, size: Size) -> None:
    """Images are counted by number and not by size."""
    source = block.source
    if isinstance(source, str) or source is None:
        if block.type in OBJECT_SOURCES:
            raise wrong_type(at, "object")
        size.text += text_size(source or "")
        return
    if block.type in TEXT_SOURCES:
        raise wrong_type(at, "str")
    if "type" not in source:
        raise missing(f"{at}.type")
    if not is_text(source["type"]):
        raise wrong_type(f"{at}.type", "str")
    kind = bytes(source["type"])
    for name in SOURCE_NEEDS.get(kind, ()):
        if name not in source or is_null(source[name]):
            raise missing(f"{at}.{name}")
        if name != "content" and not is_text(source[name]):
            raise wrong_type(f"{at}.{name}", "str")
    if block.type == "image":
        size.images += 1
        size.needs.add("image")
    elif kind == b'"text"':
        size.text += tool_bytes(source)
    else:
        size.guessed += encoded_bytes(source.values())
        size.needs.add("file")


def _tools_size(tools: list[Tool]) -> int:
    size = 0
    for index, tool in enumerate(tools):
        if tool.type in {None, "custom"} and (name := lacks(tool, CUSTOM_TOOL_NEEDS)):
            raise missing(f"tools[{index}].{name}")
        size += text_size(tool.name or "") + text_size(tool.description or "")
        size += tool_bytes(tool.input_schema)
    return size
