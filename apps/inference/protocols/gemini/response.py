"""A whole generateContent answer, in both directions.

https://ai.google.dev/api/generate-content#generatecontentresponse
A chunk of a stream has the same form, so a whole answer is read as a stream of one chunk. Only the first candidate is
read. Grounding, citations and log probabilities travel in the verbatim lane only.
"""

from collections.abc import Sequence
from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import BlockKind, Opaque
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.fold import fold
from apps.inference.canonical.response import ChatResponse, without_half_calls
from apps.inference.canonical.signatures import redacted_carrier, written
from apps.inference.protocols.gemini.encode_contents import arguments_object
from apps.inference.protocols.gemini.finish import encode_finish, reported_error
from apps.inference.protocols.gemini.stream_decoder import stream_decoder
from apps.inference.protocols.gemini.usage import encode_usage

_ANSWER_KEYS = frozenset({"candidates", "promptFeedback", "usageMetadata"})


def decode_response(body: Json) -> ChatResponse:
    """Raises MalformedUpstream when the body is not of this wire, ErrorInsteadOfAnswer when it reports an error."""
    if not _ANSWER_KEYS & body.keys() and reported_error(body) is None:
        raise MalformedUpstream("not a generateContent answer")
    decoder = stream_decoder()
    return fold([*decoder.read(body), *decoder.flush()])


def encode_response(
    response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
) -> Json:
    """Raises what ``without_half_calls`` raises."""
    return encode_answer(
        _encode_blocks(without_half_calls(response).blocks),
        finish=encode_finish(response.finish),
        usage=encode_usage(usage, price=price),
        identity=identity,
    )


def encode_answer(
    parts: Sequence[Json], *, identity: AnswerIdentity, finish: str = "", usage: Json | None = None
) -> Json:
    """A whole answer, or a chunk of one: then without a finish reason and usage until the last."""
    candidate: Json = {"content": {"parts": parts, "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    candidate["index"] = 0
    body: Json = {"candidates": [candidate]}
    if usage is not None:
        body["usageMetadata"] = usage
    return body | {"modelVersion": identity.model, "responseId": identity.id}


def encode_text(block: Text | Reasoning) -> Json:
    if isinstance(block, Text):
        return {"text": block.text} | _proof(block, BlockKind.TEXT)
    return {"text": block.text, "thought": True} | _proof(block, BlockKind.REASONING)


def encode_call(call: ToolCall) -> Json:
    function = {"name": call.name, "args": arguments_object(call.arguments)}
    if call.id:
        function["id"] = call.id
    return {"functionCall": function} | _proof(call, BlockKind.TOOL_CALL)


def encode_media(part: Opaque) -> list[Json]:
    """What Google's format can say of another wire's part; its own as it is."""
    if part.wire == Wire.GEMINI:
        return [part.payload]
    if proof := redacted_carrier(part, Wire.GEMINI):
        return [{"text": "", "thought": True, "thoughtSignature": proof}]
    return [
        {"fileData": {"fileUri": one.url}}
        if one.url
        else {"inlineData": {"mimeType": one.media_type, "data": one.data}}
        for one in part.pictures
    ]


def _proof(block: Text | Reasoning | ToolCall, kind: BlockKind) -> Json:
    found = written(block.signature, block.origin, own=Wire.GEMINI, kind=kind)
    return {"thoughtSignature": found} if found else {}


def _encode_blocks(blocks: Sequence[Block]) -> list[Json]:
    return [part for block in blocks for part in _encode_block(block)]


def _encode_block(block: Block) -> list[Json]:
    match block:
        case Text():
            return [encode_text(block)] if block.text or block.signature else []
        case Refusal():
            return [{"text": block.text}] if block.text else []
        case Reasoning():
            return [encode_text(block)]
        case ToolCall():
            return [encode_call(block)]
        case Opaque():
            return encode_media(block)
        case _ as never:
            assert_never(never)
