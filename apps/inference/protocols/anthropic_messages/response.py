"""A whole Messages answer, in both directions.

https://docs.claude.com/en/api/messages#response
Citations of documents travel in the verbatim lane only, those of the web in both.
"""

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import BlockKind, FinishReason, Opaque, Picture, UpstreamError
from apps.inference.canonical.failures import ErrorInsteadOfAnswer, MalformedUpstream
from apps.inference.canonical.response import ChatResponse, settled_finish, without_half_calls
from apps.inference.canonical.signatures import carrier, redacted_carrier, written
from apps.inference.protocols.anthropic_messages.citations import (
    decode_citations,
    encode_citations,
)
from apps.inference.protocols.anthropic_messages.encode_blocks import arguments_object
from apps.inference.protocols.anthropic_messages.usage import decode_usage, encode_usage

_WIRE = Wire.ANTHROPIC_MESSAGES
_FINISH = {
    "end_turn": FinishReason.STOP,
    "pause_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP_SEQUENCE,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}
_FINISH_OUT = {
    FinishReason.STOP: "end_turn",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


def decode_response(body: Json) -> ChatResponse:
    """Raises MalformedUpstream when the body is not of this wire, ErrorInsteadOfAnswer when it reports an error."""
    if (error := reported_error(body)) is not None:
        raise ErrorInsteadOfAnswer(error)
    try:
        blocks = tuple(_decode_block(block) for block in body["content"])
        calls_tools = any(isinstance(block, ToolCall) for block in blocks)
        finish = decode_finish(body.get("stop_reason"), calls_tools=calls_tools)
    except (AttributeError, KeyError, TypeError) as wrong:
        raise MalformedUpstream(f"not a message: {wrong!r}") from wrong
    return ChatResponse(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        blocks=blocks,
        finish=finish,
        stop_sequence=body.get("stop_sequence"),
        usage=decode_usage(body.get("usage")),
        usage_reported=bool(body.get("usage")),
    )


def decode_finish(reported: Any, *, calls_tools: bool) -> FinishReason | None:
    """None when no reason was given; a word that nobody documents counts as the end of the turn."""
    if not reported:
        return None
    reason = _FINISH.get(str(reported), FinishReason.STOP)
    return settled_finish(reason, has_tool_calls=calls_tools)


def reported_error(body: Json) -> UpstreamError | None:
    error = body.get("error")
    if not error and body.get("type") != "error":
        return None
    if not isinstance(error, dict):
        return UpstreamError("", str(error or ""))
    return UpstreamError(str(error.get("type") or ""), str(error.get("message") or ""))


def _decode_block(block: Json) -> Block:
    match block["type"]:
        case "text":
            return Text(block["text"], citations=decode_citations(block.get("citations")))
        case "thinking":
            signature = block.get("signature") or ""
            origin = _WIRE if signature else None
            return Reasoning(text=block["thinking"], signature=signature, origin=origin)
        case "tool_use":
            arguments = orjson.dumps(block["input"]).decode()
            return ToolCall(id=block["id"], name=block["name"], arguments=arguments)
        case _:
            return opaque_block(block)


def opaque_block(block: Json) -> Opaque:
    redacted = block["data"] if block["type"] == "redacted_thinking" else ""
    return Opaque(_WIRE, block, redacted=redacted)


def encode_response(
    response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
) -> Json:
    """Raises what ``without_half_calls`` raises."""
    response = without_half_calls(response)
    has_refusal = any(isinstance(block, Refusal) for block in response.blocks)
    return {
        "id": identity.id,
        "type": "message",
        "role": "assistant",
        "model": identity.model,
        "content": _encode_blocks(response.blocks, identity=identity),
        "stop_reason": encode_finish(response.finish, has_refusal=has_refusal),
        "stop_sequence": response.stop_sequence,
        "usage": encode_usage(usage, price=price),
    }


def encode_finish(reason: FinishReason | None, *, has_refusal: bool) -> str:
    if has_refusal and reason in (None, FinishReason.STOP):
        return "refusal"
    return _FINISH_OUT[reason or FinishReason.STOP]


def _encode_blocks(blocks: Sequence[Block], *, identity: AnswerIdentity) -> list[Json]:
    ids = UniqueCallIds(identity)
    encoded: list[Json] = []
    for block in blocks:
        proof = carrier(block) if isinstance(block, Text | ToolCall) else ""
        thought = [{"type": "thinking", "thinking": "", "signature": proof}] if proof else []
        said = encode_media(block) if isinstance(block, Opaque) else _encode_block(block, ids)
        encoded += thought + said if isinstance(block, ToolCall) else said + thought
    return encoded


def encode_media(part: Opaque) -> list[Json]:
    """A part of ours as it is; another wire's pictures in the block that requests have for them.

    Anthropic's own models paint none, and its clients are told to expect new kinds: https://docs.claude.com/en/api/versioning
    """
    if part.wire == _WIRE:
        return [part.payload]
    if proof := redacted_carrier(part, _WIRE):
        return [{"type": "thinking", "thinking": "", "signature": proof}]
    return [{"type": "image", "source": _source(one)} for one in part.pictures]


def _source(picture: Picture) -> Json:
    if picture.url:
        return {"type": "url", "url": picture.url}
    return {"type": "base64", "media_type": picture.media_type, "data": picture.data}


def _encode_block(block: Text | Refusal | Reasoning | ToolCall, ids: "UniqueCallIds") -> list[Json]:
    match block:
        case Text():
            text = {"type": "text", "text": block.text}
            return [text | encode_citations(block.citations)] if block.text else []
        case Refusal():
            return [{"type": "text", "text": block.text}] if block.text else []
        case Reasoning():
            kind = BlockKind.REASONING
            signature = written(block.signature, block.origin, own=_WIRE, kind=kind)
            return [{"type": "thinking", "thinking": block.text, "signature": signature}]
        case ToolCall():
            call = {"type": "tool_use", "id": ids.accept(block.id), "name": block.name}
            return [call | {"input": arguments_object(block.arguments)}]
        case _ as never:
            assert_never(never)


class UniqueCallIds:
    """Keeps a provider's id when it can: Anthropic's clients need one per call, and no two alike."""

    __slots__ = ("_identity", "_taken")

    def __init__(self, identity: AnswerIdentity, taken: Iterable[str] = ()) -> None:
        self._identity = identity
        self._taken = set(taken)

    def accept(self, call_id: str) -> str:
        if not call_id or call_id in self._taken:
            call_id = f"toolu_{self._identity.id}_{len(self._taken)}"
        self._taken.add(call_id)
        return call_id
