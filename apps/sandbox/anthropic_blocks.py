"""Anthropic's content blocks as they come in: which are valid, what text they hold, what they show.

A thinking block is valid only with the signature that the sandbox gave it, and redacted thinking only as the sandbox
redacted it, as with the original. Blocks of tools that Anthropic runs are passed on.
Format: ``ContentBlockParam`` of anthropic 2.12.0
"""

import base64
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.seals import is_seal
from apps.sandbox.tokens import stand_in
from apps.sandbox.wire import Refused

SOURCE_TYPES: Mapping[str, tuple[str, ...]] = {
    "document": ("base64", "content", "file", "text", "url"),
    "image": ("base64", "file", "url"),
}
MEDIA_TYPES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("document", "base64"): ("application/pdf",),
    ("document", "text"): ("text/plain",),
    ("image", "base64"): ("image/jpeg", "image/png", "image/gif", "image/webp"),
}
PROVIDED_RESULTS = frozenset(
    {
        "bash_code_execution_tool_result", "code_execution_tool_result",
        "text_editor_code_execution_tool_result", "tool_search_tool_result", "web_fetch_tool_result",
        "web_search_tool_result",
    }
)  # fmt: skip


def sign(thinking: str) -> str:
    """The signature of a thinking text; a block that comes back must still match it."""
    digest = blake2b(thinking.encode(), key=b"sandbox", digest_size=48).digest()
    return base64.b64encode(b"sbx" + digest).decode()


def read_blocks(content: Any, path: str) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    blocks = []
    for index, block in enumerate(checks.expect_list(content, path)):
        _check_block(checks.expect_object(block, f"{path}.{index}"), f"{path}.{index}")
        blocks.append(block)
    return blocks


def _check_block(block: dict[str, Any], path: str) -> None:
    if block.get("citations") is not None and block.get("type") != "text":
        checks.expect_object(block["citations"], f"{path}.citations")
    match checks.expect_text(block.get("type"), f"{path}.type"):
        case "text":
            if not checks.expect_text(block.get("text"), f"{path}.text"):
                raise Refused("messages: text content blocks must be non-empty")
        case "image" | "document" as kind:
            source = checks.expect_object(block.get("source"), f"{path}.source")
            _check_source(source, kind, f"{path}.{kind}.source")
            describe(block)
        case "search_result":
            for name in ("source", "title"):
                checks.expect_text(block.get(name), f"{path}.{name}")
            content = checks.expect_list(block.get("content"), f"{path}.content")
            if not read_blocks(content, f"{path}.content"):
                raise Refused(f"{path}.search_result.content: at least one block is required")
        case "container_upload":
            checks.expect_text(block.get("file_id"), f"{path}.file_id")
        case "tool_use":
            checks.expect_text(block.get("id"), f"{path}.id")
            checks.expect_text(block.get("name"), f"{path}.name")
            checks.expect_object(block.get("input"), f"{path}.input")
        case "tool_result":
            checks.expect_text(block.get("tool_use_id"), f"{path}.tool_use_id")
            read_blocks(block.get("content", []), f"{path}.content")
        case "thinking":
            thinking = checks.expect_text(block.get("thinking"), f"{path}.thinking")
            if block.get("signature") != sign(thinking):
                raise Refused(f"{path}: Invalid `signature` in `thinking` block")
        case "redacted_thinking":
            _check_redacted(checks.expect_text(block.get("data"), f"{path}.data"), path)
        case "server_tool_use":
            for name in ("id", "name"):
                checks.expect_text(block.get(name), f"{path}.{name}")
        case kind if kind in PROVIDED_RESULTS:
            checks.expect_text(block.get("tool_use_id"), f"{path}.tool_use_id")
        case kind:
            raise Refused(
                f"{path}: Input tag {kind!r} found using 'type' does not match any of the expected tags"
            )


def _check_source(source: dict[str, Any], kind: str, path: str) -> None:
    supported = SOURCE_TYPES[kind]
    if source.get("type") not in supported:
        names = ", ".join(f"'{name}'" for name in supported)
        raise Refused(
            f"{path}: Input tag '{source.get('type')}' found using 'type' does not match any of the expected tags: {names}"
        )
    media = MEDIA_TYPES.get((kind, source["type"]))
    if media and source.get("media_type") not in media:
        names = " or ".join(f"'{name}'" for name in media)
        raise Refused(f"{path}.{source['type']}.media_type: Input should be {names}")
    if source["type"] == "content":
        blocks = read_blocks(source.get("content"), f"{path}.content")
        if not blocks:
            raise Refused(f"{path}.content: at least one block is required")
        for block in blocks:
            if block["type"] not in ("text", "image"):
                raise Refused(f"{path}.content: Input tag {block['type']!r} is not expected here")


def _check_redacted(data: str, path: str) -> None:
    try:
        genuine = is_seal(base64.b64decode(data, validate=True))
    except ValueError:
        genuine = False
    if not genuine:
        raise Refused(f"{path}: Invalid `data` in `redacted_thinking` block")


def text_of(block: dict[str, Any]) -> str:
    match block["type"]:
        case "text":
            return str(block["text"])
        case "image" | "document":
            return stand_in(orjson.dumps(block["source"]).decode())
        case "tool_use":
            return str(block["name"]) + orjson.dumps(block["input"]).decode()
        case "tool_result":
            inner = read_blocks(block.get("content", []), "content")
            return "".join(text_of(part) for part in inner)
        case "thinking":
            return str(block["thinking"])
        case "search_result":
            inner = read_blocks(block["content"], "content")
            return str(block["title"]) + "".join(text_of(part) for part in inner)
        case "server_tool_use":
            return str(block["name"]) + orjson.dumps(block.get("input", {})).decode()
        case kind if kind in PROVIDED_RESULTS:
            return orjson.dumps(block.get("content")).decode()
    return str(block.get("data", ""))


def describe(block: dict[str, Any]) -> str:
    if block["type"] == "search_result":
        return f"search result {block['title']}"
    source = block["source"]
    name = f"{block['type']} {block['title']}:" if block.get("title") else block["type"]
    match source.get("type"):
        case "base64":
            kind = checks.expect_text(source.get("media_type"), "source.media_type")
            return (
                f"{name} {kind} of {checks.count_base64(source.get('data'), 'source.data')} bytes"
            )
        case "url":
            return f"{name} {checks.expect_text(source.get('url'), 'source.url')}"
        case "text":
            return (
                f"{name} of {len(checks.expect_text(source.get('data'), 'source.data'))} characters"
            )
        case "file":
            return f"{name} {source.get('file_id')}"
        case "content":
            return f"{name} of content blocks"
        case kind:
            raise Refused(f"source: Input tag {kind!r} does not match any of the expected tags")
