"""The conversation of a request in Amazon's words.

From another wire: instructions anywhere move to ``system``, results of tools come first in their turn, consecutive turns of
one role become one, and what Converse refuses (blank text, addresses of the web, other makers' thoughts) goes.
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
from apps.inference.protocols.bedrock_converse.media import (
    DOCUMENT_FORMATS,
    IMAGE_FORMATS,
    document_name,
)

_WIRE = Wire.BEDROCK_CONVERSE
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64


def encode_conversation(request: ChatRequest, dropped: list[str]) -> tuple[list[Json], list[Json]]:
    """The ``system`` blocks and the ``messages``."""
    writer = _Writer(request, dropped)
    system = writer.blocks(request.system)
    if request.origin is _WIRE:
        return system, [writer.turn(turn) for turn in request.messages]
    messages: list[Json] = []
    for turn in request.messages:
        if turn.role is Role.SYSTEM:
            dropped.extend(foreign_keys(turn.extra, _WIRE))
            system.extend(writer.blocks(turn.parts))
            continue
        _append_merged(messages, writer.turn(turn))
    for message in messages:
        message["content"].sort(key=lambda block: "toolResult" not in block)
    if messages or not system:
        return system, messages
    return [], [{"role": "user", "content": system}]  # at least one message is mandatory


def encode_cache(ttl: CacheTtl | None) -> list[Json]:
    match ttl:
        case None:
            return []
        case CacheTtl.FIVE_MINUTES:
            return [{"cachePoint": {"type": "default"}}]
        case CacheTtl.ONE_HOUR:
            return [{"cachePoint": {"type": "default", "ttl": "1h"}}]
        case _ as never:
            assert_never(never)


def arguments_object(arguments: str) -> Json:
    """Arguments as the object that Amazon wants; ``{}`` when the model wrote no JSON object."""
    try:
        found: Any = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def acceptable_id(call_id: str) -> str:
    """Converse takes 64 letters of few kinds. Call and result change alike, so they still find each other."""
    return _NOT_IN_IDS.sub("_", call_id)[-_LONGEST_ID:]


def _append_merged(messages: list[Json], message: Json) -> None:
    if not message["content"]:
        return
    if messages and messages[-1]["role"] == message["role"]:
        messages[-1]["content"].extend(message["content"])
        return
    messages.append(message)


class _Writer:
    """Writes the blocks of one request, and notes what it leaves out."""

    __slots__ = ("_document_names", "_dropped", "_is_own")

    def __init__(self, request: ChatRequest, dropped: list[str]) -> None:
        self._is_own = request.origin is _WIRE
        self._dropped = dropped
        self._document_names: list[str] = []

    def turn(self, turn: Message) -> Json:
        self._dropped.extend(foreign_keys(turn.extra, _WIRE))
        own = own_keys(turn.extra, _WIRE)
        return {"role": turn.role.value, "content": self.blocks(turn.parts), **own}

    def blocks(self, parts: Iterable[Part]) -> list[Json]:
        given = readable(parts, _WIRE, self._dropped)
        return [block for part in given for block in self._part(part)]

    def _part(self, part: Part) -> list[Json]:
        match part:
            case Opaque():
                return [part.payload]
            case Refusal():
                return self._text(Text(part.text))
            case Reasoning():
                return self._reasoning(part)
            case Text():
                self._dropped.extend(foreign_keys(part.extra, _WIRE))
                return [*self._text(part), *encode_cache(part.cache)]
            case Image() | Document() | ToolCall() | ToolResult():
                self._dropped.extend(foreign_keys(part.extra, _WIRE))
                name, block = self._named_block(part)
                if not block:
                    self._dropped.append(name)
                    return []
                own = own_keys(part.extra, _WIRE)
                return [{name: block | own}, *encode_cache(part.cache)]
            case _ as never:
                assert_never(never)

    def _text(self, part: Text) -> list[Json]:
        if own := own_keys(part.extra, _WIRE):
            return [own]
        return [{"text": part.text}] if part.text.strip() or self._is_own else []

    def _named_block(self, part: Image | Document | ToolCall | ToolResult) -> tuple[str, Json]:
        """The block and the key that says what it is; an empty one when Converse cannot carry it."""
        match part:
            case Image():
                return "image", _image(part)
            case Document():
                return "document", self._document(part)
            case ToolCall():
                arguments = arguments_object(part.arguments)
                call_id = acceptable_id(part.id)
                return "toolUse", {"toolUseId": call_id, "name": part.name, "input": arguments}
            case ToolResult():
                return "toolResult", self._result(part)
            case _ as never:
                assert_never(never)

    def _result(self, part: ToolResult) -> Json:
        result = {
            "toolUseId": acceptable_id(part.tool_call_id),
            "content": self.blocks(part.content),
        }
        return result | ({"status": "error"} if part.is_error else {})

    def _document(self, part: Document) -> Json:
        kind = DOCUMENT_FORMATS.get(part.media_type or "text/plain")
        source = {"text": part.text} if part.text else {"bytes": part.data}
        if kind is None or not any(source.values()):
            return {}
        name = part.title
        if not self._is_own:
            name = document_name(name, taken=self._document_names)
        self._document_names.append(name)
        return {"format": kind, "name": name, "source": source}

    def _reasoning(self, part: Reasoning) -> list[Json]:
        """Only what came from here: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningTextBlock.html"""
        if part.origin is not _WIRE and not (self._is_own and part.origin is None):
            self._dropped.extend(foreign_keys(part.extra, _WIRE))
            return []
        if part.data:
            return [{"reasoningContent": {"redactedContent": part.data}}]
        said = {"text": part.text} | ({"signature": part.signature} if part.signature else {})
        return [{"reasoningContent": {"reasoningText": said}}]


def _image(part: Image) -> Json:
    """Empty for an address, which only S3's may be, and for a format that Converse does not take."""
    kind = IMAGE_FORMATS.get(part.media_type)
    if not part.data or kind is None:
        return {}
    return {"format": kind, "source": {"bytes": part.data}}
