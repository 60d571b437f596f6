"""What a stored conversation consists of: items, and how a new request is put behind earlier ones.

Pure functions over JSON: who stores what, and for how long, is decided elsewhere.

    store      input_items(body), output_items(response)
    expand     with_history(body, earlier_items), with_references(body, found)

https://platform.openai.com/docs/guides/conversation-state, …/api-reference/responses/input-items (2026-07)
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from apps.inference.canonical.codec import Json

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_RESULTS = ("function_call_output", "custom_tool_call_output")
_STATEFUL = ("message", "function_call", "function_call_output", "custom_tool_call")
"""Their official types want a status."""


def input_items(body: Json) -> list[Json]:
    """The request's own input as whole items with ids, which are the same each time for the same input."""
    given = body.get("input")
    items: Sequence[Any] = (
        [{"role": "user", "content": given}] if isinstance(given, str) else given or ()
    )
    return [
        _normal(item, position) for position, item in enumerate(items) if isinstance(item, dict)
    ]


def output_items(response: Json) -> list[Json]:
    """The answer's items as a later request sends them."""
    return [item for item in response.get("output") or () if isinstance(item, dict)]


def with_history(body: Json, earlier_items: Sequence[Json]) -> Json:
    """The request with the earlier conversation in front of its own input. Earlier instructions are not carried over."""
    expanded = {name: value for name, value in body.items() if name != "previous_response_id"}
    given = body.get("input")
    own = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
    return expanded | {"input": [*(without_identity(item) for item in earlier_items), *own]}


def referenced_ids(body: Json) -> list[str]:
    """Ids of the items that the request only names."""
    given = body.get("input")
    if not isinstance(given, list):
        return []
    return [str(item.get("id")) for item in given if _is_reference(item)]


def with_references(body: Json, found: Mapping[str, Json]) -> Json:
    """The request with each known item in place of its name. Unknown names stay, to be refused."""
    given = body.get("input")
    if not isinstance(given, list):
        return body
    items = [
        without_identity(found[str(item["id"])])
        if _is_reference(item) and str(item.get("id")) in found
        else item
        for item in given
    ]
    return {**body, "input": items}


def unpaired_output(body: Json) -> int | None:
    """Where the first tool's result stands that no call comes before; None when each answers one.

    What was compacted may have held the call, and nobody can look into that.
    """
    given = body.get("input")
    calls = set()
    for index, item in enumerate(given if isinstance(given, list) else ()):
        kind = item.get("type")
        if kind == "compaction":
            return None
        if kind in ("function_call", "custom_tool_call"):
            calls.add(item.get("call_id"))
        elif kind in _RESULTS and item.get("call_id") not in calls:
            return index
    return None


def without_identity(item: Json) -> Json:
    """An item as it is sent to a provider that has never stored it.

    An id that the provider cannot look up is refused there, but for encrypted reasoning, whose id some hosts compare:
    https://github.com/langchain-ai/langchain/pull/38372 (2026-06), https://github.com/dotnet/extensions/issues/7628
    """
    if item.get("type") == "reasoning" and item.get("encrypted_content"):
        return {name: value for name, value in item.items() if name != "status"}
    return {name: value for name, value in item.items() if name not in ("id", "status")}


def _is_reference(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "item_reference"


def _normal(item: Json, position: int) -> Json:
    kind = item.get("type") or "message"
    normal = {**item, "type": kind}
    if kind == "message":
        normal["content"] = _parts(item)
    if kind in _STATEFUL:
        normal.setdefault("status", "completed")
    if not normal.get("id"):
        normal["id"] = _made_up_id(kind, item, position)
    return normal


def _parts(item: Json) -> Any:
    content = item.get("content")
    if not isinstance(content, str):
        return content
    if item.get("role") == "assistant":
        return [{"type": "output_text", "text": content, "annotations": []}]
    return [{"type": "input_text", "text": content}]


def _made_up_id(kind: str, item: Json, position: int) -> str:
    seed = orjson.dumps([position, item], option=orjson.OPT_SORT_KEYS)
    return f"{_PREFIXES.get(kind, 'item')}_{hashlib.sha256(seed).hexdigest()[:32]}"
