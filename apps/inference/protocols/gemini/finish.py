"""Why Gemini stopped, and errors that it reports in the place of an answer.

https://ai.google.dev/api/generate-content#FinishReason, and the enumerations of google-genai 3.4.0 (2026-11-21)
"""

from typing import Any

from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import FinishReason, UpstreamError
from apps.inference.canonical.response import settled_finish

_FINISH = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "LANGUAGE": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
}
_FAILURES = frozenset(
    {
        "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
    }
)  # fmt: skip
"""What the model wrote could not be read as an answer; asked again, it may do better."""

_FINISH_OUT = {
    FinishReason.STOP: "STOP",
    FinishReason.STOP_SEQUENCE: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.CONTENT_FILTER: "SAFETY",
}


def decode_finish(
    reported: str, message: str, *, calls_tools: bool
) -> FinishReason | UpstreamError | None:
    """None when no reason was given; a word that nobody documents counts as the end of the turn."""
    if not reported or reported == "FINISH_REASON_UNSPECIFIED":
        return None
    if reported in _FAILURES:
        return UpstreamError(reported, message)
    reason = _FINISH.get(reported, FinishReason.STOP)
    return settled_finish(reason, has_tool_calls=calls_tools)


def encode_finish(reason: FinishReason | None) -> str:
    return _FINISH_OUT[reason or FinishReason.STOP]


def reported_error(body: Json) -> UpstreamError | None:
    error: Any = body.get("error")
    if not error:
        return None
    if not isinstance(error, dict):
        return UpstreamError("", str(error))
    code = error.get("status") or error.get("code") or ""
    return UpstreamError(str(code), str(error.get("message") or ""))
