"""Which tool call a fragment of a stream belongs to, also where a host's ``index`` does not tell."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Call:
    """A tool call that grows."""

    place: Any
    """The provider's index; None with hosts that have none."""
    position: int
    """Among the answer's calls, in the order in which they began."""
    id: str = ""
    """As the provider gave it."""
    name: str = ""
    index: int | None = None
    """Of the block that it became; None until its name is known, for only then can the block open."""
    held: str = ""
    """Arguments that came before the name."""

    def is_followed_by(self, call_id: str, name: str, place: Any) -> bool:
        """Whether a fragment at this call's place begins the next call.

        A new id alone does not: a host may make one up for every fragment, as a draft for vLLM did:
        https://github.com/vllm-project/vllm/pull/23522.
        """
        if not name:
            return False
        if call_id and self.id:
            return call_id != self.id
        return self.name not in ("", name) and (call_id != "" or place is None)


class Calls:
    """The calls of one answer."""

    __slots__ = ("_by_id", "_by_place", "in_order")

    def __init__(self) -> None:
        self._by_place: dict[Any, Call] = {}
        """The newest call of each provider index."""
        self._by_id: dict[str, Call] = {}
        self.in_order: list[Call] = []

    def is_settled(self, place: int) -> bool:
        """Whether the provider's index of its newest call there is the call's position."""
        call = self._by_place.get(place)
        return call is not None and call.position == place

    def of(self, place: Any, call_id: str, name: str) -> Call:
        """The call of the fragment's id, else of its index, else the newest.

        Some hosts leave ``index`` out, others count every parallel call as 0.
        """
        same = self._by_id.get(call_id)
        if same is not None and place in (None, same.place):
            return same
        if place is None:
            call = self.in_order[-1] if self.in_order else None
        else:
            call = self._by_place.get(place)
        if call is None or call.is_followed_by(call_id, name, place):
            call = self._by_place[place] = Call(place, len(self.in_order))
            self.in_order.append(call)
        if call_id and not call.id:
            call.id = call_id
            self._by_id[call_id] = call
        return call
