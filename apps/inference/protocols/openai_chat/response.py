"""A whole Chat Completions answer, in both directions.

https://platform.openai.com/docs/api-reference/chat/object
Only the first choice is read: several choices (``n``) travel in the verbatim lane, as log probabilities do.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import FinishReason, Opaque, UpstreamError
from apps.inference.canonical.failures import ErrorInsteadOfAnswer, MalformedUpstream
from apps.inference.canonical.response import ChatResponse, settled_finish
from apps.inference.protocols.openai_chat.google_keys import (
    encode_signature,
    origin_of,
    read_signature,
)
from apps.inference.protocols.openai_chat.usage import decode_usage, encode_usage

KNOWN_MESSAGE_KEYS = frozenset(
    {
        "role", "content", "refusal", "tool_calls", "function_call",
        "reasoning", "reasoning_content", "reasoning_details", "extra_content",
    }
)  # fmt: skip

_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    # Words of hosts that otherwise follow OpenAI.
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "safety": FinishReason.CONTENT_FILTER,
}
_FAILURES = frozenset({"error", "insufficient_system_resource"})
"""Reasons that mean the provider gave up: https://api-docs.deepseek.com/api/create-chat-completion"""

_FINISH_OUT = {
    FinishReason.STOP: "stop",
    FinishReason.STOP_SEQUENCE: "stop",
    FinishReason.LENGTH: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.CONTENT_FILTER: "content_filter",
}


def decode_response(body: Json) -> ChatResponse:
    """Raises MalformedUpstream when the body is not of this wire, ErrorInsteadOfAnswer when it reports an error."""
    if (error := reported_error(body)) is not None:
        raise ErrorInsteadOfAnswer(error)
    try:
        choice = body["choices"][0]
        message = choice["message"]
        answer_id = str(body.get("id") or "")
        blocks = _decode_blocks(message, answer_id=answer_id)
        finish = decode_finish(choice.get("finish_reason"), calls_tools=_calls_tools(blocks))
    except (AttributeError, IndexError, KeyError, TypeError) as wrong:
        raise MalformedUpstream(f"not a chat completion: {wrong!r}") from wrong
    if isinstance(finish, UpstreamError):
        raise ErrorInsteadOfAnswer(finish)
    return ChatResponse(
        id=answer_id,
        model=str(body.get("model") or ""),
        blocks=blocks,
        finish=finish,
        usage=decode_usage(body.get("usage")),
        usage_reported=bool(body.get("usage")),
    )


def decode_finish(reported: Any, *, calls_tools: bool) -> FinishReason | UpstreamError | None:
    """None when no reason was given; a word that nobody documents counts as ``stop``."""
    if not reported:
        return None
    if reported in _FAILURES:
        return UpstreamError(str(reported), "the provider ended the answer with this finish reason")
    reason = _FINISH.get(str(reported), FinishReason.STOP)
    return settled_finish(reason, has_tool_calls=calls_tools)


def reported_error(body: Json) -> UpstreamError | None:
    """An error in place of an answer: ``{"error": …}``, or a bare object of type ``error`` as older vLLM sends."""
    error = body.get("error")
    if not error and body.get("object") != "error":
        return None
    if not isinstance(error, dict):
        error = body if not error else {"message": error}
    code = error.get("code") or error.get("type") or ""
    return UpstreamError(str(code), str(error.get("message") or ""))


def prose_pieces(content: Any) -> list[tuple[str, bool]]:
    """Text pieces of ``content`` and whether each is reasoning.

    A string everywhere but with Mistral's reasoning models, which send a list of typed parts:
    https://docs.mistral.ai/capabilities/reasoning/
    """
    if not content:
        return []
    if isinstance(content, str):
        return [(content, False)]
    pieces: list[tuple[str, bool]] = []
    for part in content:
        if part.get("type") == "thinking":
            pieces.extend((str(piece["text"]), True) for piece in part["thinking"])
        elif text := part.get("text"):
            pieces.append((str(text), False))
    return pieces


def reasoning_text(message: Json) -> str:
    """Reasoning of a message or delta. Hosts that fill several keys repeat the same text in each."""
    if text := message.get("reasoning_content") or message.get("reasoning"):
        return str(text)
    details = message.get("reasoning_details")
    if not details:
        return ""
    return "".join(detail.get("text") or detail.get("summary") or "" for detail in details)


def arguments_text(arguments: Any) -> str:
    """Arguments are JSON text; a few hosts send the object itself."""
    if not arguments:
        return ""
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()


def unmodelled(message: Json) -> Json:
    """Keys with a value that we have no word for, as annotations and audio."""
    return {key: value for key, value in message.items() if value and key not in KNOWN_MESSAGE_KEYS}


def made_up_call_id(*, answer_id: str, position: int) -> str:
    """For hosts that give tool calls no id. Unique in a conversation, because the answer's id is."""
    return f"call_{answer_id}_{position}"


def _decode_blocks(message: Json, *, answer_id: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    thought = reasoning_text(message)
    pieces = prose_pieces(message.get("content"))
    thought += "".join(text for text, is_reasoning in pieces if is_reasoning)
    if thought:
        blocks.append(Reasoning(text=thought))
    text = "".join(text for text, is_reasoning in pieces if not is_reasoning)
    signature = read_signature(message)
    if text or signature:
        blocks.append(Text(text, signature=signature, origin=origin_of(signature)))
    if refusal := message.get("refusal"):
        blocks.append(Refusal(str(refusal)))
    for position, call in enumerate(message.get("tool_calls") or ()):
        blocks.append(_decode_call(call, answer_id=answer_id, position=position))
    if rest := unmodelled(message):
        blocks.append(Opaque(Wire.OPENAI_CHAT, rest))
    return tuple(blocks)


def _decode_call(call: Json, *, answer_id: str, position: int) -> ToolCall:
    function = call["function"]
    signature = read_signature(call)
    return ToolCall(
        id=str(call.get("id") or made_up_call_id(answer_id=answer_id, position=position)),
        name=str(function["name"]),
        arguments=arguments_text(function.get("arguments")),
        signature=signature,
        origin=origin_of(signature),
    )


def _calls_tools(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block, ToolCall) for block in blocks)


def encode_finish(reason: FinishReason | None) -> str:
    return _FINISH_OUT[reason or FinishReason.STOP]


def encode_response(
    response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
) -> Json:
    return {
        "id": identity.id,
        "object": "chat.completion",
        "created": identity.created,
        "model": identity.model,
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": _encode_message(response.blocks, identity=identity),
                "logprobs": None,
                "finish_reason": encode_finish(response.finish),
            }
        ],
        "usage": encode_usage(usage, price=price),
    }


def _encode_message(blocks: Sequence[Block], *, identity: AnswerIdentity) -> Json:
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    calls: list[Json] = []
    rest: Json = {}
    for block in blocks:
        match block:
            case Text():
                texts.append(block.text)
                rest |= encode_signature(block.signature, block.origin)
            case Reasoning():
                thoughts.append(block.text)
            case Refusal():
                refusals.append(block.text)
            case ToolCall():
                made_up = made_up_call_id(answer_id=identity.id, position=len(calls))
                function = {"name": block.name, "arguments": block.arguments}
                call = {"id": block.id or made_up, "type": "function", "function": function}
                calls.append(call | encode_signature(block.signature, block.origin))
            case Opaque():
                rest |= block.payload if block.wire == Wire.OPENAI_CHAT else {}
            case _ as never:
                assert_never(never)
    message: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
    message["refusal"] = "".join(refusals) or None
    if thought := "".join(thoughts):
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message | rest
