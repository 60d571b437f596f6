"""A generateContent stream for a client, from our events to Google's chunks.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
Grammar: chunks with parts, then one with the finish reason and usage. Text leaves as it comes; a call must leave whole, so
its arguments are gathered until its block ends.
"""

from dataclasses import dataclass, field
from itertools import takewhile
from typing import assert_never

import orjson

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Reasoning, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Cited,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.response import is_half, require_limit
from apps.inference.canonical.sse import encode_record
from apps.inference.protocols.gemini.errors import encode_stream_error
from apps.inference.protocols.gemini.finish import encode_finish
from apps.inference.protocols.gemini.response import (
    encode_answer,
    encode_call,
    encode_media,
    encode_text,
)
from apps.inference.protocols.gemini.usage import encode_usage


@dataclass(slots=True)
class _Call:
    start: BlockStarted
    arguments: list[str] = field(default_factory=list)
    is_finished: bool = False

    @property
    def is_half(self) -> bool:
        return is_half("".join(self.arguments))

    def encode(self) -> Json:
        call = self.start
        return encode_call(
            ToolCall(
                id=call.tool_call_id,
                name=call.tool_name,
                arguments="".join(self.arguments),
                signature=call.signature,
                origin=call.origin,
            )
        )


class GeminiStreamEncoder:
    __slots__ = ("_calls", "_finish", "_identity", "_kinds", "_price")

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage) -> None:
        self._identity = identity
        self._price = price
        self._finish: FinishReason | None = None
        self._kinds: dict[int, BlockKind] = {}
        """Kinds of the blocks of prose."""
        self._calls: dict[int, _Call] = {}
        """Calls that have not left yet, in order of opening."""

    def feed(self, event: Event) -> bytes:
        """Chunks for the client, possibly none. Errors are the caller's to encode."""
        match event:
            case BlockDelta():
                return self._delta(event)
            case BlockStarted():
                self._open(event)
                return b""
            case BlockFinished():
                return self._close(event.index)
            case Finished():
                self._finish = event.reason
                return b""
            case Opaque():
                return b"".join(map(self._chunk, encode_media(event)))
            case Started() | Cited() | UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event the reason given is ``STOP``.

        The last chunk has an empty text, as Google's own: its SDKs keep an answer in a chat's history only when every
        chunk has content (google-genai 3.4.0, ``chats._validate_response``).

        Raises MalformedUpstream when a call breaks off and no limit did it.
        """
        if any(call.is_half for call in self._calls.values()):
            require_limit(self._finish)
        calls = [self._chunk(call.encode()) for call in self._calls.values() if not call.is_half]
        last = encode_answer(
            [{"text": ""}],
            identity=self._identity,
            finish=encode_finish(self._finish),
            usage=encode_usage(usage, price=self._price),
        )
        return b"".join([*calls, encode_record(orjson.dumps(last))])

    def fail(self, error: GatewayzError) -> bytes:
        return encode_stream_error(error, request_id=self._identity.id)

    def _open(self, block: BlockStarted) -> None:
        if block.kind is BlockKind.TOOL_CALL:
            self._calls[block.index] = _Call(block)
        else:
            self._kinds[block.index] = block.kind

    def _delta(self, event: BlockDelta) -> bytes:
        kind = self._kinds.get(event.index)
        if kind is None:
            self._calls[event.index].arguments.append(event.text)
            return b""
        if not event.text and not event.signature:
            return b""
        proof, origin = event.signature, event.origin
        if kind is BlockKind.REASONING:
            thought = Reasoning(text=event.text, signature=proof, origin=origin)
            return self._chunk(encode_text(thought))
        return self._chunk(encode_text(Text(event.text, signature=proof, origin=origin)))

    def _close(self, index: int) -> bytes:
        """The calls that are whole and wait for no earlier one; whether half a call is a fault, the finish reason tells."""
        if index not in self._calls or self._calls[index].is_half:
            return b""
        self._calls[index].is_finished = True
        whole = list(takewhile(lambda item: item[1].is_finished, self._calls.items()))
        for left, _ in whole:
            del self._calls[left]
        return b"".join(self._chunk(call.encode()) for _, call in whole)

    def _chunk(self, part: Json) -> bytes:
        return encode_record(orjson.dumps(encode_answer([part], identity=self._identity)))


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> GeminiStreamEncoder:
    """``include_usage`` changes nothing here: the last chunk always carries usage."""
    return GeminiStreamEncoder(identity=identity, price=price)
