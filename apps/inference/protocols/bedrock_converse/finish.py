"""Why the model stopped, and errors that Bedrock reports in the place of an answer."""

from typing import Any

from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import FinishReason, UpstreamError
from apps.inference.canonical.response import settled_finish

_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
}
_FAILURES = frozenset({"malformed_model_output", "malformed_tool_use"})
"""What the model wrote could not be read as an answer; asked again, it may do better."""

_FINISH_OUT = {
    FinishReason.STOP: "end_turn",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "content_filtered",
}


def decode_finish(reported: Any, *, calls_tools: bool) -> FinishReason | UpstreamError | None:
    """None when no reason was given; a word that nobody documents counts as the end of the turn."""
    if not reported:
        return None
    word = str(reported)
    if word in _FAILURES:
        return UpstreamError(word, "the provider ended the answer with this stop reason")
    reason = _FINISH.get(word, FinishReason.STOP)
    return settled_finish(reason, has_tool_calls=calls_tools)


def encode_finish(reason: FinishReason | None) -> str:
    return _FINISH_OUT[reason or FinishReason.STOP]


def reported_error(body: Json) -> UpstreamError | None:
    """AWS's JSON errors have a message and, in the body or only in a header, a type."""
    if "output" in body or not ("message" in body or "__type" in body):
        return None
    return UpstreamError(str(body.get("__type") or ""), str(body.get("message") or ""))
