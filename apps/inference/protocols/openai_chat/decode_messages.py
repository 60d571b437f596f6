"""The messages of a Chat Completions request, from OpenAI's words to ours."""

from dataclasses import replace

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
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
from apps.inference.canonical.request import Message, Role
from apps.inference.protocols.openai_chat.custom_tools import decode_custom_call
from apps.inference.protocols.openai_chat.functions import FunctionCalls
from apps.inference.protocols.openai_chat.google_keys import origin_of, take_signature
from apps.inference.protocols.openai_chat.reasoning import (
    REASONING_KEYS,
    item_text,
    reasoning_text,
)
from apps.inference.protocols.openai_chat.sounds import decode_sound

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TTLS = {"5m": CacheTtl.FIVE_MINUTES, "1h": CacheTtl.ONE_HOUR}


def decode_messages(fields: Fields) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """The instructions at the head of the conversation, and its turns.

    ``developer`` becomes ``system``: OpenAI treats them alike and most other hosts know only the latter.
    https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
    """
    fields.require("messages")
    system: list[Text] = []
    turns: list[Message] = []
    calls = FunctionCalls()
    for message in fields.objects("messages"):
        turn = _decode_message(message, calls)
        is_head = turn.role is Role.SYSTEM and not turns and not turn.extra
        texts = [part for part in turn.parts if isinstance(part, Text)]
        if is_head and len(texts) == len(turn.parts):
            system.extend(texts)
        else:
            turns.append(turn)
    if not system and not turns:
        fields.refuse("messages", "must hold at least one message")
    return tuple(system), tuple(turns)


def unknown(fields: Fields, known: frozenset[str]) -> Extra:
    rest = fields.rest(known)
    return {Wire.OPENAI_CHAT: rest} if rest else {}


def decode_cache(fields: Fields) -> CacheTtl | None:
    """``cache_control`` as OpenRouter's clients write it on parts: https://openrouter.ai/docs/features/prompt-caching."""
    control = fields.object("cache_control")
    if control is None:
        return None
    return _TTLS[control.choice("ttl", _TTLS) or "5m"]


def _decode_message(message: Fields, calls: FunctionCalls) -> Message:
    message.require("role")
    match message.choice("role", _ROLES):
        case "system" | "developer":
            return _decode_plain(message, Role.SYSTEM)
        case "user":
            return _decode_plain(message, Role.USER)
        case "tool":
            return _decode_tool_message(message)
        case "function":
            return _decode_function_message(message, calls)
        case _:
            return _decode_assistant(message, calls)


_PLAIN_KEYS = frozenset({"role", "content"})


def _decode_plain(message: Fields, role: Role) -> Message:
    message.require("content")
    return Message(role, _decode_content(message), unknown(message, _PLAIN_KEYS))


_TOOL_KEYS = frozenset({"role", "content", "tool_call_id"})


def _decode_tool_message(message: Fields) -> Message:
    message.require("content")
    result = ToolResult(
        tool_call_id=message.required_name("tool_call_id"),
        content=tuple(
            part
            for part in _decode_content(message)
            if isinstance(part, Text | Image | Document | Opaque)
        ),
    )
    return Message(Role.USER, (result,), unknown(message, _TOOL_KEYS))


_FUNCTION_KEYS = frozenset({"role", "content", "name"})


def _decode_function_message(message: Fields, calls: FunctionCalls) -> Message:
    call_id = calls.end(message.required_name("name"))
    texts = tuple(part for part in _decode_content(message) if isinstance(part, Text))
    result = ToolResult(tool_call_id=call_id, content=texts)
    return Message(Role.USER, (result,), unknown(message, _FUNCTION_KEYS))


_ASSISTANT_KEYS = frozenset({"role", "content", "tool_calls", "function_call", "refusal"})


def _decode_assistant(message: Fields, calls: FunctionCalls) -> Message:
    extra = message.rest(_ASSISTANT_KEYS)
    parts: list[Part] = []
    parts.extend(_take_reasoning(message.body, extra))
    parts.extend(_sign_text(_decode_content(message), extra))
    if refusal := message.text("refusal"):
        parts.append(Refusal(refusal))
    parts.extend(_decode_tool_call(call) for call in message.objects("tool_calls"))
    legacy = message.object("function_call")
    if legacy and not message.body.get("tool_calls"):  # some say the same call in both forms
        parts.append(_decode_function_call(legacy, calls))
    if "content" not in message.body and not parts and not extra:
        message.refuse("content", "is required", code="missing_field")
    return Message(Role.ASSISTANT, tuple(parts), {Wire.OPENAI_CHAT: extra} if extra else {})


_CALL_KEYS = frozenset({"id", "type", "function", "index"})


def _sign_text(parts: tuple[Part, ...], extra: Json) -> tuple[Part, ...]:
    """The signature of a message is that of its text, the last one if there are several."""
    if not parts or not isinstance(parts[-1], Text):
        return parts
    signature = take_signature(extra)
    signed = replace(parts[-1], signature=signature, origin=origin_of(signature))
    return (*parts[:-1], signed)


def _decode_tool_call(call: Fields) -> Part:
    kind = call.body.get("type", "function")
    if kind == "custom":
        return decode_custom_call(call)
    if kind != "function":
        return Opaque(Wire.OPENAI_CHAT, call.body)
    function = call.required_object("function")
    extra = call.rest(_CALL_KEYS)
    signature = take_signature(extra)
    return ToolCall(
        id=call.required_name("id"),
        name=function.required_name("name"),
        arguments=function.required_text("arguments"),
        signature=signature,
        origin=origin_of(signature),
        extra={Wire.OPENAI_CHAT: extra} if extra else {},
    )


def _decode_function_call(call: Fields, calls: FunctionCalls) -> ToolCall:
    name = call.required_name("name")
    return ToolCall(id=calls.begin(name), name=name, arguments=call.required_text("arguments"))


def _take_reasoning(message: Json, extra: Json) -> list[Reasoning]:
    """The reasoning parts; the keys they came from move from the message's ``extra`` to the first of them."""
    found = decode_reasoning(message)
    if not found:
        return []
    keys = {key: extra.pop(key) for key in REASONING_KEYS if key in extra}
    return [replace(found[0], extra={Wire.OPENAI_CHAT: keys}), *found[1:]]


def decode_reasoning(message: Json) -> list[Reasoning]:
    """Reasoning of an assistant message, from whichever key holds it; ``reasoning_details`` may hold proofs."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        found = [_decode_detail(detail) for detail in details if isinstance(detail, dict)]
        if parts := [part for part in found if part != Reasoning()]:
            return parts
    text = reasoning_text(message)
    return [Reasoning(text=text)] if text else []


def _decode_detail(detail: Json) -> Reasoning:
    """https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-array-structure"""
    signature = detail.get("signature") or ""
    data = detail.get("data") or ""
    is_anthropic = str(detail.get("format") or "").startswith("anthropic-")
    origin = Wire.ANTHROPIC_MESSAGES if is_anthropic else Wire.OPENAI_CHAT
    return Reasoning(
        text=item_text(detail),
        signature=signature if isinstance(signature, str) else "",
        data=data if isinstance(data, str) else "",
        origin=origin if signature or data else None,
    )


def _decode_content(message: Fields) -> tuple[Part, ...]:
    content = message.body.get("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        message.refuse("content", "must be a string or an array of parts", code="invalid_type")
    return tuple(_decode_part(part) for part in message.objects("content"))


def _decode_part(part: Fields) -> Part:
    match part.required_text("type"):
        case "text":
            extra = unknown(part, frozenset({"type", "text", "cache_control"}))
            return Text(part.required_text("text"), decode_cache(part), extra)
        case "image_url":
            return _decode_image(part)
        case "file":
            return _decode_file(part)
        case "refusal":
            return Refusal(part.required_text("refusal"))
        case "input_audio":
            return Opaque(Wire.OPENAI_CHAT, part.body, sound=decode_sound(part))
        case _:
            return Opaque(Wire.OPENAI_CHAT, part.body)


def _decode_image(part: Fields) -> Image:
    """``image_url`` is an object; a bare string is accepted, as most hosts do."""
    part.require("image_url")
    if isinstance(part.body["image_url"], str):
        source, name, inside = part, "image_url", {}
    else:
        source, name = part.required_object("image_url"), "url"
        inside = source.rest({"url"})
        if inside.get("detail") == "auto":  # what everybody does, so nothing is lost with it
            del inside["detail"]
    url = source.required_name(name)
    extra = part.rest({"type", "image_url", "cache_control"})
    extra |= {f"image_url.{key}": value for key, value in inside.items()}
    kept: Extra = {Wire.OPENAI_CHAT: extra} if extra else {}
    if not url.startswith("data:"):
        return Image(url=url, cache=decode_cache(part), extra=kept)
    media_type, data = _split_data_uri(source, name, url)
    return Image(data=data, media_type=media_type, cache=decode_cache(part), extra=kept)


def _decode_file(part: Fields) -> Document | Opaque:
    file = part.required_object("file")
    data = file.text("file_data")
    if not data:  # an uploaded file's id means something at OpenAI only
        lost = tuple(f"file.{key}" for key in file.rest({"file_id"}))
        file_id = file.text("file_id") or ""
        at = file.path("file_id") if file_id else ""
        return Opaque(Wire.OPENAI_CHAT, part.body, upload=file_id, at=at, lost=lost)
    media_type = "application/pdf"
    if data.startswith("data:"):
        media_type, data = _split_data_uri(file, "file_data", data)
    return Document(
        data=data,
        media_type=media_type,
        title=file.text("filename") or "",
        cache=decode_cache(part),
        extra=unknown(part, frozenset({"type", "file", "cache_control"})),
    )


def _split_data_uri(fields: Fields, name: str, uri: str) -> tuple[str, str]:
    head, comma, data = uri[len("data:") :].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or "base64" not in parameters or not media_type or not data:
        fields.refuse(name, "must be a data URI of the form data:<media type>;base64,<data>")
    return media_type, data
