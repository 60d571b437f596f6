"""The output items of an answer, as a whole answer and a stream both write them.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-output (2026-07)
One block of ours is one item. Ids come from the answer's id and the item's place, so they are the same in every event and
in the whole answer.
"""

import re
from collections.abc import Collection, Iterable

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.citations import write_citation
from apps.inference.canonical.codec import AnswerIdentity, Json
from apps.inference.canonical.events import BlockKind, Citation, Picture
from apps.inference.canonical.signatures import cover, written
from apps.inference.canonical.text_tools import to_input
from apps.inference.protocols.openai_responses.namespaces import Namespaces

_PREFIXES = {
    BlockKind.TEXT: "msg",
    BlockKind.REFUSAL: "msg",
    BlockKind.REASONING: "rs",
    BlockKind.TOOL_CALL: "fc",
}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class ItemWriter:
    """Items of one answer."""

    __slots__ = ("_custom", "_namespaces", "_suffix", "_taken")

    def __init__(self, identity: AnswerIdentity) -> None:
        self._namespaces = Namespaces(identity.echo.get("tools"))
        self._custom = _custom_names(identity.echo.get("tools") or (), self._namespaces)
        _, _, special = identity.id.partition("_")
        self._suffix = _NOT_IN_IDS.sub("_", special or identity.id)
        self._taken: set[str] = set()

    def is_custom(self, tool_name: str) -> bool:
        return tool_name in self._custom

    def item_id(self, kind: BlockKind, *, position: int, tool_name: str = "") -> str:
        prefix = "ctc" if self.is_custom(tool_name) else _PREFIXES[kind]
        return f"{prefix}_{self._suffix}_{position}"

    def call_id(self, given: str, *, position: int) -> str:
        """The provider's own when it can be: clients need one for each call, and no two alike."""
        if not given or given in self._taken:
            given = f"call_{self._suffix}_{position}"
        self._taken.add(given)
        return given

    def call(self, item_id: str, *, call_id: str, name: str, arguments: str, status: str) -> Json:
        namespace, own_name = self._namespaces.own(name)
        named = {"id": item_id, "call_id": call_id, "name": own_name, "status": status}
        if namespace:
            named["namespace"] = namespace
        if self.is_custom(name):
            return {"type": "custom_tool_call", **named, "input": to_input(arguments)}
        return {"type": "function_call", **named, "arguments": arguments}

    def reasoning(self, item_id: str, *, text: str, signature: str, origin: Wire | None) -> Json:
        item: Json = {"type": "reasoning", "id": item_id, "summary": []}
        if text:
            item["summary"] = [{"type": "summary_text", "text": text}]
        if signature:
            item["encrypted_content"] = written(
                signature, origin, own=Wire.OPENAI_RESPONSES, kind=BlockKind.REASONING
            )
        return item

    def picture(self, position: int, picture: Picture) -> Json:
        """As of OpenAI's own tool: https://platform.openai.com/docs/guides/tools-image-generation"""
        item_id = f"ig_{self._suffix}_{position}"
        _, _, kind = picture.media_type.partition("/")
        item = {"type": "image_generation_call", "id": item_id, "status": "completed"}
        return {**item, "output_format": kind, "result": picture.data}

    def carrier(self, position: int, signature: str, origin: Wire, kind: BlockKind) -> Json:
        """Reasoning without text, for another wire's signature of a text or a call, which have no place for one."""
        item_id = self.item_id(BlockKind.REASONING, position=position)
        covered = cover(signature, origin=origin, kind=kind)
        return self.reasoning(item_id, text="", signature=covered, origin=None)


def _custom_names(tools: Iterable[Json], namespaces: Namespaces, within: str = "") -> set[str]:
    """The tools that take text, as other wires call them."""
    found: set[str] = set()
    for tool in tools:
        if tool.get("type") == "custom":
            found.add(namespaces.flat(within, str(tool.get("name"))))
        elif tool.get("type") == "namespace":
            found |= _custom_names(tool.get("tools") or (), namespaces, str(tool.get("name")))
    return found


def message(item_id: str, parts: Collection[Json], *, status: str) -> Json:
    return {
        "type": "message",
        "id": item_id,
        "status": status,
        "role": "assistant",
        "content": list(parts),
    }


def part_of(kind: BlockKind, text: str, citations: Iterable[Citation] = ()) -> Json:
    if kind is BlockKind.REFUSAL:
        return {"type": "refusal", "refusal": text}
    annotations = [
        {"type": "url_citation", **write_citation(citation, length=len(text))}
        for citation in citations
    ]
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
