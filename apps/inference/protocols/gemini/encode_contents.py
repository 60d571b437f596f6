"""The conversation of a request in Google's words.

From another wire: instructions anywhere move to ``systemInstruction``, consecutive turns of one role become one, results
of tools come first in their turn, and what Google refuses (parts without content) goes. Thoughts and signatures go
back only to the wire that made them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
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
from apps.inference.canonical.events import Opaque, Sound
from apps.inference.canonical.request import ChatRequest, Message, Role
from apps.inference.protocols.gemini.paths import put_back

_WIRE = Wire.GEMINI
_ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}
_MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
}
"""Of files named by URL, by the ending of their name: https://ai.google.dev/gemini-api/docs/image-understanding"""


def encode_conversation(request: ChatRequest, dropped: list[str]) -> tuple[list[Json], list[Json]]:
    """The parts of ``systemInstruction``, and the ``contents``."""
    writer = _Writer(request, dropped)
    system = writer.parts(request.system)
    if request.origin is _WIRE:
        return system, [writer.turn(turn) for turn in request.messages]
    contents: list[Json] = []
    for turn in request.messages:
        if turn.role is Role.SYSTEM:
            dropped.extend(foreign_keys(turn.extra, _WIRE))
            system.extend(writer.parts(turn.parts))
            continue
        _append_merged(contents, writer.turn(turn))
    for content in contents:
        content["parts"].sort(key=lambda part: "functionResponse" not in part)
    if contents or not system:
        return system, contents
    return [], [{"role": "user", "parts": system}]  # at least one content is mandatory


def arguments_object(arguments: str) -> Json:
    """Arguments as the object that Google wants; ``{}`` when the model wrote no JSON object."""
    try:
        found: Any = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _append_merged(contents: list[Json], content: Json) -> None:
    if not content["parts"]:
        return
    if contents and contents[-1]["role"] == content["role"]:
        contents[-1]["parts"].extend(content["parts"])
        return
    contents.append(content)


class _Writer:
    """Writes the parts of one request, and notes what it leaves out."""

    __slots__ = ("_dropped", "_function_names", "_is_own", "_title_name")

    def __init__(self, request: ChatRequest, dropped: list[str]) -> None:
        self._is_own = request.origin is _WIRE
        self._dropped = dropped
        self._title_name = request.name_of("title")
        self._function_names = _function_names(request.messages)

    def turn(self, turn: Message) -> Json:
        self._dropped.extend(foreign_keys(turn.extra, _WIRE))
        own = own_keys(turn.extra, _WIRE)
        return {"role": _ROLES.get(turn.role, "user"), "parts": self.parts(turn.parts), **own}

    def parts(self, parts: Iterable[Part]) -> list[Json]:
        given = readable(parts, _WIRE, self._dropped, encode_sound=_sound)
        return [encoded for part in given for encoded in self._part(part)]

    def _part(self, part: Part) -> list[Json]:
        match part:
            case Opaque():
                return [part.payload]
            case Refusal():
                return [{"text": part.text}] if part.text else []
            case Reasoning():
                return self._thought(part)
            case ToolResult():
                return self._result(part)
            case Text() | Image() | Document() | ToolCall():
                encoded = self._medium(part)
                return [self._with_own_keys(encoded, part)] if encoded else []
            case _ as never:
                assert_never(never)

    def _with_own_keys(
        self, encoded: Json, part: Text | Image | Document | ToolCall | ToolResult | Reasoning
    ) -> Json:
        self._dropped.extend(foreign_keys(part.extra, _WIRE))
        if not isinstance(part, Reasoning) and part.cache:
            self._dropped.append("cache_control")
        return put_back(encoded, own_keys(part.extra, _WIRE))

    def _medium(self, part: Text | Image | Document | ToolCall) -> Json:
        """Empty when there is nothing to send."""
        match part:
            case Text():
                proof = _proof(part.signature, part.origin)
                is_said = part.text or proof or self._is_own
                return {"text": part.text, **proof} if is_said else {}
            case Image():
                return _image(part)
            case Document():
                return self._document(part)
            case ToolCall():
                arguments = arguments_object(part.arguments)
                call = {"id": part.id, "name": part.name, "args": arguments}
                return {"functionCall": call, **_proof(part.signature, part.origin)}
            case _ as never:
                assert_never(never)

    def _document(self, part: Document) -> Json:
        """Only Google's own clients send names: its hosts take them with some tools only."""
        encoded = _document(part)
        if part.title and self._is_own:
            next(iter(encoded.values()))["displayName"] = part.title
        elif part.title:
            self._dropped.append(self._title_name)
        return encoded

    def _thought(self, part: Reasoning) -> list[Json]:
        """Google's own: thoughts of other models mean nothing to it, and their signatures are refused."""
        if part.origin is not _WIRE and not (self._is_own and part.origin is None):
            self._dropped.extend(foreign_keys(part.extra, _WIRE))
            return []
        proof = _proof(part.signature, part.origin)
        return [self._with_own_keys({"text": part.text, "thought": True, **proof}, part)]

    def _result(self, part: ToolResult) -> list[Json]:
        """The response, and what it cannot hold: media inside it are known to the newest models only, so from
        other wires they follow in the same turn."""
        given = readable(part.content, _WIRE, self._dropped, encode_sound=_sound)
        texts = [inner.text for inner in given if isinstance(inner, Text)]
        media = self.parts(inner for inner in given if not isinstance(inner, Text))
        response: Json = {
            "id": part.tool_call_id,
            "name": self._function_names.get(part.tool_call_id, part.tool_call_id),
            "response": _response("\n\n".join(texts), is_error=part.is_error),
        }
        if media and self._is_own:
            response["parts"] = media
            media = []
        return [self._with_own_keys({"functionResponse": response}, part), *media]


def _function_names(messages: Iterable[Message]) -> Mapping[str, str]:
    """What each call of the conversation called: Google wants the name with the result, other wires only the id."""
    return {
        part.id: part.name
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCall)
    }


def _response(text: str, *, is_error: bool) -> Json:
    """A result that is a JSON object is sent as one; any other text as ``output``, or ``error``.

    The two words have a meaning of their own, so an object that uses them is wrapped as well.
    """
    if is_error:
        return {"error": text}
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"output": text}
    if not isinstance(found, dict):
        return {"output": text}
    return {"output": found} if {"output", "error"} & found.keys() else found


def _proof(signature: str, origin: Wire | None) -> Json:
    return {"thoughtSignature": signature} if signature and origin is _WIRE else {}


def _image(part: Image) -> Json:
    if part.url:
        return _file(part.url, part.media_type)
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _sound(sound: Sound) -> Json:
    return {"inlineData": {"mimeType": sound.media_type, "data": sound.data}}


def _document(part: Document) -> Json:
    if part.url:
        return _file(part.url, part.media_type)
    if part.text:
        return {"text": part.text}
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _file(url: str, media_type: str) -> Json:
    """Without a type that anybody told or the name shows, Google looks for itself."""
    ending = url.partition("?")[0].rpartition(".")[2].lower()
    known = media_type or _MEDIA_TYPES.get(ending, "")
    return {"fileData": {"fileUri": url} | ({"mimeType": known} if known else {})}
