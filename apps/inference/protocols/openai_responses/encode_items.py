"""The conversation of a request as items.

One turn becomes as many items as it takes, in the order of its parts: texts and media that follow each other share a
message; reasoning, calls and results are items of their own.
"""

from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical import openai_words
from apps.inference.canonical.codec import Json
from apps.inference.canonical.content import (
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
from apps.inference.canonical.request import ChatRequest, Message, Role, Tool
from apps.inference.canonical.text_tools import text_tool_names, to_input

_WIRE = Wire.OPENAI_RESPONSES
_PARAGRAPH = "\n\n"
_MESSAGE_KEY = "message."
_LONGEST_CALL_ID = 64
"""OpenAI refuses longer ones: https://github.com/AnswerDotAI/fastllm/issues/45 (2026-06)."""
_ROLES = {Role.USER: "user", Role.ASSISTANT: "assistant", Role.SYSTEM: "developer"}


def own_names(request: ChatRequest) -> dict[str, Json]:
    """How a client of this wire names those of its tools that stand in a namespace."""
    return {
        tool.name: {"namespace": tool.source["name"], "name": tool.own_name}
        for tool in request.tools
        if request.origin is _WIRE and isinstance(tool, Tool) and tool.source and tool.own_name
    }


def encode_input(request: ChatRequest, dropped: list[str]) -> Json:
    """``instructions`` and ``input``. Without a turn the instructions are the input, which may not be empty."""
    writer = _Writer(request, dropped)
    head = [part.text for part in request.system if part.text]
    for part in request.system:
        writer.name_losses(part)
    if request.origin is not _WIRE and head:
        head = [_PARAGRAPH.join(head)]
    instructions, more = head[:1], head[1:]
    if not request.messages:
        instructions, more = [], head
    for text in more:
        writer.add(Message(Role.SYSTEM, (Text(text),)))
    for turn in request.messages:
        writer.add(turn)
    found: Json = {"instructions": instructions[0]} if instructions else {}
    return found | {"input": writer.items}


class _Writer:
    def __init__(self, request: ChatRequest, dropped: list[str]) -> None:
        self.items: list[Json] = []
        self._is_own = request.origin is _WIRE
        self._dropped = dropped
        self._title_name = request.name_of("title")
        self._text_tools = text_tool_names(request)
        self._own_names = own_names(request)
        self._custom_calls: set[str] = set()
        self._message: Json | None = None
        """The message that takes the next text or medium."""

    def add(self, turn: Message) -> None:
        self._dropped.extend(foreign_keys(turn.extra, _WIRE))
        self._message = None
        for part in readable(turn.parts, _WIRE, self._dropped, encode_upload=_encode_upload):
            self._add_part(part, turn)
        self._message = None

    def name_losses(self, part: Text | Image | Document | ToolCall | ToolResult) -> None:
        self._dropped.extend(openai_words.lost_keys(part.extra, _WIRE, _words_of(part)))
        if part.cache is not None:
            self._dropped.append("cache_control")

    def _add_part(self, part: Part, turn: Message) -> None:
        match part:
            case Text() | Image() | Document() | Refusal():
                self._write(part, turn)
            case Reasoning():
                self._add_reasoning(part)
            case ToolCall():
                self.name_losses(part)
                self._add_item(self._call(part))
            case ToolResult():
                self.name_losses(part)
                self._add_item(self._result(part))
            case Opaque():
                self._add_opaque(part, turn)
            case _ as never:
                assert_never(never)

    def _add_item(self, item: Json) -> None:
        self._message = None
        self.items.append(item)

    def _add_opaque(self, part: Opaque, turn: Message) -> None:
        if str(part.payload.get("type")).startswith(("input_", "output_")):
            self._open_message(turn)["content"].append(part.payload)
        else:
            self._add_item(part.payload)

    def _write(self, part: Text | Image | Document | Refusal, turn: Message) -> None:
        if isinstance(part, Text) and any(
            key.startswith(_MESSAGE_KEY) for key in own_keys(part.extra, _WIRE)
        ):
            self._message = None
        encoded = self._content(part, is_output=turn.role is Role.ASSISTANT)
        if not encoded:
            return
        message = self._open_message(turn)
        for key in [key for key in encoded if key.startswith(_MESSAGE_KEY)]:
            message[key.removeprefix(_MESSAGE_KEY)] = encoded.pop(key)
        message["content"].append(encoded)

    def _open_message(self, turn: Message) -> Json:
        if self._message is None:
            message: Json = {"type": "message", "role": _ROLES[turn.role], "content": []}
            self._message = message | own_keys(turn.extra, _WIRE)
            self.items.append(self._message)
        return self._message

    def _content(self, part: Text | Image | Document | Refusal, *, is_output: bool) -> Json:
        """Empty when there is nothing to send."""
        if isinstance(part, Refusal):
            return {"type": "refusal", "refusal": part.text}
        self.name_losses(part)
        own = own_keys(part.extra, _WIRE)
        own |= openai_words.said_alike(part.extra, _WIRE, _words_of(part))
        match part:
            case Text():
                if not part.text and not self._is_own:
                    return {}
                kind = "output_text" if is_output else "input_text"
                return {"type": kind, "text": part.text, **own}
            case Image():
                url = part.url or f"data:{part.media_type};base64,{part.data}"
                return {"type": "input_image", "image_url": url, **own}
            case Document():
                return self._document(part) | own
            case _ as never:
                assert_never(never)

    def _document(self, part: Document) -> Json:
        if part.text:
            if part.title:
                self._dropped.append(self._title_name)
            return {"type": "input_text", "text": part.text}
        file: Json = {"type": "input_file"}
        if part.title:
            file["filename"] = part.title
        elif part.data and not self._is_own:
            file["filename"] = "document"  # mandatory beside data
        if part.url:
            return file | {"file_url": part.url}
        return file | {"file_data": f"data:{part.media_type};base64,{part.data}"}

    def _add_reasoning(self, part: Reasoning) -> None:
        """Only what a host of this wire made: others' proofs are refused, and reasoning without one is not known there.

        https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
        """
        if part.origin is not _WIRE:
            self._dropped.extend(foreign_keys(part.extra, _WIRE))
            return
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        own = own_keys(part.extra, _WIRE)
        if "content" in own:
            summary = []
        item: Json = {"type": "reasoning", "summary": summary, **own}
        if part.signature:
            item["encrypted_content"] = part.signature
        self._add_item(item)

    def _call(self, call: ToolCall) -> Json:
        own = own_keys(call.extra, _WIRE)
        own_name = self._own_names.get(call.name, {"name": call.name})
        named = {"call_id": _acceptable_id(call.id), **own_name}
        if call.takes_text or call.name in self._text_tools:
            self._custom_calls.add(call.id)
            return {"type": "custom_tool_call", **named, "input": to_input(call.arguments), **own}
        arguments = call.arguments if self._is_own else call.arguments or "{}"
        return {"type": "function_call", **named, "arguments": arguments, **own}

    def _result(self, result: ToolResult) -> Json:
        if result.is_error:
            self._dropped.append("is_error")
        is_custom = result.tool_call_id in self._custom_calls
        return {
            "type": "custom_tool_call_output" if is_custom else "function_call_output",
            "call_id": _acceptable_id(result.tool_call_id),
            "output": self._output(result),
            **own_keys(result.extra, _WIRE),
        }

    def _output(self, result: ToolResult) -> str | list[Json]:
        parts: list[Json] = []
        for part in readable(result.content, _WIRE, self._dropped, encode_upload=_encode_upload):
            if isinstance(part, Opaque):
                parts.append(part.payload)
            elif isinstance(part, Text | Image | Document):
                parts.extend(filter(None, [self._content(part, is_output=False)]))
        is_plain = all(part.keys() == {"type", "text"} for part in parts)
        if is_plain and (len(parts) <= 1 or not self._is_own):
            return _PARAGRAPH.join(part["text"] for part in parts)
        return parts


def _words_of(part: Part) -> openai_words.Words:
    return openai_words.IMAGE if isinstance(part, Image) else ()


def _encode_upload(file_id: str) -> Json:
    return {"type": "input_file", "file_id": file_id}


def _acceptable_id(call_id: str) -> str:
    """Call and result change alike, so they still find each other; the end of an id is its most special part."""
    return call_id[-_LONGEST_CALL_ID:]
