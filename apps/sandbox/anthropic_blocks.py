"""Anthropic's content blocks as they come in: which are valid, what text they hold, what they show.

A thinking block is valid only with the signature that the sandbox gave it, as with the original.
"""

import base64
from hashlib import blake2b
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.tokens import stand_in
from apps.sandbox.wire import Refused


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
    match block.get("type"):
        case "text":
            if not checks.expect_text(block.get("text"), f"{path}.text"):
                raise Refused("messages: text content blocks must be non-empty")
        case "image" | "document":
            checks.expect_object(block.get("source"), f"{path}.source")
            describe(block)
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
            checks.expect_text(block.get("data"), f"{path}.data")
        case kind:
            raise Refused(
                f"{path}: Input tag {kind!r} found using 'type' does not match any of the expected tags"
            )


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
    return str(block.get("data", ""))


def describe(block: dict[str, Any]) -> str:
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
