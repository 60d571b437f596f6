"""The conversation of a request in OpenAI's words.

    one user turn with results of tools  →  a ``tool`` message per result, then the rest as a ``user`` message

Towards the client's own wire a list of parts stays a list. From another wire, parts that are all text become one string,
because many hosts read nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical import openai_words
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
from apps.inference.protocols.openai_chat.custom_tools import encode_custom_call
from apps.inference.protocols.openai_chat.google_keys import with_signature
from apps.inference.protocols.openai_chat.sounds import encode_sound

_PARAGRAPH = "\n\n"
_IMAGE_KEY = "image_url."


def encode_messages(request: ChatRequest, dropped: list[str]) -> list[Json]:
    messages: list[Json] = []
    if request.system:
        content = _encode_content(request.system, request, dropped)
        messages.append({"role": "system", "content": content})
    for turn in request.messages:
        messages.extend(_encode_turn(turn, request, dropped))
    return messages


def encode_cache(ttl: CacheTtl | None, request: ChatRequest, dropped: list[str]) -> Json:
    """Only for clients of this wire, who know that their host reads it; OpenAI itself refuses the key."""
    if ttl is None:
        return {}
    if request.origin is not Wire.OPENAI_CHAT:
        dropped.append("cache_control")
        return {}
    if ttl is CacheTtl.FIVE_MINUTES:
        return {"cache_control": {"type": "ephemeral"}}
    return {"cache_control": {"type": "ephemeral", "ttl": ttl.value}}


def _readable(parts: Iterable[Part], dropped: list[str]) -> list[Part]:
    return readable(
        parts,
        Wire.OPENAI_CHAT,
        dropped,
        encode_sound=encode_sound,
        encode_upload=_encode_upload,
    )


def _encode_turn(turn: Message, request: ChatRequest, dropped: list[str]) -> list[Json]:
    dropped.extend(foreign_keys(turn.extra, Wire.OPENAI_CHAT))
    own = own_keys(turn.extra, Wire.OPENAI_CHAT)
    turn = replace(turn, parts=tuple(_readable(turn.parts, dropped)))
    if turn.role is Role.ASSISTANT:
        if request.origin is Wire.OPENAI_CHAT:
            for part in turn.parts:
                if isinstance(part, Text):
                    own = with_signature(own, part.signature, part.origin)
        return [_encode_assistant(turn, request, dropped) | own]
    if turn.role is Role.SYSTEM:
        content = _encode_content(turn.parts, request, dropped)
        return [{"role": "system", "content": content, **own}]
    return [message | own for message in _encode_user_turn(turn, request, dropped)]


def _encode_user_turn(turn: Message, request: ChatRequest, dropped: list[str]) -> list[Json]:
    messages: list[Json] = []
    rest: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            message, pictures = _encode_tool_result(part, request, dropped)
            messages.append(message)
            rest.extend(pictures)
        else:
            rest.append(part)
    if rest or not turn.parts:
        content = _encode_content(rest, request, dropped)
        if content or not messages:
            messages.append({"role": "user", "content": content})
    return messages


def _encode_tool_result(
    result: ToolResult, request: ChatRequest, dropped: list[str]
) -> tuple[Json, list[Part]]:
    """The ``tool`` message, and what it cannot hold: OpenAI reads only text there, so pictures follow after."""
    dropped.extend(foreign_keys(result.extra, Wire.OPENAI_CHAT))
    encode_cache(result.cache, request, dropped)
    if result.is_error:
        dropped.append("is_error")
    given = _readable(result.content, dropped)
    if request.origin is Wire.OPENAI_CHAT:
        kept: Sequence[Part] = given
        left: list[Part] = []
    else:
        kept = [part for part in given if isinstance(part, Text)]
        left = [part for part in given if not isinstance(part, Text)]
    content = _encode_content(kept, request, dropped)
    return {"role": "tool", "tool_call_id": result.tool_call_id, "content": content}, left


def _encode_assistant(turn: Message, request: ChatRequest, dropped: list[str]) -> Json:
    prose: list[Part] = []
    calls: list[Json] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    own_reasoning: Json = {}
    for part in turn.parts:
        match part:
            case ToolCall():
                calls.append(_encode_tool_call(part, request, dropped))
            case Reasoning():
                thoughts.extend(_portable_thought(part))
                own_reasoning |= own_keys(part.extra, Wire.OPENAI_CHAT)
            case Refusal():
                refusals.append(part.text)
            case _:
                prose.append(part)
    content = _encode_content(prose, request, dropped, joint="") if prose else None
    message: Json = {"role": "assistant", "content": content}
    if refusals:
        message["refusal"] = "".join(refusals)
    if calls:
        message["tool_calls"] = calls
    elif content is None and not refusals:
        message["content"] = ""
    if thoughts and not own_reasoning:
        own_reasoning = {"reasoning_content": _PARAGRAPH.join(thoughts)}
    return message | own_reasoning


def _portable_thought(part: Reasoning) -> list[str]:
    """Reasoning without proof came from a host of this kind, and some of those want it back between tool calls.

    Signed reasoning belongs to another model: OpenAI's wire has no place for the signature.
    https://api-docs.deepseek.com/guides/thinking_mode
    """
    return [part.text] if part.text and not part.signature and not part.data else []


def _encode_tool_call(call: ToolCall, request: ChatRequest, dropped: list[str]) -> Json:
    dropped.extend(foreign_keys(call.extra, Wire.OPENAI_CHAT))
    encode_cache(call.cache, request, dropped)
    if call.takes_text and request.origin is Wire.OPENAI_CHAT:
        return encode_custom_call(call)
    function = {"name": call.name, "arguments": call.arguments}
    own = own_keys(call.extra, Wire.OPENAI_CHAT)
    if request.origin is Wire.OPENAI_CHAT:  # the host may be Google's; others refuse the key
        own = with_signature(own, call.signature, call.origin)
    return {"id": call.id, "type": "function", "function": function, **own}


def _encode_content(
    parts: Sequence[Part], request: ChatRequest, dropped: list[str], *, joint: str = _PARAGRAPH
) -> str | list[Json]:
    encoded: list[Json] = []
    for part in parts:
        encoded.extend(_encode_part(part, request, dropped))
    is_plain = all(part.keys() == {"type", "text"} for part in encoded)
    if is_plain and (len(encoded) <= 1 or request.origin is not Wire.OPENAI_CHAT):
        return joint.join(part["text"] for part in encoded)
    return encoded


def _encode_part(part: Part, request: ChatRequest, dropped: list[str]) -> list[Json]:
    match part:
        case Text() | Image() | Document():
            dropped.extend(openai_words.lost_keys(part.extra, Wire.OPENAI_CHAT, _words_of(part)))
            encoded = _encode_medium(part, request, dropped)
            if not encoded:
                return []
            own = own_keys(part.extra, Wire.OPENAI_CHAT)
            own |= openai_words.said_alike(part.extra, Wire.OPENAI_CHAT, _words_of(part))
            for key in [key for key in own if key.startswith(_IMAGE_KEY)]:
                encoded["image_url"][key.removeprefix(_IMAGE_KEY)] = own.pop(key)
            return [encoded | own | encode_cache(part.cache, request, dropped)]
        case Refusal():
            return [{"type": "refusal", "refusal": part.text}]
        case Opaque():
            return [part.payload]
        case ToolCall() | ToolResult() | Reasoning():
            return []  # their own messages and keys carry them; in any other place they mean nothing
        case _ as never:
            assert_never(never)


def _words_of(part: Text | Image | Document) -> openai_words.Words:
    return openai_words.IMAGE if isinstance(part, Image) else ()


def _encode_upload(file_id: str) -> Json:
    return {"type": "file", "file": {"file_id": file_id}}


def _encode_medium(part: Text | Image | Document, request: ChatRequest, dropped: list[str]) -> Json:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "image_url", "image_url": {"url": url}}
        case Document():
            return _encode_document(part, request, dropped)
        case _ as never:
            assert_never(never)


def _encode_document(part: Document, request: ChatRequest, dropped: list[str]) -> Json:
    if part.text:
        if part.title:
            dropped.append(request.name_of("title"))
        return {"type": "text", "text": part.text}
    if not part.data:
        dropped.append("document")  # Chat Completions takes no document by URL
        return {}
    file = {"file_data": f"data:{part.media_type};base64,{part.data}"}
    if part.title:
        file["filename"] = part.title
    return {"type": "file", "file": file}
