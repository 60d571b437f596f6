"""The responses that OpenAI's Responses API keeps: what a later request may continue, refer to, read or delete."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from apps.sandbox.wire import Refused

KEPT_RESPONSES = 10_000

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """``input`` is the whole conversation before the response, earlier turns included."""

    body: dict[str, Any]
    input: tuple[Item, ...]


class ResponseStore:
    """Oldest forgotten first; ``POST /reset`` empties it."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, Stored] = OrderedDict()
        self._items: dict[str, Item] = {}

    def clear(self) -> None:
        self._responses.clear()
        self._items.clear()

    def keep(self, body: dict[str, Any], given: tuple[Item, ...]) -> None:
        self._responses[body["id"]] = Stored(body, given)
        self._items |= {item["id"]: item for item in (*given, *body["output"]) if "id" in item}
        if len(self._responses) > KEPT_RESPONSES:
            self.delete(next(iter(self._responses)))

    def get(self, response_id: str) -> Stored | None:
        return self._responses.get(response_id)

    def find(self, response_id: str) -> Stored:
        if (stored := self.get(response_id)) is None:
            raise Refused(f"Response with id '{response_id}' not found.", status=404)
        return stored

    def delete(self, response_id: str) -> None:
        stored = self.find(response_id)
        del self._responses[response_id]
        for item in (*stored.input, *stored.body["output"]):
            self._items.pop(item.get("id", ""), None)

    def find_item(self, item_id: str) -> Item | None:
        return self._items.get(item_id)
