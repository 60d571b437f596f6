"""Splice: what one host has said of an answer, and the rest of it from another. Pure.

    what the client has    --read-->   Said: blocks of text, reasoning and tool calls
    the next host's events --Splice--> only what comes after them, to the encoder that wrote what the client has

Whatever differs in one character ends the answer: two halves of two answers are no answer.
"""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import orjson

from apps.catalog.providers.spec import Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import StreamEncoder
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    Opaque,
    Started,
)
from apps.inference.canonical.sse import SseRecord
from apps.inference.faults import FaultKind, UpstreamFault
from apps.inference.protocols import CODECS


class Block(msgspec.Struct):
    kind: BlockKind
    tool_name: str = ""
    text: str = ""
    is_finished: bool = False


class Said(msgspec.Struct):
    """What the client has of an answer."""

    records: list[SseRecord] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)
    blocks: dict[int, Block] = msgspec.field(default_factory=dict)
    """By index, in order of opening."""
    is_recoverable: bool = True
    """It has neither ended nor said anything that is not text, reasoning or a tool call."""

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            self.events.append(event)
            match event:
                case BlockStarted(index=index, kind=kind, tool_name=name):
                    self.blocks[index] = Block(kind, name)
                case BlockDelta(index=index, text=text):
                    self.blocks[index].text += text
                case BlockFinished(index=index):
                    self.blocks[index].is_finished = True
                case Opaque() | Finished():
                    self.is_recoverable = False

    @property
    def open_text(self) -> str:
        """All that was said, when that is one text which has not ended; else empty."""
        if len(self.blocks) != 1:
            return ""
        (block,) = self.blocks.values()
        return "" if block.is_finished or block.kind is not BlockKind.TEXT else block.text


def read_said(wire: Wire, sent: Iterable[bytes]) -> Said:
    """The client's own bytes, read as the client reads them."""
    codec = CODECS[wire]
    framing, decoder, said = codec.framing(), codec.stream_decoder(), Said()
    for piece in sent:
        for record in framing.feed(piece):
            said.records.append(record)
            said.take(decoder.feed(record))
    said.is_recoverable &= not decoder.has_reason
    return said


class _Place(msgspec.Struct):
    """Where a block of the new answer goes in the client's."""

    index: int
    awaited: str = ""
    """What the client has of it and the new host has not said yet."""
    is_finished: bool = False
    arguments: list[str] | None = None
    """Of a tool call that the client has whole: what the new host says of it, in a JSON that may be spaced otherwise."""


class Splice:
    """A StreamEncoder that leaves out what the client has. Raises UpstreamFault when the new answer differs."""

    def __init__(self, encoder: StreamEncoder, said: Said, *, given: str = "") -> None:
        """``given`` is the part of the client's one text that the next host was told and goes on from."""
        self._encoder = encoder
        self._is_past_thinking = any(
            block.kind is not BlockKind.REASONING for block in said.blocks.values()
        )
        self._awaited = [
            (index, Block(block.kind, block.tool_name, block.text[len(given) :], block.is_finished))
            for index, block in said.blocks.items()
            if not (self._is_past_thinking and block.kind is BlockKind.REASONING)
        ]
        self._next = len(said.blocks)
        self._places: dict[int, _Place | None] = {}
        """By the new host's index; None for thoughts that come too late."""

    def feed(self, event: Event) -> bytes:
        match event:
            case Started():
                return b""
            case BlockStarted():
                return self._open(event)
            case BlockDelta():
                return self._grow(event)
            case BlockFinished():
                return self._close(event)
            case Opaque() | Finished():
                self._require_all_said()
        return self._encoder.feed(event)

    def finish(self, usage: Usage) -> bytes:
        return self._encoder.finish(usage)

    def fail(self, error: GatewayzError) -> bytes:
        return self._encoder.fail(error)

    def _open(self, event: BlockStarted) -> bytes:
        if event.kind is BlockKind.REASONING and self._is_past_thinking and not self._has_caught_up:
            # The client has the first host's thoughts, and reads the answer already.
            self._places[event.index] = None
            return b""
        if self._awaited:
            index, block = self._awaited.pop(0)
            if (event.kind, event.tool_name) != (block.kind, block.tool_name):
                raise diverged("another kind of content")
            is_whole_call = block.kind is BlockKind.TOOL_CALL and block.is_finished
            self._places[event.index] = _Place(
                index, block.text, block.is_finished, [] if is_whole_call else None
            )
            return b""
        self._require_all_said()
        index = self._next
        self._next += 1
        self._places[event.index] = _Place(index)
        return self._encoder.feed(replace(event, index=index))

    @property
    def _has_caught_up(self) -> bool:
        return not self._awaited and not any(
            place and place.awaited for place in self._places.values()
        )

    def _grow(self, event: BlockDelta) -> bytes:
        place = self._places[event.index]
        if place is None:
            return b""
        text = event.text
        if place.arguments is not None:
            place.arguments.append(text)
            return b""
        if place.awaited:
            shorter = min(len(text), len(place.awaited))
            if text[:shorter] != place.awaited[:shorter]:
                raise diverged("another text")
            place.awaited, text = place.awaited[shorter:], text[shorter:]
            if not text:
                return b""
        if place.is_finished:
            if text:
                raise diverged("a longer text")
            return b""
        return self._encoder.feed(
            BlockDelta(place.index, text, signature=event.signature, origin=event.origin)
        )

    def _close(self, event: BlockFinished) -> bytes:
        place = self._places[event.index]
        if place is not None and place.arguments is not None:
            if not _same_json("".join(place.arguments), place.awaited):
                raise diverged("other arguments")
            place.awaited = ""
        if place is None:
            return b""
        if place.awaited:
            raise diverged("a shorter text")
        if place.is_finished:
            return b""
        return self._encoder.feed(BlockFinished(place.index))

    def _require_all_said(self) -> None:
        if not self._has_caught_up:
            raise diverged("less content")


def _same_json(one: str, other: str) -> bool:
    """An empty text counts as no arguments, which some hosts write and some do not."""
    try:
        return bool(orjson.loads(one or "{}") == orjson.loads(other or "{}"))
    except orjson.JSONDecodeError:
        return one == other


def diverged(how: str) -> UpstreamFault:
    return UpstreamFault(FaultKind.DIVERGED, detail=how)
