"""A whole Converse answer, in both directions.

The answer has neither id nor model: both stand in the request's URL and in headers. Citations keep their text only.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import BlockKind, Opaque, UpstreamError
from apps.inference.canonical.failures import ErrorInsteadOfAnswer, MalformedUpstream
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.signatures import carrier, written
from apps.inference.protocols.bedrock_converse.encode_blocks import acceptable_id, arguments_object
from apps.inference.protocols.bedrock_converse.finish import (
    decode_finish,
    encode_finish,
    reported_error,
)
from apps.inference.protocols.bedrock_converse.usage import decode_usage, encode_usage

_WIRE = Wire.BEDROCK_CONVERSE
UNMEASURED: Json = {"latencyMs": 0}
"""Amazon's clients expect a latency; a codec has no clock."""


def decode_response(body: Json) -> ChatResponse:
    """Raises MalformedUpstream when the body is not of this wire, ErrorInsteadOfAnswer when it reports an error."""
    if (error := reported_error(body)) is not None:
        raise ErrorInsteadOfAnswer(error)
    try:
        blocks = tuple(_decode_block(block) for block in body["output"]["message"]["content"])
        calls_tools = any(isinstance(block, ToolCall) for block in blocks)
        finish = decode_finish(body.get("stopReason"), calls_tools=calls_tools)
    except (AttributeError, KeyError, TypeError) as wrong:
        raise MalformedUpstream(f"not a Converse answer: {wrong!r}") from wrong
    if isinstance(finish, UpstreamError):
        raise ErrorInsteadOfAnswer(finish)
    return ChatResponse(
        id="",
        model="",
        blocks=blocks,
        finish=finish,
        usage=decode_usage(body.get("usage")),
        usage_reported=bool(body.get("usage")),
    )


def _decode_block(block: Json) -> Block:
    match block:
        case {"text": str(text)}:
            return Text(text)
        case {"toolUse": {"toolUseId": str(call_id), "name": str(name), **use}} if (
            "type" not in use
        ):
            arguments = orjson.dumps(use.get("input") or {}).decode()
            return ToolCall(id=call_id, name=name, arguments=arguments)
        case {"reasoningContent": {"reasoningText": {"text": str(text), **proof}}}:
            signature = str(proof.get("signature") or "")
            origin = _WIRE if signature else None
            return Reasoning(text=text, signature=signature, origin=origin)
        case {"citationsContent": {"content": list(pieces)}}:
            return Text("".join(piece["text"] for piece in pieces))
        case dict():
            thought = block.get("reasoningContent") or {}
            return Opaque(_WIRE, block, redacted=thought.get("redactedContent") or "")
        case _:
            raise TypeError("a block is not an object")


def encode_response(
    response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
) -> Json:
    content = _encode_blocks(response.blocks, identity=identity)
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": encode_finish(response.finish),
        "usage": encode_usage(usage, price=price),
        "metrics": UNMEASURED,
    }


def _encode_blocks(blocks: Sequence[Block], *, identity: AnswerIdentity) -> list[Json]:
    ids = UniqueCallIds(identity)
    encoded: list[Json] = []
    for block in blocks:
        proof = carrier(block) if isinstance(block, Text | ToolCall) else ""
        thought = [_thought("", proof)] if proof else []
        said = _encode_block(block, ids)
        encoded += thought + said if isinstance(block, ToolCall) else said + thought
    return encoded


def _encode_block(block: Block, ids: "UniqueCallIds") -> list[Json]:
    match block:
        case Text() | Refusal():
            return [{"text": block.text}] if block.text else []
        case Reasoning():
            kind = BlockKind.REASONING
            signature = written(block.signature, block.origin, own=_WIRE, kind=kind)
            return [_thought(block.text, signature)] if block.text or signature else []
        case ToolCall():
            arguments = arguments_object(block.arguments)
            use = {"toolUseId": ids.accept(block.id), "name": block.name, "input": arguments}
            return [{"toolUse": use}]
        case Opaque():
            return [block.payload] if block.wire == _WIRE else []
        case _ as never:
            assert_never(never)


def _thought(text: str, signature: str) -> Json:
    said = {"text": text} | ({"signature": signature} if signature else {})
    return {"reasoningContent": {"reasoningText": said}}


class UniqueCallIds:
    """Keeps a provider's id when Amazon's clients would take it: one per call, and no two alike."""

    __slots__ = ("_identity", "_taken")

    def __init__(self, identity: AnswerIdentity, taken: Iterable[str] = ()) -> None:
        self._identity = identity
        self._taken = set(taken)

    def accept(self, call_id: str) -> str:
        accepted = acceptable_id(call_id)
        if not accepted or accepted in self._taken:
            accepted = acceptable_id(f"tooluse_{self._identity.id}_{len(self._taken)}")
        self._taken.add(accepted)
        return accepted
