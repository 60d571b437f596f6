"""A whole Chat Completions answer, in both directions.

https://platform.openai.com/docs/api-reference/chat/object
Only the first choice is read: several choices (``n``) travel in the verbatim lane, as log probabilities do.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.citations import (
    is_url_citation,
    read_citations,
    write_citation,
)
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import Citation, FinishReason, Opaque, UpstreamError
from apps.inference.canonical.failures import ErrorInsteadOfAnswer, MalformedUpstream, only_text
from apps.inference.canonical.response import ChatResponse, settled_finish
from apps.inference.canonical.text_tools import to_input
from apps.inference.protocols.openai_chat.custom_tools import custom_call, echoed_custom_names
from apps.inference.protocols.openai_chat.functions import wants_functions
from apps.inference.protocols.openai_chat.google_keys import (
    encode_signature,
    origin_of,
    read_signature,
)
from apps.inference.protocols.openai_chat.media import (
    encode_pictures,
    encode_sound,
    read_pictures,
    transcript_of,
)
from apps.inference.protocols.openai_chat.reasoning import REASONING_KEYS, reasoning_text
from apps.inference.protocols.openai_chat.usage import decode_usage, encode_usage

KNOWN_MESSAGE_KEYS = frozenset(
    {
        "role", "content", "refusal", "tool_calls", "function_call", "extra_content",
        *REASONING_KEYS,
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
FAILURES = frozenset({"error", "abort", "cancelled", "timeout", "insufficient_system_resource"})
"""Reasons that mean the host gave up, behind which the stream may end as though it were whole.

vLLM and SGLang say ``abort`` when their engine stops or pauses (https://github.com/vllm-project/vllm/issues/57082), TensorRT-LLM
``timeout`` and ``cancelled``, DeepSeek the last: https://api-docs.deepseek.com/api/create-chat-completion. Text Generation
Inference has none. vLLM's ``repetition`` is the model's doing, and no failure.
"""

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
    if str(reported) in FAILURES:
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
    if not isinstance(content, list):
        text = only_text(content)
        return [(text, False)] if text else []
    pieces: list[tuple[str, bool]] = []
    for part in content:
        if part.get("type") == "thinking":
            pieces.extend((str(piece["text"]), True) for piece in part["thinking"])
        elif text := part.get("text"):
            pieces.append((str(text), False))
    return pieces


def calls_of(message: Json) -> list[Json]:
    """The tool calls of a message or delta; the one of ``function_call``, their deprecated form, is number 0.

    https://platform.openai.com/docs/api-reference/chat/object; hosts that fill both say the same call twice.
    """
    if calls := message.get("tool_calls"):
        return list(calls)
    legacy = message.get("function_call")
    return [{"index": 0, "function": legacy}] if legacy else []


def arguments_text(arguments: Any) -> str:
    """Arguments are JSON text; a few hosts send the object itself."""
    if not arguments:
        return ""
    if isinstance(arguments, dict):
        return orjson.dumps(arguments).decode()
    return only_text(arguments)


def unmodelled(message: Json) -> Json:
    """Keys with a value that we have no word for, as audio."""
    return {key: value for key, value in message.items() if value and key not in KNOWN_MESSAGE_KEYS}


def beside(rest: Json) -> Opaque:
    """What a message or delta holds beside what is modelled."""
    return Opaque(Wire.OPENAI_CHAT, rest, pictures=read_pictures(rest.get("images")))


def take_citations(rest: Json) -> tuple[Citation, ...]:
    """The pages that a message or delta cites, taken out of its ``annotations``; spans count from the message's start."""
    annotations = rest.get("annotations")
    citations = read_citations(annotations)
    if citations and isinstance(annotations, list):
        rest["annotations"] = [other for other in annotations if not is_url_citation(other)]
        if not rest["annotations"]:
            del rest["annotations"]
    return citations


def encode_annotation(citation: Citation, *, length: int, offset: int) -> Json:
    fields = write_citation(citation, length=length, offset=offset)
    return {"type": "url_citation", "url_citation": fields}


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
    text = text or transcript_of(message)
    signature = read_signature(message)
    rest = unmodelled(message)
    citations = take_citations(rest)
    if text or signature:
        origin = origin_of(signature)
        blocks.append(Text(text, signature=signature, origin=origin, citations=citations))
    if refusal := only_text(message.get("refusal")):
        blocks.append(Refusal(refusal))
    for position, call in enumerate(calls_of(message)):
        blocks.append(_decode_call(call, answer_id=answer_id, position=position))
    if rest:
        blocks.append(beside(rest))
    return tuple(blocks)


def _decode_call(call: Json, *, answer_id: str, position: int) -> ToolCall:
    function = call["function"]
    if not function["name"]:
        raise MalformedUpstream("a tool call without a name")
    signature = read_signature(call)
    return ToolCall(
        id=str(call.get("id") or made_up_call_id(answer_id=answer_id, position=position)),
        name=only_text(function["name"]),
        arguments=arguments_text(function.get("arguments")),
        signature=signature,
        origin=origin_of(signature),
    )


def _calls_tools(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block, ToolCall) for block in blocks)


def encode_finish(reason: FinishReason | None, *, identity: AnswerIdentity) -> str:
    if reason is FinishReason.TOOL_CALLS and wants_functions(identity.echo):
        return "function_call"
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
                "finish_reason": encode_finish(response.finish, identity=identity),
            }
        ],
        "usage": encode_usage(usage, price=price),
    }


def _encode_message(blocks: Sequence[Block], *, identity: AnswerIdentity) -> Json:
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    calls: list[Json] = []
    annotations: list[Json] = []
    images: list[Json] = []
    rest: Json = {}
    custom = echoed_custom_names(identity.echo)
    for block in blocks:
        match block:
            case Text():
                length, offset = len(block.text), sum(map(len, texts))
                annotations.extend(
                    encode_annotation(citation, length=length, offset=offset)
                    for citation in block.citations
                )
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
                if block.name in custom:
                    said = custom_call(block.name, to_input(block.arguments))
                    call = {"id": call["id"], **said}
                calls.append(call | encode_signature(block.signature, block.origin))
            case Opaque():
                images += encode_pictures(block, position=len(images))
                rest |= _encode_beside(block, identity)
            case _ as never:
                assert_never(never)
    message: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
    message["refusal"] = "".join(refusals) or None
    if thought := "".join(thoughts):
        message["reasoning_content"] = thought
    if calls and wants_functions(identity.echo):
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    if annotations:
        rest["annotations"] = annotations + rest.get("annotations", [])
    if images:
        message["images"] = images
    return message | rest


def _encode_beside(block: Opaque, identity: AnswerIdentity) -> Json:
    if block.wire == Wire.OPENAI_CHAT:
        return block.payload
    if block.sound:
        sound = encode_sound(block.sound, answer_id=identity.id, created=identity.created)
        return {"audio": sound}
    return {}
