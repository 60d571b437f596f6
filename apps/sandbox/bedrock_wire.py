"""Writes Bedrock Converse answers: the JSON body and the stream of events.

Stream order: ``messageStart``; per content block its deltas and ``contentBlockStop``, with a ``contentBlockStart`` only before
a tool use; ``messageStop`` with the stop reason; ``metadata`` with the usage. Every event has a padding ``p``. Errors come
as exception messages. ``inputTokens`` does not hold what was read from or written to the cache.
Format: ``ConverseStreamOutput`` of botocore 1.44.5 (bedrock-runtime 2023-09-30),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

from collections.abc import Iterator, Mapping
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import bedrock_dialect
from apps.sandbox.anthropic_blocks import sign
from apps.sandbox.bedrock_request import read_prompt
from apps.sandbox.framing import EventStream, Framing
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
PADDING = "abcdefghijklmnopqrstuvwxyz"
STOP_REASONS: Mapping[Ending, str] = {
    Ending.DONE: "end_turn",
    Ending.LENGTH: "max_tokens",
    Ending.STOP_SEQUENCE: "stop_sequence",
    Ending.CALLS: "tool_use",
    Ending.REFUSED: "content_filtered",
}
METRICS: Mapping[str, int] = {"latencyMs": 1}


def meter(cache: PromptCache, model: str, prompt: Prompt) -> Usage:
    return cache.meter_explicit(model, prompt.segments)


def choose_framing(asked: Asked) -> Framing:
    return EventStream()


def refusal_record(refusal: Refused, *, request_id: str, position: int) -> Record:
    kind = bedrock_dialect.name_error(refusal)
    body = bedrock_dialect.render_refusal(refusal, request_id=request_id)
    # An event is named in lower camel case, unlike the error type of a header.
    return Record(Kind.CLOSING, orjson.dumps(body), (kind[0].lower() + kind[1:]).encode())


def render_answer(answer: Answer) -> dict[str, Any]:
    reply = answer.replies[0]
    content = [] if answer.options.empty else _render_blocks(answer, reply)
    body: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": STOP_REASONS[reply.ending],
        "usage": _render_usage(answer),
        "metrics": dict(METRICS),
    }
    if answer.options.nousage:
        del body["usage"]
    if answer.options.nofinish:
        del body["stopReason"]
    return body


def _render_blocks(answer: Answer, reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if reply.reasoning and answer.options.redacted:
        blocks.append({"reasoningContent": {"redactedContent": seal(reply.reasoning)}})
    elif reply.reasoning:
        text = {"text": reply.reasoning, "signature": sign(reply.reasoning)}
        blocks.append({"reasoningContent": {"reasoningText": text}})
    if reply.text:
        blocks.append({"text": reply.text})
    for position, call in enumerate(reply.calls):
        name = _name_call(answer, position)
        use = {"toolUseId": name, "name": call.name, "input": call.arguments}
        blocks.append({"toolUse": use})
    return blocks


def render_stream(answer: Answer) -> Iterator[Record]:
    reply = answer.replies[0]
    yield _event(Kind.OPENING, "messageStart", role="assistant")
    if not answer.options.empty:
        for index, deltas in enumerate(_stream_blocks(answer, reply)):
            for kind, name, fields in deltas:
                yield _event(kind, name, contentBlockIndex=index, **fields)
            yield _event(Kind.FRAME, "contentBlockStop", contentBlockIndex=index)
    yield _event(Kind.CLOSING, "messageStop", stopReason=STOP_REASONS[reply.ending])
    if not answer.options.nousage:
        usage = _render_usage(answer)
        yield _event(Kind.CLOSING, "metadata", usage=usage, metrics=dict(METRICS))


Deltas = Iterator[tuple[Kind, str, dict[str, Any]]]


def _stream_blocks(answer: Answer, reply: Reply) -> Iterator[Deltas]:
    if reply.reasoning:
        yield _think(reply.reasoning, redacted=answer.options.redacted)
    if reply.pieces:
        yield _speak(answer, reply)
    for position, call in enumerate(reply.calls):
        yield _call(_name_call(answer, position), call.name, call.json)


def _think(thinking: str, *, redacted: bool) -> Deltas:
    if redacted:
        yield Kind.CONTENT, "contentBlockDelta", {"delta": {"reasoningContent": {"redactedContent": seal(thinking)}}}  # fmt: skip
        return
    for thought in split_words(thinking):
        delta = {"reasoningContent": {"text": thought}}
        yield Kind.CONTENT, "contentBlockDelta", {"delta": delta}
    delta = {"reasoningContent": {"signature": sign(thinking)}}
    yield Kind.FRAME, "contentBlockDelta", {"delta": delta}


def _speak(answer: Answer, reply: Reply) -> Deltas:
    for piece in reply.pieces:
        text = f"{piece}⟨{monotonic_ns()}⟩" if answer.options.stamp else piece
        yield Kind.CONTENT, "contentBlockDelta", {"delta": {"text": text}}


def _call(call_id: str, name: str, arguments: str) -> Deltas:
    start = {"toolUse": {"toolUseId": call_id, "name": name}}
    yield Kind.FRAME, "contentBlockStart", {"start": start}
    for at in range(0, len(arguments), ARGUMENT_PIECE):
        delta = {"toolUse": {"input": arguments[at : at + ARGUMENT_PIECE]}}
        yield Kind.CONTENT, "contentBlockDelta", {"delta": delta}


def _event(kind: Kind, event_name: str, /, **fields: Any) -> Record:
    data = orjson.dumps(fields)
    padded = {**fields, "p": PADDING[: len(data) % len(PADDING) + 1]}
    return Record(kind, orjson.dumps(padded), event_name.encode())


def _name_call(answer: Answer, position: int) -> str:
    return f"tooluse_{answer.id}_{position}"


def _render_usage(answer: Answer) -> dict[str, Any]:
    usage, output = answer.usage, answer.usage.output
    if answer.options.absurd_usage:
        usage, output = Usage(input=-5, cache_read=10**12), 10**15
    written = {"5m": usage.cache_write_5m, "1h": usage.cache_write_1h}
    found: dict[str, Any] = {
        "inputTokens": usage.input,
        "outputTokens": output,
        "totalTokens": usage.total_input + output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": sum(written.values()),
    }
    if any(written.values()):
        found["cacheDetails"] = [
            {"ttl": ttl, "inputTokens": count} for ttl, count in written.items() if count
        ]
    return found
