"""fold: the one assembler of a whole answer from a stream of events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Citation,
    Cited,
    Event,
    Finished,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import ErrorInsteadOfAnswer
from apps.inference.canonical.response import ChatResponse


@dataclass(slots=True)
class _OpenBlock:
    started: BlockStarted
    texts: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    origin: Wire | None = None
    citations: list[Citation] = field(default_factory=list)

    def take(self, delta: BlockDelta) -> None:
        self.texts.append(delta.text)
        self.signatures.append(delta.signature)
        self.origin = delta.origin or self.origin

    def close(self) -> Block:
        text, signature = "".join(self.texts), "".join(self.signatures)
        match self.started.kind:
            case BlockKind.TEXT:
                return Text(
                    text,
                    signature=signature,
                    origin=self.origin,
                    citations=tuple(self.citations),
                )
            case BlockKind.REASONING:
                return Reasoning(text=text, signature=signature, origin=self.origin)
            case BlockKind.REFUSAL:
                return Refusal(text)
            case BlockKind.TOOL_CALL:
                call = self.started
                return ToolCall(
                    id=call.tool_call_id,
                    name=call.tool_name,
                    arguments=text,
                    signature=call.signature,
                    origin=call.origin,
                )
            case _ as never:
                assert_never(never)


def fold(events: Iterable[Event]) -> ChatResponse:
    """Blocks stand in order of opening. Raises ErrorInsteadOfAnswer when the stream reports an error."""
    started = Started(id="", model="")
    finished: Finished | None = None
    usage: UsageReported | None = None
    by_index: dict[int, _OpenBlock] = {}
    in_order: list[_OpenBlock | Opaque] = []
    for event in events:
        match event:
            case BlockDelta():
                by_index[event.index].take(event)
            case BlockStarted():
                block = by_index[event.index] = _OpenBlock(event)
                in_order.append(block)
            case Cited():
                by_index[event.index].citations.append(event.citation)
            case BlockFinished():
                pass
            case Opaque():
                in_order.append(event)
            case Started():
                started = event
            case UsageReported():
                usage = event
            case Finished():
                finished = event
            case UpstreamError():
                raise ErrorInsteadOfAnswer(event)
            case _ as never:
                assert_never(never)
    return ChatResponse(
        id=started.id,
        model=started.model,
        blocks=tuple(item if isinstance(item, Opaque) else item.close() for item in in_order),
        finish=finished.reason if finished else None,
        stop_sequence=finished.stop_sequence if finished else None,
        usage=usage.usage if usage else None,
        usage_reported=usage is not None,
    )
