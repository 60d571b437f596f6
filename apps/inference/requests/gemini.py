"""The body of generateContent, with ``model`` and ``stream`` from the path: checked by its codec, measured here."""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.common.errors import InvalidRequest
from apps.inference.canonical.content import Document, Image, Reasoning, Text, ToolCall, ToolResult
from apps.inference.canonical.request import ChatRequest, Tool
from apps.inference.protocols import CODECS
from apps.inference.requests.common import RequestFacts, text_size


def read_gemini(body: dict[str, Any]) -> RequestFacts:
    """Raises InvalidRequest naming the field."""
    request = CODECS[Wire.GEMINI].decode_request(body)
    if not request.messages:
        raise InvalidRequest(
            "'contents' must not be empty.", param="contents", code="invalid_value"
        )
    parts = [part for message in request.messages for part in message.parts]
    size = sum(text_size(text.text) for text in request.system)
    size += sum(_size(part) for part in parts) + _tools_size(request)
    return RequestFacts(
        model=request.model,
        stream=request.stream,
        include_usage=True,
        text_bytes=size,
        images=sum(isinstance(part, Image) for part in parts),
        max_output_tokens=request.max_tokens,
        choices=1,
        reasoning=request.reasoning is not None,
    )


def _size(part: Any) -> int:
    match part:
        case Text() | Reasoning():
            return text_size(part.text)
        case ToolCall():
            return text_size(part.name) + text_size(part.arguments)
        case ToolResult():
            return sum(_size(inner) for inner in part.content)
        case Document():
            return text_size(part.text) + len(part.data) // 4
        case _:
            return 0


def _tools_size(request: ChatRequest) -> int:
    return sum(
        text_size(tool.name) + text_size(tool.description) + len(repr(tool.schema or ""))
        for tool in request.tools
        if isinstance(tool, Tool)
    )
