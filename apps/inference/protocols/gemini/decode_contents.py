"""The conversation of a generateContent request, from Google's words to ours.

https://ai.google.dev/api/caching#Content
Calls without an id, which is the rule with older models, get one by their place; results find theirs by name and order.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.content import (
    Document,
    Extra,
    Image,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from apps.inference.canonical.events import Opaque, Sound
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import Message, Role
from apps.inference.canonical.signatures import uncover
from apps.inference.protocols.gemini.paths import rest_at

_WIRE = Wire.GEMINI
_ROLES = {"user": Role.USER, "model": Role.ASSISTANT, "function": Role.USER}
_DATA_KEYS = ("text", "inlineData", "fileData", "functionCall", "functionResponse")
"""A part holds one of these, or something else that only Google knows."""
_DOCUMENTS = ("application/pdf", "text/")


@dataclass(slots=True)
class _Calls:
    """The calls so far: ids made up for those without one, and the calls that wait for their result."""

    count: int = 0
    waiting: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))

    def name(self, call: Fields) -> str:
        call_id = call.text("id") or f"call_{self.count}"
        self.count += 1
        self.waiting[call.required_name("name")].append(call_id)
        return call_id

    def find(self, response: Fields) -> str:
        """The id that the result names, or that of the oldest call of this function that has none yet."""
        waiting = self.waiting[response.required_name("name")]
        call_id = response.text("id") or (waiting[0] if waiting else f"call_{self.count}")
        if call_id in waiting:
            waiting.remove(call_id)
        return call_id


def decode_system(fields: Fields) -> tuple[Text, ...]:
    """Only text; a plain string and a bare part are taken too, as Google's SDKs let one write them."""
    system = fields.body.get("systemInstruction")
    if system is None:
        return ()
    if isinstance(system, str):
        return (Text(system),)
    content = fields.required_object("systemInstruction")
    parts = content.objects("parts") if "parts" in content.body else [content]
    return tuple(Text(part.required_text("text")) for part in parts)


def decode_contents(fields: Fields) -> tuple[Message, ...]:
    """A turn without a role is the user's: https://ai.google.dev/api/caching#Content"""
    fields.require("contents")
    calls = _Calls()
    messages = tuple(_decode_turn(content, calls) for content in fields.objects("contents"))
    if not messages:
        fields.refuse("contents", "must hold at least one content")
    return messages


def _decode_turn(content: Fields, calls: _Calls) -> Message:
    role = _ROLES[content.choice("role", _ROLES) or "user"]
    content.require("parts")
    rest = content.rest({"role", "parts"})
    parts = tuple(_decode_part(part, calls) for part in content.objects("parts"))
    return Message(role, parts, {_WIRE: rest} if rest else {})


def _decode_part(part: Fields, calls: _Calls) -> Part:
    name = next((key for key in _DATA_KEYS if part.body.get(key) is not None), "")
    extra = part.rest({name, "thought", "thoughtSignature"})
    match name:
        case "text":
            return _decode_text(part, extra)
        case "inlineData":
            return _decode_data(part, extra)
        case "fileData":
            return _decode_file(part, extra)
        case "functionCall":
            return _decode_call(part, extra, calls)
        case "functionResponse":
            return _decode_result(part, extra, calls)
        case _:
            return Opaque(_WIRE, part.body)


def _kept(extra: Json) -> Extra:
    return {_WIRE: extra} if extra else {}


def _signature(part: Fields) -> tuple[str, Wire | None]:
    """The signature and its maker: Gemini itself, unless we have covered another's for this client."""
    signature = part.text("thoughtSignature") or ""
    if found := uncover(signature):
        return found.text, found.origin
    return signature, _WIRE if signature else None


def _decode_text(part: Fields, extra: Json) -> Text | Reasoning:
    text = part.required_text("text")
    signature, origin = _signature(part)
    if (found := uncover(part.text("thoughtSignature") or "")) and found.is_redacted:
        return Reasoning(data=found.text, origin=found.origin, extra=_kept(extra))
    if part.flag("thought"):
        return Reasoning(text=text, signature=signature, origin=origin, extra=_kept(extra))
    return Text(text, signature=signature, origin=origin, extra=_kept(extra))


def _decode_data(part: Fields, extra: Json) -> Image | Document | Opaque:
    blob = part.required_object("inlineData")
    data, media_type = blob.required_name("data"), blob.required_name("mimeType")
    if media_type.startswith(_DOCUMENTS):
        extra |= rest_at(blob, {"data", "mimeType", "displayName"}, at="inlineData")
        title = blob.text("displayName") or ""
        return Document(data=data, media_type=media_type, title=title, extra=_kept(extra))
    extra |= rest_at(blob, {"data", "mimeType"}, at="inlineData")
    if media_type.startswith("image/"):
        return Image(data=data, media_type=media_type, extra=_kept(extra))
    sound = Sound(data, media_type) if media_type.startswith("audio/") else None
    return Opaque(_WIRE, part.body, sound=sound)  # sound, film


def _decode_file(part: Fields, extra: Json) -> Image | Document | Opaque:
    """Only addresses of the web mean something to other providers; uploaded files do not."""
    file = part.required_object("fileData")
    url, media_type = file.required_name("fileUri"), file.text("mimeType") or ""
    if not url.startswith(("http://", "https://")):
        return Opaque(_WIRE, part.body)
    if media_type.startswith(_DOCUMENTS):
        extra |= rest_at(file, {"fileUri", "mimeType", "displayName"}, at="fileData")
        title = file.text("displayName") or ""
        return Document(url=url, media_type=media_type, title=title, extra=_kept(extra))
    extra |= rest_at(file, {"fileUri", "mimeType"}, at="fileData")
    if media_type.startswith("image/"):
        return Image(url=url, media_type=media_type, extra=_kept(extra))
    return Opaque(_WIRE, part.body)


def _decode_call(part: Fields, extra: Json, calls: _Calls) -> ToolCall:
    call = part.required_object("functionCall")
    signature, origin = _signature(part)
    extra |= rest_at(call, {"id", "name", "args"}, at="functionCall")
    return ToolCall(
        id=calls.name(call),
        name=call.required_name("name"),
        arguments=orjson.dumps(call.plain_object("args") or {}).decode(),
        signature=signature,
        origin=origin,
        extra=_kept(extra),
    )


def _decode_result(part: Fields, extra: Json, calls: _Calls) -> ToolResult:
    """``output`` and ``error`` are Google's words for what a function gave back; else the whole object is the output."""
    result = part.required_object("functionResponse")
    extra |= rest_at(result, {"id", "name", "response", "parts"}, at="functionResponse")
    response = result.plain_object("response") or {}
    is_error = "error" in response and "output" not in response
    outcome = response.get("error" if is_error else "output", response)
    media = [_decode_part(medium, calls) for medium in result.objects("parts")]
    return ToolResult(
        tool_call_id=calls.find(result),
        content=(
            Text(_as_text(outcome)),
            *(medium for medium in media if isinstance(medium, Image | Document | Opaque)),
        ),
        is_error=is_error,
        extra=_kept(extra),
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
