"""Writes Anthropic messages: the JSON body and the event stream.

Stream order, as Anthropic sends it: ``message_start`` (usage with the input side, and only here the cache ttl split); per block ``content_block_start``,
deltas, ``content_block_stop``, with one ``ping`` after the first start; ``message_delta`` with the stop reason and the
cumulative usage; ``message_stop``. A thinking block ends with a ``signature_delta``; a tool_use block starts with an
empty input and an empty ``input_json_delta``.
Format: the types of anthropic 2.12.0 (``Raw*Event``), https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import anthropic_dialect
from apps.sandbox.anthropic_blocks import sign
from apps.sandbox.anthropic_request import read_prompt
from apps.sandbox.framing import Framing, Sse
from apps.sandbox.replies import Ending, Prompt, Reply, split_words
from apps.sandbox.seals import seal
from apps.sandbox.tokens import PromptCache, Usage
from apps.sandbox.wire import Answer, Asked, Kind, Record, Refused

__all__ = [
    "choose_framing",
    "meter",
    "read_prompt",
    "refusal_record",
    "render_answer",
    "render_stream",
]

ARGUMENT_PIECE = 12
STOP_REASONS: Mapping[Ending, str] = {
    Ending.DONE: "end_turn",
    Ending.LENGTH: "max_tokens",
    Ending.STOP_SEQUENCE: "stop_sequence",
    Ending.CALLS: "tool_use",
    Ending.REFUSED: "refusal",
}
SEARCH_RESULT: Mapping[str, Any] = {
    "type": "web_search_result",
    "url": "https://example.com/",
    "title": "example.com",
    "encrypted_content": seal("example.com"),
    "page_age": None,
}
SEARCH_CITATION: Mapping[str, Any] = {
    "type": "web_search_result_location",
    "url": "https://example.com/",
    "title": "example.com",
    "encrypted_index": seal("example.com 1"),
    "cited_text": "An example.",
}
CODE_RESULT: Mapping[str, Any] = {
    "type": "code_execution_result",
    "stdout": "42\n",
    "stderr": "",
    "return_code": 0,
    "content": [],
}


def meter(cache: PromptCache, model: str, prompt: Prompt) -> Usage:
    return cache.meter_explicit(model, prompt.segments)


def choose_framing(asked: Asked) -> Framing:
    return Sse()


def refusal_record(refusal: Refused, *, request_id: str, position: int) -> Record:
    body = anthropic_dialect.render_refusal(refusal, request_id=request_id)
    return Record(Kind.CLOSING, orjson.dumps(body), b"error")


def render_answer(answer: Answer) -> dict[str, Any]:
    reply = answer.replies[0]
    content = [_complete(block, deltas) for block, deltas in _blocks(answer)]
    body = _render_message(answer)
    body["content"] = [] if answer.options.empty else content
    body["stop_reason"] = None if answer.options.nofinish else STOP_REASONS[reply.ending]
    body["stop_sequence"] = reply.stop_sequence
    body |= _explain_ending(reply)
    body["usage"] = _render_usage(answer, output=answer.usage.output)
    if answer.options.nousage:
        del body["usage"]
    return body


def render_stream(answer: Answer) -> Iterator[Record]:
    message = _render_message(answer)
    if not answer.options.nousage:
        message["usage"] = _render_usage(answer, output=1, final=False)
    yield _event(Kind.OPENING, "message_start", message=message)
    if not answer.options.empty:
        for index, (block, deltas) in enumerate(_blocks(answer)):
            yield _event(Kind.FRAME, "content_block_start", index=index, content_block=block)
            if index == 0:
                yield _event(Kind.FRAME, "ping")
            for kind, delta in deltas:
                yield _event(kind, "content_block_delta", index=index, delta=delta)
            yield _event(Kind.FRAME, "content_block_stop", index=index)
    reply = answer.replies[0]
    ending = {"stop_reason": STOP_REASONS[reply.ending], "stop_sequence": reply.stop_sequence}
    ending |= _explain_ending(reply)
    fields = {} if answer.options.nousage else {"usage": _render_cumulative(answer)}
    yield _event(Kind.CLOSING, "message_delta", delta=ending, **fields)
    yield _event(Kind.CLOSING, "message_stop")


def _explain_ending(reply: Reply) -> dict[str, Any]:
    if reply.ending is not Ending.REFUSED:
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": reply.text}}


def _event(kind: Kind, name: str, **fields: Any) -> Record:
    return Record(kind, orjson.dumps({"type": name, **fields}), name.encode())


def _render_message(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


Delta = tuple[Kind, dict[str, Any]]


def _blocks(answer: Answer) -> Iterator[tuple[dict[str, Any], Iterable[Delta]]]:
    """The answer's content blocks in order: how each starts, and its deltas."""
    reply = answer.replies[0]
    if reply.reasoning and answer.options.redacted:
        yield {"type": "redacted_thinking", "data": seal(reply.reasoning)}, ()
    elif reply.reasoning:
        thinking = reply.reasoning if answer.prompt.shows_reasoning else ""
        yield {"type": "thinking", "thinking": "", "signature": ""}, _think(thinking)
    yield from _provided_blocks(answer)
    if reply.pieces:
        citations = _cite(answer)
        block: dict[str, Any] = {"type": "text", "text": ""}
        if citations:
            block["citations"] = []
        yield block, chain(_speak(answer, reply.pieces), citations)
    for position, call in enumerate(reply.calls):
        name = _name(answer, "toolu_", position)
        yield {"type": "tool_use", "id": name, "name": call.name, "input": {}}, _argue(call.json)


def _name(answer: Answer, prefix: str, position: int) -> str:
    return f"{prefix}{answer.id.removeprefix('msg_')}_{position}"


def _provided_blocks(answer: Answer) -> Iterator[tuple[dict[str, Any], Iterable[Delta]]]:
    """The uses and results of the tools that Anthropic runs; of these the sandbox plays two."""
    for position, tool in enumerate(answer.replies[0].used_tools):
        if tool not in ("web_search", "code_execution"):
            continue
        name = _name(answer, "srvtoolu_", position)
        searches = tool == "web_search"
        arguments = {"query": answer.prompt.user_text} if searches else {"code": "print(6 * 7)"}
        use = {"type": "server_tool_use", "id": name, "name": tool, "input": {}}
        yield use, _argue(orjson.dumps(arguments).decode())
        result = [SEARCH_RESULT] if searches else dict(CODE_RESULT)
        yield {"type": f"{tool}_tool_result", "tool_use_id": name, "content": result}, ()


def _cite(answer: Answer) -> list[Delta]:
    citations = [*answer.prompt.citations]
    if "web_search" in answer.replies[0].used_tools:
        citations.append(SEARCH_CITATION)
    return [(Kind.FRAME, {"type": "citations_delta", "citation": one}) for one in citations]


def _think(thinking: str) -> Iterator[Delta]:
    for thought in split_words(thinking):
        yield Kind.CONTENT, {"type": "thinking_delta", "thinking": thought}
    yield Kind.FRAME, {"type": "signature_delta", "signature": sign(thinking)}


def _speak(answer: Answer, pieces: Iterable[str]) -> Iterator[Delta]:
    stamped = answer.options.stamp and answer.prompt.stream
    for piece in pieces:
        text = f"{piece}⟨{monotonic_ns()}⟩" if stamped else piece
        yield Kind.CONTENT, {"type": "text_delta", "text": text}


def _argue(arguments: str) -> Iterator[Delta]:
    yield Kind.FRAME, {"type": "input_json_delta", "partial_json": ""}
    for at in range(0, len(arguments), ARGUMENT_PIECE):
        fragment = arguments[at : at + ARGUMENT_PIECE]
        yield Kind.CONTENT, {"type": "input_json_delta", "partial_json": fragment}


def _complete(block: dict[str, Any], deltas: Iterable[Delta]) -> dict[str, Any]:
    """The block as it stands in a JSON answer."""
    arguments = ""
    for _, delta in deltas:
        match delta["type"]:
            case "thinking_delta":
                block["thinking"] += delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]
            case "text_delta":
                block["text"] += delta["text"]
            case "citations_delta":
                block["citations"].append(delta["citation"])
            case "input_json_delta":
                arguments += delta["partial_json"]
    if block["type"] in ("tool_use", "server_tool_use"):
        block["input"] = orjson.loads(arguments)
    return block


def _render_cumulative(answer: Answer) -> dict[str, Any]:
    """The usage of ``message_delta``: final, but without the split of cache writes by ttl."""
    usage = _render_usage(answer, output=answer.usage.output)
    del usage["cache_creation"], usage["service_tier"]
    return usage


def _render_usage(answer: Answer, *, output: int, final: bool = True) -> dict[str, Any]:
    usage = answer.usage
    extra: dict[str, Any] = {}
    if final:
        extra["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if final and "web_search" in answer.replies[0].used_tools:
        extra["server_tool_use"] = {"web_search_requests": 1, "web_fetch_requests": 0}
    if answer.options.absurd_usage:
        usage = Usage(input=-5, cache_read=10**12, cache_write_5m=-1, output=10**15)
        output = usage.output
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
        **extra,
    }
