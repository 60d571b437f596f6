"""A Messages stream for a client, from our events to Anthropic's.

https://docs.claude.com/en/docs/build-with-claude/streaming
Grammar: message_start, (content_block_start, content_block_delta*, content_block_stop)*, message_delta, message_stop.
Anthropic's blocks never overlap and ours may, so blocks that begin while another is open wait in a queue. A block's end is
told with the next block or with the answer's end: until then it may be a host's that breaks off, and another goes on with it.
"""

from collections import deque
from dataclasses import dataclass, field
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
    Cited,
    Event,
    Finished,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.signatures import cover, written
from apps.inference.canonical.sse import encode_record
from apps.inference.protocols.anthropic_messages.citations import encode_citation
from apps.inference.protocols.anthropic_messages.errors import encode_stream_error
from apps.inference.protocols.anthropic_messages.response import (
    UniqueCallIds,
    encode_finish,
    encode_media,
)
from apps.inference.protocols.anthropic_messages.usage import encode_usage

_WIRE = Wire.ANTHROPIC_MESSAGES
_NO_BLOCK = -1
"""The index of a block that no event speaks of."""


@dataclass(slots=True)
class _Waiting:
    """A block in the queue. The first one is open; the deltas of the others are held until their turn."""

    start: BlockStarted | Json
    """A block that comes whole is written already."""
    deltas: list[BlockDelta | Cited] = field(default_factory=list)
    is_finished: bool = False


class AnthropicStreamEncoder:
    __slots__ = (
        "_call_ids", "_finish", "_has_refusal", "_identity", "_position", "_price", "_queue",
        "_started",
    )  # fmt: skip

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage) -> None:
        self._identity = identity
        self._price = price
        self._call_ids = UniqueCallIds(identity)
        self._started = False
        self._finish: Finished | None = None
        self._has_refusal = False
        self._queue: deque[_Waiting] = deque()
        self._position = 0
        """Anthropic's index of the block that is open, or of the next one."""

    def feed(self, event: Event) -> bytes:
        """Records for the client, possibly none. Errors are the caller's to encode."""
        match event:
            case BlockDelta():
                return self._take_delta(event)
            case BlockStarted():
                return self._message_start() + self._enqueue_block(event)
            case Cited():
                return self._take_citation(event)
            case BlockFinished():
                return self._finish_block(event.index)
            case Started():
                return self._message_start()
            case Finished():
                self._finish = event
                return b""
            case Opaque():
                blocks = [_Waiting(block, is_finished=True) for block in encode_media(event)]
                return b"".join([self._message_start() + self._enqueue(block) for block in blocks])
            case UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event the reason given is ``end_turn``."""
        records = [self._message_start()]
        for block in self._queue:
            block.is_finished = True
        records.append(self._close_finished())
        if self._queue:
            records.append(self._block_stop())
        records.append(self._message_delta(usage))
        records.append(_record({"type": "message_stop"}))
        return b"".join(records)

    def fail(self, error: GatewayzError) -> bytes:
        return encode_stream_error(error, request_id=self._identity.id)

    def _message_start(self) -> bytes:
        """Usage is not known yet: the zeros here are superseded by message_delta, whose counts are cumulative."""
        if self._started:
            return b""
        self._started = True
        message: Json = {
            "id": self._identity.id,
            "type": "message",
            "role": "assistant",
            "model": self._identity.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": encode_usage(Usage(), price=lambda _: {}),
        }
        return _record({"type": "message_start", "message": message})

    def _message_delta(self, usage: Usage) -> bytes:
        finish = self._finish
        reason = encode_finish(finish.reason if finish else None, has_refusal=self._has_refusal)
        delta = {"stop_reason": reason, "stop_sequence": finish.stop_sequence if finish else None}
        meters = encode_usage(usage, price=self._price)
        return _record({"type": "message_delta", "delta": delta, "usage": meters})

    def _enqueue(self, block: _Waiting) -> bytes:
        self._queue.append(block)
        return self._close_finished() if len(self._queue) > 1 else self._open_first()

    def _enqueue_block(self, event: BlockStarted) -> bytes:
        proof = b""
        if event.signature and event.origin is not None:
            proof = self._enqueue(_carrier(event.signature, event.origin, event.kind))
        return proof + self._enqueue(_Waiting(event))

    def _take_delta(self, event: BlockDelta) -> bytes:
        place, block, kind = self._find(event.index)
        if event.signature and event.origin is not None and kind is BlockKind.TEXT:
            self._queue.insert(place + 1, _carrier(event.signature, event.origin, kind))
        if place == 0:
            return self._delta(kind, event)
        block.deltas.append(event)
        return b""

    def _take_citation(self, event: Cited) -> bytes:
        place, block, kind = self._find(event.index)
        if place == 0:
            return self._delta(kind, event)
        block.deltas.append(event)
        return b""

    def _finish_block(self, index: int) -> bytes:
        _, block, _ = self._find(index)
        block.is_finished = True
        return self._close_finished()

    def _find(self, index: int) -> tuple[int, _Waiting, BlockKind]:
        for place, block in enumerate(self._queue):
            if isinstance(block.start, BlockStarted) and block.start.index == index:
                return place, block, block.start.kind
        raise KeyError(index)

    def _close_finished(self) -> bytes:
        """Closes the open block if it is finished, opens the next, and so on until one is unfinished or the last."""
        records = []
        while len(self._queue) > 1 and self._queue[0].is_finished:
            records += [self._block_stop(), self._open_first()]
        return b"".join(records)

    def _block_stop(self) -> bytes:
        self._queue.popleft()
        self._position += 1
        return _record({"type": "content_block_stop", "index": self._position - 1})

    def _open_first(self) -> bytes:
        first = self._queue[0]
        start = first.start
        if not isinstance(start, BlockStarted):
            return self._block_start(start)
        records = [self._block_start(self._empty_block(start))]
        records.extend(self._delta(start.kind, delta) for delta in first.deltas)
        first.deltas.clear()
        return b"".join(records)

    def _block_start(self, block: Json) -> bytes:
        return _record(
            {"type": "content_block_start", "index": self._position, "content_block": block}
        )

    def _empty_block(self, start: BlockStarted) -> Json:
        match start.kind:
            case BlockKind.TEXT:
                return {"type": "text", "text": ""}
            case BlockKind.REFUSAL:
                self._has_refusal = True
                return {"type": "text", "text": ""}
            case BlockKind.REASONING:
                return {"type": "thinking", "thinking": "", "signature": ""}
            case BlockKind.TOOL_CALL:
                call_id = self._call_ids.accept(start.tool_call_id)
                return {"type": "tool_use", "id": call_id, "name": start.tool_name, "input": {}}
            case _ as never:
                assert_never(never)

    def _delta(self, kind: BlockKind, event: BlockDelta | Cited) -> bytes:
        if isinstance(event, Cited):
            citation = encode_citation(event.citation)
            return self._block_delta({"type": "citations_delta", "citation": citation})
        match kind:
            case BlockKind.TEXT | BlockKind.REFUSAL:
                delta = {"type": "text_delta", "text": event.text}
            case BlockKind.TOOL_CALL:
                delta = {"type": "input_json_delta", "partial_json": event.text}
            case BlockKind.REASONING:
                return self._thinking(event)
            case _ as never:
                assert_never(never)
        return self._block_delta(delta)

    def _thinking(self, event: BlockDelta) -> bytes:
        records = []
        if event.text:
            records.append(self._block_delta({"type": "thinking_delta", "thinking": event.text}))
        if event.signature:
            kind = BlockKind.REASONING
            signature = written(event.signature, event.origin, own=_WIRE, kind=kind)
            delta = {"type": "signature_delta", "signature": signature}
            records.append(self._block_delta(delta))
        return b"".join(records)

    def _block_delta(self, delta: Json) -> bytes:
        return _record({"type": "content_block_delta", "index": self._position, "delta": delta})


def _carrier(signature: str, origin: Wire, kind: BlockKind) -> _Waiting:
    """A thinking block without text, for a signature that Anthropic has no other place for."""
    covered = cover(signature, origin=origin, kind=kind)
    start = BlockStarted(_NO_BLOCK, BlockKind.REASONING)
    return _Waiting(start, [BlockDelta(_NO_BLOCK, "", covered)], is_finished=True)


def _record(payload: Json) -> bytes:
    return encode_record(orjson.dumps(payload), event=payload["type"])


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> AnthropicStreamEncoder:
    """``include_usage`` changes nothing here: a message always carries its usage."""
    return AnthropicStreamEncoder(identity=identity, price=price)
