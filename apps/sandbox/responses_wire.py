"""Writes OpenAI responses: the JSON body and the event stream.

Stream order, as OpenAI sends it: ``response.created``, ``response.in_progress``; per output item
``response.output_item.added``, its parts and deltas, ``response.output_item.done``; at last ``response.completed``,
``response.incomplete`` or ``response.failed`` with the whole response and the usage. There is no ``[DONE]``. Every event
has a ``sequence_number`` that rises by one. Output items come in this order: reasoning, web search, message, calls.
Format: the ``Response*Event`` types of openai 3.54.0, https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Iterator, Mapping
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import responses_request
from apps.sandbox.framing import Framing, Sse
from apps.sandbox.replies import Call, Ending, Prompt, Reply, split_words
from apps.sandbox.responses_store import Item, ResponseStore
from apps.sandbox.seals import seal
from apps.sandbox.tokens import CHARACTERS_PER_TOKEN, PromptCache, Usage
from apps.sandbox.wire import Answer, Asked, Kind, Record, Refused

ARGUMENT_PIECE = 12
OBFUSCATION_STEP = 16
FAILURE: Mapping[str, str] = {
    "code": "server_error",
    "message": "The sandbox failed on request.",
}
SEARCHES = frozenset(
    {
        "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
    }
)  # fmt: skip


class ResponsesWire:
    """It has a memory: responses are kept unless ``store`` is false."""

    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    def read_prompt(self, asked: Asked) -> Prompt:
        items = responses_request.read_conversation(asked.body, self._store)
        return responses_request.read_prompt(asked.body, items)

    def meter(self, cache: PromptCache, model: str, prompt: Prompt) -> Usage:
        return cache.meter_implicit(model, prompt.segments)

    def choose_framing(self, asked: Asked) -> Framing:
        return Sse()

    def refusal_record(self, refusal: Refused, *, request_id: str, position: int) -> Record:
        event = {
            "type": "error",
            "sequence_number": position,
            "code": refusal.code or "server_error",
            "message": refusal.message,
            "param": refusal.param,
        }
        return Record(Kind.FAILURE, orjson.dumps(event), b"error")

    def render_answer(self, answer: Answer) -> dict[str, Any]:
        events = _Events(answer)
        for _ in _stream_items(events, answer):
            pass
        return self._close(answer, events.items)

    def render_stream(self, answer: Answer) -> Iterator[Record]:
        events = _Events(answer)
        opening = _render_response(answer, status="in_progress", output=[])
        yield events.record(Kind.OPENING, "response.created", response=opening)
        yield events.record(Kind.OPENING, "response.in_progress", response=opening)
        sent = 0
        for record in _stream_items(events, answer):
            if record.kind is Kind.CONTENT:
                if answer.options.failed is not None and sent >= answer.options.failed:
                    break
                sent += 1
            yield record
        body = self._close(answer, events.items)
        kind = Kind.FAILURE if body["status"] == "failed" else Kind.CLOSING
        yield events.record(kind, f"response.{body['status']}", response=body)

    def _close(self, answer: Answer, items: list[Item]) -> dict[str, Any]:
        status = "incomplete" if answer.replies[0].ending is Ending.LENGTH else "completed"
        if answer.options.failed is not None:
            status, items = "failed", []
        body = _render_response(answer, status=status, output=items)
        if not answer.options.nousage and status != "failed":
            body["usage"] = _render_usage(answer)
        if body["store"]:
            given = responses_request.read_conversation(answer.asked.body, self._store)
            self._store.keep(body, tuple(_name_items(answer, given)))
        if answer.options.nofinish and not answer.prompt.stream:
            body["status"] = "in_progress"
        return body


class _Events:
    """Numbers a stream's events, and keeps the items that are done."""

    def __init__(self, answer: Answer) -> None:
        self.items: list[Item] = []
        self._numbers = iter(range(10**9))
        options = answer.asked.body.get("stream_options") or {}
        self._obfuscates = options.get("include_obfuscation") is not False

    def record(self, kind: Kind, event_name: str, /, **fields: Any) -> Record:
        if self._obfuscates and "delta" in fields:
            # The original pads deltas, so that their lengths tell nothing.
            fields["obfuscation"] = "~" * (-len(fields["delta"]) % OBFUSCATION_STEP)
        event = {"type": event_name, "sequence_number": next(self._numbers), **fields}
        return Record(kind, orjson.dumps(event), event_name.encode())

    def add(self, item: Item) -> Record:
        """The next item's beginning; it must be followed by ``finish``."""
        index = len(self.items)
        return self.record(Kind.FRAME, "response.output_item.added", output_index=index, item=item)

    def finish(self, item: Item) -> Record:
        index = len(self.items)
        self.items.append(item)
        return self.record(Kind.FRAME, "response.output_item.done", output_index=index, item=item)


def _stream_items(events: _Events, answer: Answer) -> Iterator[Record]:
    if answer.options.empty:
        return
    reply = answer.replies[0]
    if reply.reasoning:
        yield from _stream_reasoning(events, answer, reply)
    searched = bool(SEARCHES & set(reply.used_tools))
    if searched:
        yield from _stream_search(events, answer)
    if reply.text or not reply.calls:
        yield from _stream_message(events, answer, reply, cites=searched)
    for position, call in enumerate(reply.calls):
        yield from _stream_call(events, answer, call, position)


def _stream_reasoning(events: _Events, answer: Answer, reply: Reply) -> Iterator[Record]:
    item: Item = {"id": _name(answer, "rs_"), "type": "reasoning", "summary": []}
    if "reasoning.encrypted_content" in (answer.asked.body.get("include") or ()):
        item["encrypted_content"] = seal(reply.reasoning)
    yield events.add(item)
    if answer.prompt.shows_reasoning:
        place = {"item_id": item["id"], "output_index": len(events.items), "summary_index": 0}
        part = {"type": "summary_text", "text": ""}
        prefix = "response.reasoning_summary"
        yield events.record(Kind.FRAME, f"{prefix}_part.added", **place, part=part)
        for thought in split_words(reply.reasoning):
            yield events.record(Kind.CONTENT, f"{prefix}_text.delta", **place, delta=thought)
        part = {"type": "summary_text", "text": reply.reasoning}
        yield events.record(Kind.FRAME, f"{prefix}_text.done", **place, text=reply.reasoning)
        yield events.record(Kind.FRAME, f"{prefix}_part.done", **place, part=part)
        item = {**item, "summary": [part]}
    yield events.finish(item)


def _stream_search(events: _Events, answer: Answer) -> Iterator[Record]:
    item: Item = {"id": _name(answer, "ws_"), "type": "web_search_call", "status": "in_progress"}
    action: dict[str, Any] = {"type": "search", "query": answer.prompt.user_text}
    if "web_search_call.action.sources" in (answer.asked.body.get("include") or ()):
        action["sources"] = [{"type": "url", "url": "https://example.com/"}]
    place = {"item_id": item["id"], "output_index": len(events.items)}
    yield events.add({**item, "action": action})
    for step in ("in_progress", "searching", "completed"):
        yield events.record(Kind.FRAME, f"response.web_search_call.{step}", **place)
    yield events.finish({**item, "status": "completed", "action": action})


def _stream_message(
    events: _Events, answer: Answer, reply: Reply, *, cites: bool
) -> Iterator[Record]:
    item: Item = {"id": _name(answer, "msg_"), "type": "message", "role": "assistant"}
    yield events.add({**item, "status": "in_progress", "content": []})
    place = {"item_id": item["id"], "output_index": len(events.items), "content_index": 0}
    refused = reply.ending is Ending.REFUSED
    name, field = ("refusal", "refusal") if refused else ("output_text", "text")
    part = _render_part(name, field, "", logprobs=[])
    yield events.record(Kind.FRAME, "response.content_part.added", **place, part=part)
    said = ""
    for piece in reply.pieces:
        stamped = answer.options.stamp and answer.prompt.stream
        text = f"{piece}⟨{monotonic_ns()}⟩" if stamped else piece
        said += text
        extra = {} if refused else {"logprobs": _render_logprobs(piece, answer.prompt.top_logprobs)}
        yield events.record(Kind.CONTENT, f"response.{name}.delta", **place, delta=text, **extra)
    logprobs = _render_logprobs(said, answer.prompt.top_logprobs)
    part = _render_part(name, field, said, logprobs=logprobs)
    if cites and not refused:
        citation: dict[str, Any] = {
            "type": "url_citation",
            "url": "https://example.com/",
            "title": "example.com",
        }
        citation |= {"start_index": 0, "end_index": len(said)}
        part["annotations"] = [citation]
        yield events.record(Kind.FRAME, "response.output_text.annotation.added", **place, annotation_index=0, annotation=citation)  # fmt: skip
    extra = {} if refused else {"logprobs": logprobs}
    yield events.record(Kind.FRAME, f"response.{name}.done", **place, **{field: said}, **extra)
    yield events.record(Kind.FRAME, "response.content_part.done", **place, part=part)
    status = "incomplete" if reply.ending is Ending.LENGTH else "completed"
    yield events.finish({**item, "status": status, "content": [part]})


def _render_part(name: str, field: str, text: str, *, logprobs: list[Any]) -> dict[str, Any]:
    if name == "refusal":
        return {"type": name, field: text}
    return {"type": name, "annotations": [], "logprobs": logprobs, field: text}


def _stream_call(events: _Events, answer: Answer, call: Call, position: int) -> Iterator[Record]:
    tools = answer.asked.body.get("tools") or ()
    custom = any(tool.get("name") == call.name and tool["type"] == "custom" for tool in tools)
    kind, field = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
    prefix = "response.custom_tool_call_input" if custom else "response.function_call_arguments"
    item: Item = {
        "id": _name(answer, "ctc_" if custom else "fc_", position),
        "type": kind,
        "status": "in_progress",
        "call_id": _name(answer, "call_", position),
        "name": call.name,
        field: "",
    }
    yield events.add(item)
    place = {"item_id": item["id"], "output_index": len(events.items)}
    for at in range(0, len(call.json), ARGUMENT_PIECE):
        fragment = call.json[at : at + ARGUMENT_PIECE]
        yield events.record(Kind.CONTENT, f"{prefix}.delta", **place, delta=fragment)
    named = {} if custom else {"name": call.name}
    yield events.record(Kind.FRAME, f"{prefix}.done", **place, **named, **{field: call.json})
    yield events.finish({**item, "status": "completed", field: call.json})


def _name(answer: Answer, prefix: str, position: int = 0) -> str:
    return f"{prefix}{answer.id.removeprefix('resp_')}_{position}"


def _name_items(answer: Answer, items: list[Item]) -> Iterator[Item]:
    for position, item in enumerate(items):
        yield item if item.get("id") else {**item, "id": _name(answer, "in_", position)}


def _render_response(answer: Answer, *, status: str, output: list[Item]) -> dict[str, Any]:
    """The response object repeats what was asked for, defaults filled in."""
    asked = answer.asked.body
    reasoning = asked.get("reasoning") or {}
    text = asked.get("text") or {}
    reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
    return {
        "id": answer.id,
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "background": False,
        "completed_at": answer.created if status == "completed" else None,
        "error": dict(FAILURE) if status == "failed" else None,
        "incomplete_details": reason,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": asked.get("max_tool_calls"),
        "metadata": asked.get("metadata") or {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": answer.prompt.parallel,
        "previous_response_id": asked.get("previous_response_id"),
        "prompt_cache_key": asked.get("prompt_cache_key"),
        "reasoning": {"effort": answer.prompt.effort, "summary": reasoning.get("summary")},
        "safety_identifier": asked.get("safety_identifier"),
        "service_tier": "default",
        "store": asked.get("store") is not False,
        "temperature": 1.0 if asked.get("temperature") is None else asked["temperature"],
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_logprobs": asked.get("top_logprobs") or 0,
        "top_p": 1.0 if asked.get("top_p") is None else asked["top_p"],
        "truncation": asked.get("truncation") or "disabled",
        "usage": None,
        "user": asked.get("user"),
    }


def _render_usage(answer: Answer) -> dict[str, Any]:
    given, cached = answer.usage.total_input, answer.usage.cache_read
    output, reasoning = answer.usage.output, answer.usage.reasoning
    if answer.options.absurd_usage:
        given, cached, output, reasoning = -5, 10**12, 10**15, 10**18
    return {
        "input_tokens": given,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": cached},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given + output,
    }


def _render_logprobs(text: str, top: int | None) -> list[dict[str, Any]]:
    if top is None:
        return []
    size = CHARACTERS_PER_TOKEN
    tokens = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        {**_weigh(token, 0), "top_logprobs": [_weigh(token, rank) for rank in range(top)]}
        for token in tokens
    ]


def _weigh(token: str, rank: int) -> dict[str, Any]:
    spelled = token + "?" * rank
    return {"token": spelled, "logprob": -0.25 * (rank + 1), "bytes": list(spelled.encode())}
