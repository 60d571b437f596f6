"""A Chat Completions stream for a client, from events to chunks.

https://platform.openai.com/docs/api-reference/chat/streaming
Grammar: role chunk, delta chunks, one finish chunk, the usage chunk if asked for, ``[DONE]``.
Everything but the delta is the same in every chunk of an answer, so it is written once.
"""

from typing import assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.sse import encode_record
from apps.inference.protocols.openai_chat.errors import encode_stream_error
from apps.inference.protocols.openai_chat.google_keys import encode_signature
from apps.inference.protocols.openai_chat.response import encode_finish, made_up_call_id
from apps.inference.protocols.openai_chat.usage import encode_usage

_DELTA_KEYS = {
    BlockKind.TEXT: "content",
    BlockKind.REASONING: "reasoning_content",
    BlockKind.REFUSAL: "refusal",
}


class OpenAIStreamEncoder:
    __slots__ = (
        "_calls", "_finish", "_head", "_identity", "_keys", "_price", "_started", "_tail",
        "_wants_usage",
    )  # fmt: skip

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool) -> None:
        self._identity = identity
        self._price = price
        self._wants_usage = include_usage
        self._started = False
        self._finish: FinishReason | None = None
        self._keys: dict[int, str] = {}
        """Delta key of each block of prose."""
        self._calls: dict[int, int] = {}
        """Our block index to OpenAI's index of the tool call."""
        self._head, self._tail = self._frame()

    def feed(self, event: Event) -> bytes:
        """Chunks for the client, possibly none. Errors are the caller's to encode."""
        match event:
            case BlockDelta():
                return self._delta(event)
            case BlockStarted():
                return self._role() + self._open(event)
            case Started():
                return self._role()
            case Finished():
                self._finish = event.reason
                return b""
            case Opaque():
                is_own = event.wire == Wire.OPENAI_CHAT
                return self._role() + self._chunk(event.payload) if is_own else b""
            case BlockFinished() | UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event the reason given is ``stop``."""
        records = [self._role(), self._finish_chunk()]
        if self._wants_usage:
            records.append(self._usage_chunk(usage))
        records.append(encode_record(b"[DONE]"))
        return b"".join(records)

    def fail(self, error: GatewayzError) -> bytes:
        return encode_stream_error(error, request_id=self._identity.id)

    def _role(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _open(self, block: BlockStarted) -> bytes:
        if block.kind is not BlockKind.TOOL_CALL:
            self._keys[block.index] = _DELTA_KEYS[block.kind]
            return b""
        position = self._calls[block.index] = len(self._calls)
        made_up = made_up_call_id(answer_id=self._identity.id, position=position)
        call = {
            "index": position,
            "id": block.tool_call_id or made_up,
            "type": "function",
            "function": {"name": block.tool_name, "arguments": ""},
            **encode_signature(block.signature, block.origin),
        }
        return self._chunk({"tool_calls": [call]})

    def _delta(self, event: BlockDelta) -> bytes:
        key = self._keys.get(event.index)
        proof = encode_signature(event.signature, event.origin) if key == "content" else {}
        if proof:
            return self._chunk({"content": event.text, **proof})
        if not event.text:
            return b""  # a signature of reasoning: OpenAI has no place for it
        if key is not None:
            return self._chunk({key: event.text})
        function = {"arguments": event.text}
        return self._chunk(
            {"tool_calls": [{"index": self._calls[event.index], "function": function}]}
        )

    def _chunk(self, delta: Json) -> bytes:
        return self._head + orjson.dumps(delta) + self._tail

    def _finish_chunk(self) -> bytes:
        choice = {
            "index": 0,
            "delta": {},
            "logprobs": None,
            "finish_reason": encode_finish(self._finish),
        }
        chunk = self._envelope() | {"choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return encode_record(orjson.dumps(chunk))

    def _usage_chunk(self, usage: Usage) -> bytes:
        chunk = self._envelope() | {"choices": [], "usage": encode_usage(usage, price=self._price)}
        return encode_record(orjson.dumps(chunk))

    def _envelope(self) -> Json:
        return {
            "id": self._identity.id,
            "object": "chat.completion.chunk",
            "created": self._identity.created,
            "model": self._identity.model,
            "system_fingerprint": None,
        }

    def _frame(self) -> tuple[bytes, bytes]:
        """What stands before and after the delta of a chunk."""
        envelope = orjson.dumps(self._envelope())
        head = b"data: " + envelope[:-1] + b',"choices":[{"index":0,"delta":'
        usage = b',"usage":null' if self._wants_usage else b""
        return head, b',"logprobs":null,"finish_reason":null}]' + usage + b"}\n\n"


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> OpenAIStreamEncoder:
    return OpenAIStreamEncoder(identity=identity, price=price, include_usage=include_usage)
