"""The grammar of a Responses stream, checked record by record, and requests written in one way.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any

import orjson

from apps.inference.canonical.sse import SseDecoder

Json = dict[str, Any]

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
_PARTS = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "text",
    "response.reasoning_text": "text",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
}


def events_in(stream: bytes) -> list[Json]:
    """The events, each named alike in its record and in its data."""
    decoder = SseDecoder()
    records = decoder.feed(stream) + decoder.flush()
    events: list[Json] = [orjson.loads(record.data) for record in records]
    assert [record.event for record in records] == [event["type"] for event in events]
    return events


class Grammar:
    """Asserts that a stream is one that the API could have sent. One instance per stream."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        """Of the items, by output index."""
        self._items: dict[int, Json] = {}
        """Those that are done."""
        self._parts: dict[tuple[int, str, int], str] = {}
        """What an open part has said so far."""
        self._annotations: dict[tuple[int, str, int], int] = {}
        """How many annotations a part has got."""
        self._done_parts: dict[tuple[int, str, int], str] = {}

    def check(self, stream: bytes) -> Json:
        """The final response."""
        events = events_in(stream)
        kinds = [event["type"] for event in events]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert kinds[:2] == ["response.created", "response.in_progress"]
        assert [kind for kind in kinds if kind in TERMINAL] == kinds[-1:]
        for event in events[2:-1]:
            self._step(event)
        final: Json = events[-1]["response"]
        assert kinds[-1] == f"response.{final['status']}"
        assert {event["response"]["id"] for event in (*events[:2], events[-1])} == {final["id"]}
        if final["status"] != "failed":
            assert self._items.keys() == set(range(len(self._ids)))
            assert not self._parts
        assert final["output"] == [self._items[index] for index in sorted(self._items)]
        return final

    def _step(self, event: Json) -> None:
        index, kind = event["output_index"], event["type"]
        if kind == "response.output_item.added":
            assert index == len(self._ids)
            self._ids.append(event["item"]["id"])
            return
        assert index < len(self._ids)
        assert index not in self._items
        if kind == "response.output_item.done":
            self._finish(index, event["item"])
            return
        assert event["item_id"] == self._ids[index]
        stem, _, phase = kind.rpartition(".")
        if stem in ("response.content_part", "response.reasoning_summary_part"):
            self._part(event, index, stem, phase)
        elif stem == "response.output_text.annotation":
            place = (index, "content", event["content_index"])
            assert place in self._parts
            assert event["annotation_index"] == self._annotations.setdefault(place, 0)
            self._annotations[place] += 1
        elif stem in _PARTS:
            self._text(event, index, stem, phase)
        else:
            assert stem == "response.web_search_call"

    def _part(self, event: Json, index: int, stem: str, phase: str) -> None:
        name = "content" if stem == "response.content_part" else "summary"
        place = (index, name, event[f"{name}_index"])
        said = event["part"].get("text", event["part"].get("refusal"))
        if phase == "added":
            assert place[2] == sum(key[:2] == place[:2] for key in self._done_parts)
            assert said == ""
            self._parts[place] = ""
        else:
            assert self._done_parts[place] == said
            assert place not in self._parts

    def _text(self, event: Json, index: int, stem: str, phase: str) -> None:
        key = _PARTS[stem]
        name = "summary" if "summary" in stem else "content"
        has_part = key in ("text", "refusal")
        place = (index, name, event[f"{name}_index"]) if has_part else (index, "call", 0)
        if not has_part:
            self._parts.setdefault(place, "")
        if phase == "delta":
            assert place not in self._done_parts
            self._parts[place] += event["delta"]
        else:
            assert phase == "done"
            assert self._parts.pop(place) == event[key]
            self._done_parts[place] = event[key]

    def _finish(self, index: int, item: Json) -> None:
        assert item["id"] == self._ids[index]
        self._items[index] = item
        said = [text for place, text in self._done_parts.items() if place[0] == index]
        assert not [place for place in self._parts if place[0] == index]
        match item["type"]:
            case "message":
                parts = item["content"]
                assert [part.get("text", part.get("refusal")) for part in parts] == said
            case "reasoning":
                parts = [*item["summary"], *item.get("content", ())]
                assert [part["text"] for part in parts] == said
            case "function_call":
                assert [item["arguments"]] == said
            case "custom_tool_call":
                assert [item["input"]] == said


def check_stream(stream: bytes) -> Json:
    return Grammar().check(stream)


def check_order(stream: bytes) -> None:
    """Of hosts that say one thing after the other: only calls grow side by side, nothing begins inside of a message or of
    reasoning."""
    is_open: dict[int, str] = {}
    for event in events_in(stream):
        if event["type"] == "response.output_item.added":
            assert set(is_open.values()) <= {"function_call", "custom_tool_call"}
            is_open[event["output_index"]] = event["item"]["type"]
        elif event["type"] == "response.output_item.done":
            del is_open[event["output_index"]]
    assert not is_open


def plain_request(body: Json) -> Json:
    """The body with the format's own synonyms written in one way."""
    plain = {key: value for key, value in body.items() if value is not None}
    given = plain["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    plain["input"] = [_plain_item(item) for item in items]
    if "instructions" not in plain and plain["input"][0].get("role") == "developer":
        plain["instructions"] = plain["input"].pop(0)["content"][0]["text"]
    includes = {"reasoning.encrypted_content", *plain.get("include", ())}
    return plain | {"store": False, "include": sorted(includes)}


def _plain_item(item: Json) -> Json:
    plain = {"type": "message", **item}
    if plain["type"] in ("message", "reasoning", "function_call"):
        plain.pop("id", None)
        plain.pop("status", None)
    if plain["type"] == "message":
        kind = "output_text" if plain["role"] == "assistant" else "input_text"
        content = plain["content"]
        parts = [{"type": kind, "text": content}] if isinstance(content, str) else content
        plain["content"] = [_plain_part(part) for part in parts]
    return plain


def _plain_part(part: Json) -> Json:
    usual = {"annotations": [], "logprobs": [], "detail": "auto"}
    return {key: value for key, value in part.items() if usual.get(key) != value}
