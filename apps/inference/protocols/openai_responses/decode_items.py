"""The input of a Responses request: a flat list of items, which become turns.

    reasoning, message (assistant), function_call, function_call, …   →  one assistant turn
    function_call_output, function_call_output, …                     →  one user turn
    message (user)                                                    →  one user turn

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input (2026-07)
Ids and status of items are not kept: the gateway's requests are never stored, and there an id means nothing.
"""

from dataclasses import replace
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import (
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
from apps.inference.canonical.request import Message, Role
from apps.inference.canonical.signatures import settle
from apps.inference.canonical.text_tools import to_arguments
from apps.inference.protocols.openai_responses.namespaces import Namespaces

_WIRE = Wire.OPENAI_RESPONSES
_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}
_PARAGRAPH = "\n\n"
_OF_HOSTED_TOOLS = frozenset(
    {
        "additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call", "compaction",
        "compaction_trigger", "computer_call", "computer_call_output", "configuration_update", "file_search_call",
        "image_generation_call", "local_shell_call", "local_shell_call_output", "mcp_approval_request",
        "mcp_approval_response", "mcp_call", "mcp_list_tools", "program", "program_output", "shell_call",
        "shell_call_output", "tool_search_call", "tool_search_output", "web_search_call",
    }
)  # fmt: skip
"""Items that only OpenAI can read: left out elsewhere, and named. The others of openai-python 3.54, ``ResponseInputItemParam``."""
_UNREADABLE_PARTS = frozenset({"input_audio", "computer_screenshot"})
"""The same for parts."""


def decode_input(
    fields: Fields, namespaces: Namespaces
) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """The instructions at the head of the conversation, and its turns."""
    instructions = fields.text("instructions")
    system = [Text(instructions)] if instructions else []
    turns: list[Message] = []
    for turn in _decode_turns(fields, namespaces):
        texts = [part for part in turn.parts if isinstance(part, Text)]
        is_head = turn.role is Role.SYSTEM and not turns and not turn.extra
        if is_head and len(texts) == len(turn.parts):
            system.extend(texts)
        else:
            _append(turns, turn)
    parts = [part for turn in turns for part in turn.parts]
    if not system and all(isinstance(part, Opaque) and not part.at for part in parts):
        fields.refuse("input", "must hold an item that this model can read")
    return tuple(system), tuple(_settled(turn) for turn in turns)


def _settled(turn: Message) -> Message:
    """An answer's turn with other wires' signatures back on the parts that they prove."""
    return replace(turn, parts=settle(turn.parts)) if turn.role is Role.ASSISTANT else turn


def unknown(fields: Fields, *known: str) -> Extra:
    """The keys that are not modelled; ``null`` and an empty list are as good as absent here."""
    rest = {
        key: value for key, value in fields.rest(known).items() if value is not None and value != []
    }
    return {_WIRE: rest} if rest else {}


def _decode_turns(fields: Fields, namespaces: Namespaces) -> list[Message]:
    fields.require("input")
    given = fields.body["input"]
    if isinstance(given, str):
        return [Message(Role.USER, (Text(given),))]
    if not isinstance(given, list):
        fields.refuse("input", "must be a string or an array of items", code="invalid_type")
    return [_decode_item(item, namespaces) for item in fields.objects("input")]


def _append(turns: list[Message], turn: Message) -> None:
    """Items of one answer belong to one turn, and so do the results that follow it."""
    last = turns[-1] if turns else None
    if last is not None and last.role is turn.role and _is_joined(last) and _is_joined(turn):
        turns[-1] = Message(last.role, last.parts + turn.parts)
    else:
        turns.append(turn)


def _is_joined(turn: Message) -> bool:
    if turn.role is Role.ASSISTANT:
        return True
    return turn.role is Role.USER and all(_is_result(part) for part in turn.parts)


def _is_result(part: Part) -> bool:
    if isinstance(part, Opaque):
        return str(part.payload.get("type")).endswith("_output")
    return isinstance(part, ToolResult)


def _decode_item(item: Fields, namespaces: Namespaces) -> Message:
    kind = item.text("type") or "message"  # "easy" messages name no type
    match kind:
        case "message":
            return _decode_message(item)
        case "reasoning":
            return Message(Role.ASSISTANT, (_decode_reasoning(item),))
        case "function_call" | "custom_tool_call":
            return Message(Role.ASSISTANT, (_decode_call(item, kind, namespaces),))
        case "function_call_output" | "custom_tool_call_output":
            return Message(Role.USER, (_decode_result(item),))
        case _:
            return _decode_other_item(item, kind)


def _decode_other_item(item: Fields, kind: str) -> Message:
    if kind == "item_reference":
        item.refuse("id", "names an item that is not kept here; send the item itself")
    if kind not in _OF_HOSTED_TOOLS:
        item.refuse("type", "is no type of item")
    role = Role.USER if kind.endswith("_output") else Role.ASSISTANT
    return Message(role, (Opaque(_WIRE, item.body),))


def _decode_message(item: Fields) -> Message:
    item.require("role")
    item.require("content")
    role = _ROLES[item.choice("role", _ROLES) or "user"]
    parts = _decode_content(item, "content")
    if role is not Role.ASSISTANT:
        rest = unknown(item, "type", "role", "content", "id", "status")
        return Message(role, parts, rest)
    beside = item.rest({"type", "role", "content", "id", "status"})
    return Message(role, _with_message_keys(parts, beside))


def _with_message_keys(parts: tuple[Part, ...], keys: dict[str, Any]) -> tuple[Part, ...]:
    """Keys of the message, as ``phase``, stand at its first text: an assistant's turn has several messages."""
    dotted = {f"message.{key}": value for key, value in keys.items() if value is not None}
    if not dotted or not parts or not isinstance(parts[0], Text):
        return parts
    first = parts[0]
    extra = {_WIRE: {**first.extra.get(_WIRE, {}), **dotted}}
    return (replace(first, extra=extra), *parts[1:])


def _decode_content(fields: Fields, name: str) -> tuple[Part, ...]:
    content = fields.body.get(name)
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        fields.refuse(name, "must be a string or an array of parts", code="invalid_type")
    return tuple(_decode_part(part) for part in fields.objects(name))


def _decode_part(part: Fields) -> Part:
    kind = part.required_text("type")
    match kind:
        case "input_text" | "output_text" | "text":
            text = part.required_text("text")
            return Text(text, extra=unknown(part, "type", "text"))
        case "refusal":
            return Refusal(part.required_text("refusal"))
        case "input_image":
            return _decode_image(part)
        case "input_file":
            return _decode_file(part)
    if kind not in _UNREADABLE_PARTS:
        part.refuse("type", "is no type of part")
    return Opaque(_WIRE, part.body)


def _decode_image(part: Fields) -> Image | Opaque:
    if part.text("file_id"):
        return Opaque(_WIRE, part.body, at=part.path("file_id"))
    url = part.required_name("image_url")
    extra = unknown(part, "type", "image_url", *_usual_detail(part))
    if not url.startswith("data:"):
        return Image(url=url, extra=extra)
    media_type, data = _split_data_uri(part, "image_url", url)
    return Image(data=data, media_type=media_type, extra=extra)


def _usual_detail(part: Fields) -> tuple[str, ...]:
    """``auto`` is what everybody does, so nothing is lost with it."""
    return ("detail",) if part.text("detail") == "auto" else ()


def _decode_file(part: Fields) -> Document | Opaque:
    title = part.text("filename") or ""
    extra = unknown(part, "type", "filename", "file_data", "file_url")
    if data := part.text("file_data"):
        media_type = "application/pdf"
        if data.startswith("data:"):
            media_type, data = _split_data_uri(part, "file_data", data)
        return Document(data=data, media_type=media_type, title=title, extra=extra)
    if url := part.text("file_url"):
        return Document(url=url, title=title, extra=extra)
    file_id = part.text("file_id")
    if not file_id:
        part.refuse("file_data", "is required", code="missing_field")
    lost = tuple(part.rest({"type", "file_id"}))
    return Opaque(_WIRE, part.body, upload=file_id, at=part.path("file_id"), lost=lost)


def _split_data_uri(fields: Fields, name: str, uri: str) -> tuple[str, str]:
    head, comma, data = uri[len("data:") :].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or "base64" not in parameters or not media_type or not data:
        fields.refuse(name, "must be a data URI of the form data:<media type>;base64,<data>")
    return media_type, data


def _decode_reasoning(item: Fields) -> Reasoning:
    """Summaries are what other wires can show. Several, or the reasoning itself, are kept whole for this wire."""
    signature = item.text("encrypted_content") or ""
    summaries = [part.required_text("text") for part in item.objects("summary")]
    thoughts = [part.required_text("text") for part in item.objects("content")]
    single = ("summary",) if len(summaries) <= 1 else ()
    return Reasoning(
        text=_PARAGRAPH.join(filter(None, summaries or thoughts)),
        signature=signature,
        origin=_WIRE if signature or thoughts else None,
        extra=unknown(item, "type", "id", "status", "encrypted_content", *single),
    )


_CALL_KEYS = ("type", "id", "status", "call_id", "namespace", "name", "arguments", "input")


def _decode_call(item: Fields, kind: str, namespaces: Namespaces) -> ToolCall:
    is_custom = kind == "custom_tool_call"
    given = item.required_text("input" if is_custom else "arguments")
    return ToolCall(
        id=item.required_name("call_id"),
        name=namespaces.flat(item.text("namespace") or "", item.required_name("name")),
        arguments=to_arguments(given) if is_custom else given,
        takes_text=is_custom,
        extra=unknown(item, *_CALL_KEYS),
    )


def _decode_result(item: Fields) -> ToolResult:
    item.require("output")
    return ToolResult(
        tool_call_id=item.required_name("call_id"),
        content=tuple(
            part
            for part in _decode_content(item, "output")
            if isinstance(part, Text | Image | Document | Opaque)
        ),
        # The call of this id knows its namespace.
        extra=unknown(item, "type", "id", "status", "call_id", "namespace", "name", "output"),
    )
