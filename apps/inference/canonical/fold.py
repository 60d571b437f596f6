"""fold: the one assembler of a whole answer from a stream of events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from apps.common.usage import Usage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
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

    def close(self) -> Block:
        text = "".join(self.texts)
        match self.started.kind:
            case BlockKind.TEXT:
                return Text(text)
            case BlockKind.REASONING:
                return Reasoning(text=text, signature="".join(self.signatures))
            case BlockKind.REFUSAL:
                return Refusal(text)
            case BlockKind.TOOL_CALL:
                call = self.started
                return ToolCall(id=call.tool_call_id, name=call.tool_name, arguments=text)
            case _ as never:
                assert_never(never)


def fold(events: Iterable[Event]) -> ChatResponse:
    """Blocks stand in order of opening. Raises ErrorInsteadOfAnswer when the stream reports an error."""
    started = Started(id="", model="")
    finished: Finished | None = None
    usage: Usage | None = None
    by_index: dict[int, _OpenBlock] = {}
    in_order: list[_OpenBlock | Opaque] = []
    for event in events:
        match event:
            case BlockDelta(index, text, signature):
                by_index[index].texts.append(text)
                by_index[index].signatures.append(signature)
            case BlockStarted():
                block = by_index[event.index] = _OpenBlock(event)
                in_order.append(block)
            case BlockFinished():
                pass
            case Opaque():
                in_order.append(event)
            case Started():
                started = event
            case UsageReported():
                usage = event.usage
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
        usage=usage,
    )
