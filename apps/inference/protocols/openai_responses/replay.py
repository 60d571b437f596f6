"""A stored response as the stream that its client could have got: whole texts in place of many small deltas.

https://platform.openai.com/docs/api-reference/responses/get#responses-get-stream (2026-07)
Items keep their ids, and those that do not grow (hosted tools' calls among them) are added and done at once.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from apps.inference.canonical.codec import Json
from apps.inference.canonical.sse import encode_record

Event = tuple[str, Json]

_UNTOLD: Json = {"output": [], "usage": None, "error": None, "incomplete_details": None}
"""What a response does not know of itself while it is made."""
_TEXTS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}
_INPUTS = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


def replay(response: Json, *, after: int = -1) -> Iterator[bytes]:
    """The records whose sequence number is above ``after``; numbers begin with 0 and are the same each time."""
    for number, (kind, fields) in enumerate(_events(response)):
        if number > after:
            payload = {"type": kind, "sequence_number": number, **fields}
            yield encode_record(orjson.dumps(payload), event=kind)


def _events(response: Json) -> Iterator[Event]:
    begun = {**response, **_UNTOLD, "status": "in_progress"}
    if "completed_at" in begun:
        begun["completed_at"] = None
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for position, item in enumerate(response.get("output") or ()):
        yield from _item(item, position)
    yield f"response.{response['status']}", {"response": response}


def _item(item: Json, position: int) -> Iterator[Event]:
    place = {"item_id": str(item.get("id") or ""), "output_index": position}
    empty, said = item, list[Event]()
    match item.get("type"):
        case "message":
            empty = {**item, "content": []}
            said = [
                event
                for at, part in enumerate(item.get("content") or ())
                for event in _part(part, place, at)
            ]
        case "reasoning":
            summary, thoughts = item.get("summary") or (), item.get("content") or ()
            empty = {**item, "summary": []} | ({"content": []} if thoughts else {})
            said = [event for at, part in enumerate(summary) for event in _summary(part, place, at)]
            said += [event for at, part in enumerate(thoughts) for event in _part(part, place, at)]
        case "function_call" | "custom_tool_call" as kind:
            stem, name = _INPUTS[kind]
            empty = {**item, name: ""}
            named = {"name": item.get("name")} if kind == "function_call" else {}
            said = [
                (f"{stem}.delta", {**place, "delta": item.get(name) or ""}),
                (f"{stem}.done", {**place, **named, name: item.get(name) or ""}),
            ]
    if "status" in item:
        empty = {**empty, "status": "in_progress"}
    yield "response.output_item.added", {"output_index": position, "item": empty}
    yield from said
    yield "response.output_item.done", {"output_index": position, "item": item}


def _part(part: Json, place: Json, at: int) -> Iterator[Event]:
    kind = str(part.get("type"))
    here = {**place, "content_index": at}
    name = _TEXTS.get(kind)
    if name is None:
        yield "response.content_part.added", {**here, "part": part}
        yield "response.content_part.done", {**here, "part": part}
        return
    said = part.get(name) or ""
    extra: Json = {"logprobs": part.get("logprobs") or []} if kind == "output_text" else {}
    annotations: list[Any] = part.get("annotations") or []
    empty = {**part, name: ""} | ({"annotations": []} if "annotations" in part else {})
    yield "response.content_part.added", {**here, "part": empty}
    yield f"response.{kind}.delta", {**here, "delta": said, **extra}
    for number, annotation in enumerate(annotations):
        told = {"annotation_index": number, "annotation": annotation}
        yield "response.output_text.annotation.added", {**here, **told}
    yield f"response.{kind}.done", {**here, name: said, **extra}
    yield "response.content_part.done", {**here, "part": part}


def _summary(part: Json, place: Json, at: int) -> Iterator[Event]:
    stem, here = "response.reasoning_summary", {**place, "summary_index": at}
    yield f"{stem}_part.added", {**here, "part": {**part, "text": ""}}
    yield f"{stem}_text.delta", {**here, "delta": part.get("text") or ""}
    yield f"{stem}_text.done", {**here, "text": part.get("text") or ""}
    yield f"{stem}_part.done", {**here, "part": part}
