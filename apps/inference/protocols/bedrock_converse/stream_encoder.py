"""A Converse stream for a client, from our events to Amazon's.

Grammar: messageStart, (contentBlockStart?, contentBlockDelta*, contentBlockStop)*, messageStop, metadata; blocks one after
the other. Only tool calls have a contentBlockStart.
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
    Cited,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.eventstream import encode_message
from apps.inference.canonical.sequence import Sequence
from apps.inference.canonical.signatures import cover, written
from apps.inference.protocols.bedrock_converse.errors import encode_stream_error
from apps.inference.protocols.bedrock_converse.finish import encode_finish
from apps.inference.protocols.bedrock_converse.response import UNMEASURED, UniqueCallIds
from apps.inference.protocols.bedrock_converse.usage import encode_usage

_WIRE = Wire.BEDROCK_CONVERSE


class ConverseStreamEncoder:
    __slots__ = (
        "_call_ids", "_finish", "_identity", "_is_written", "_kind", "_position", "_price", "_proof", "_sequence",
        "_started",
    )  # fmt: skip

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage) -> None:
        self._identity = identity
        self._price = price
        self._call_ids = UniqueCallIds(identity)
        self._sequence = Sequence()
        self._started = False
        self._finish: FinishReason | None = None
        self._position = 0
        """Amazon's index of the block that is open, or of the next one."""
        self._kind = BlockKind.TEXT
        self._is_written = False
        """Whether the client has seen anything of the open block."""
        self._proof = ""
        """A covered signature of the open text, which follows it as reasoning without text."""

    def feed(self, event: Event) -> bytes:
        """Messages for the client, possibly none. Errors are the caller's to encode."""
        return b"".join([self._write(following) for following in self._sequence.feed(event)])

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event the reason given is ``end_turn``."""
        rest = b"".join([self._write(event) for event in self._sequence.flush()])
        meters = encode_usage(usage, price=self._price)
        return b"".join(
            [
                self._message_start(),
                rest,
                _message("messageStop", {"stopReason": encode_finish(self._finish)}),
                _message("metadata", {"usage": meters, "metrics": UNMEASURED}),
            ]
        )

    def fail(self, error: GatewayzError) -> bytes:
        return encode_stream_error(error, request_id=self._identity.id)

    def _write(self, event: Event) -> bytes:
        match event:
            case BlockDelta():
                return self._delta(event)
            case BlockStarted():
                return self._message_start() + self._open(event)
            case BlockFinished():
                return self._close()
            case Opaque():
                return self._message_start() + self._opaque(event)
            case Started():
                return self._message_start()
            case Finished():
                self._finish = event.reason
                return b""
            case Cited() | UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def _message_start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return _message("messageStart", {"role": "assistant"})

    def _open(self, block: BlockStarted) -> bytes:
        self._kind = block.kind
        if block.kind is not BlockKind.TOOL_CALL:
            return b""
        proof = b""
        if block.signature and block.origin is not None:
            covered = cover(block.signature, origin=block.origin, kind=block.kind)
            proof = self._carrier(covered)
        self._is_written = True
        use = {"toolUseId": self._call_ids.accept(block.tool_call_id), "name": block.tool_name}
        return proof + self._block("contentBlockStart", {"start": {"toolUse": use}})

    def _delta(self, event: BlockDelta) -> bytes:
        match self._kind:
            case BlockKind.TOOL_CALL:
                return self._piece({"toolUse": {"input": event.text}}) if event.text else b""
            case BlockKind.REASONING:
                return self._thought(event)
            case BlockKind.TEXT | BlockKind.REFUSAL:
                if event.signature and event.origin is not None:
                    kind = BlockKind.TEXT
                    self._proof = cover(event.signature, origin=event.origin, kind=kind)
                return self._piece({"text": event.text}) if event.text else b""
            case _ as never:
                assert_never(never)

    def _thought(self, event: BlockDelta) -> bytes:
        kind = BlockKind.REASONING
        signature = written(event.signature, event.origin, own=_WIRE, kind=kind)
        said = self._piece({"reasoningContent": {"text": event.text}}) if event.text else b""
        if not signature:
            return said
        return said + self._piece({"reasoningContent": {"signature": signature}})

    def _close(self) -> bytes:
        """A block of which nothing was written never was."""
        closed = self._block("contentBlockStop", {}) if self._is_written else b""
        self._position += self._is_written
        self._is_written = False
        proof, self._proof = self._proof, ""
        return closed + (self._carrier(proof) if proof else b"")

    def _carrier(self, covered: str) -> bytes:
        """Reasoning without text, for a signature that Amazon has no other place for."""
        return self._piece({"reasoningContent": {"signature": covered}}) + self._close()

    def _opaque(self, event: Opaque) -> bytes:
        """Of our own opaque blocks only redacted reasoning has a form in streams."""
        reasoning = event.payload.get("reasoningContent") if event.wire == _WIRE else None
        return self._piece({"reasoningContent": reasoning}) + self._close() if reasoning else b""

    def _piece(self, delta: Json) -> bytes:
        self._is_written = True
        return self._block("contentBlockDelta", {"delta": delta})

    def _block(self, event: str, fields: Json) -> bytes:
        return _message(event, fields | {"contentBlockIndex": self._position})


def _message(event: str, payload: Json) -> bytes:
    return encode_message(orjson.dumps(payload), event=event)


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> ConverseStreamEncoder:
    """``include_usage`` changes nothing here: a stream always ends with its usage."""
    return ConverseStreamEncoder(identity=identity, price=price)
