"""The body of generateContent, with ``model`` and ``stream`` from the path: checked by its codec, measured here."""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.common.errors import InvalidRequest
from apps.inference.canonical.content import Document, Image, Reasoning, Text, ToolCall, ToolResult
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import ChatRequest, JsonObject, ReasoningMode, Tool
from apps.inference.protocols import CODECS
from apps.inference.requests.common import FORMAT_ABILITIES, RequestFacts, Size, text_size

WHOLE = ("generateContentRequest", "generate_content_request")
MEDIA = frozenset({"audio", "video", "image"})


def read_gemini(body: dict[str, Any]) -> RequestFacts:
    """Raises InvalidRequest naming the field."""
    request = CODECS[Wire.GEMINI].decode_request(body)
    if not request.messages:
        raise InvalidRequest(
            "'contents' must not be empty.", param="contents", code="invalid_value"
        )
    size = Size(text=sum(text_size(text.text) for text in request.system) + _tools_size(request))
    for message in request.messages:
        for part in message.parts:
            _measure(part, size)
    if request.tools:
        size.needs.add("tools")
    if request.response_format is not None:
        is_any = isinstance(request.response_format, JsonObject)
        size.needs.add(FORMAT_ABILITIES["json_object" if is_any else "json_schema"])
    is_thoughtless = request.reasoning is not None and request.reasoning.mode is ReasoningMode.OFF
    return RequestFacts(
        model=request.model,
        stream=request.stream,
        include_usage=True,
        text_bytes=size.whole,
        guessed_bytes=size.guessed,
        images=size.images,
        max_output_tokens=request.max_tokens,
        choices=request.n or 1,
        reasoning=request.reasoning is not None and not is_thoughtless,
        is_thoughtless=is_thoughtless,
        needs=frozenset(size.needs),
    )


def read_gemini_count(body: dict[str, Any]) -> RequestFacts:
    """What is to be counted: contents, or a whole request in ``generateContentRequest``.

    https://ai.google.dev/api/tokens#request-body. Raises InvalidRequest naming the field.
    """
    fields = Fields(body)
    name = next((name for name in WHOLE if body.get(name) is not None), None)
    if name is None:
        return read_gemini(body)
    if body.get("contents") is not None:
        fields.refuse("contents", f"must be left out beside '{name}'")
    return read_gemini(fields.required_object(name).body | {"model": body["model"]})


def _measure(part: Any, size: Size) -> None:
    match part:
        case Text():
            size.text += text_size(part.text)
        case Reasoning():  # of earlier turns it may not be read again
            size.guessed += text_size(part.text)
        case ToolCall():
            size.text += text_size(part.name) + text_size(part.arguments)
        case ToolResult():
            for inner in part.content:
                _measure(inner, size)
        case Document():
            size.text += text_size(part.text)
            size.guessed += len(part.data) // 4
            if not part.text:
                size.needs.add("file")
        case Image():
            size.images += 1
            size.needs.add("image")
        case Opaque():  # sound and films among it
            blob = part.payload.get("inlineData") or part.payload.get("fileData") or {}
            if (kind := str(blob.get("mimeType")).partition("/")[0]) in MEDIA:
                size.needs.add(kind)
        case _:
            pass


def _tools_size(request: ChatRequest) -> int:
    return sum(
        text_size(tool.name) + text_size(tool.description) + len(repr(tool.schema or ""))
        for tool in request.tools
        if isinstance(tool, Tool)
    )
