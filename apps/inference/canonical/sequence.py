"""One block at a time: events whose blocks may interleave, in an order where they do not.

The block that opened first goes through as it comes; what belongs to the others is held until their turn.
"""

from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    Event,
    Opaque,
)


class Sequence:
    __slots__ = ("_held", "_opaques")

    def __init__(self) -> None:
        self._held: dict[int, list[Event]] = {}
        """Events that wait, by block in order of opening. The first block is the open one and holds none."""
        self._opaques = 0

    def feed(self, event: Event) -> list[Event]:
        match event:
            case BlockStarted():
                return self._begin(event.index, event)
            case Opaque():
                self._opaques += 1
                return self._begin(-self._opaques, event)
            case BlockDelta() | BlockFinished():
                is_open = next(iter(self._held)) == event.index
                self._held[event.index].append(event)
                return self._release() if is_open else []
            case _:
                return [event]

    def flush(self) -> list[Event]:
        """What is held, with every block closed."""
        events: list[Event] = []
        for index, held in list(self._held.items()):
            if not _is_whole(held):
                held.append(BlockFinished(index))
            events += self._release()
        return events

    def _begin(self, index: int, event: Event) -> list[Event]:
        self._held[index] = [event]
        return self._release() if len(self._held) == 1 else []

    def _release(self) -> list[Event]:
        """Everything of the first block, and of those after it as far as they are whole."""
        events: list[Event] = []
        for index, held in list(self._held.items()):
            events += held
            if not _is_whole(held):
                held.clear()
                break
            del self._held[index]
        return events


def _is_whole(held: list[Event]) -> bool:
    return bool(held) and isinstance(held[-1], BlockFinished | Opaque)
