"""Writes OpenAI chat completions: the JSON body and the chunk stream.

Stream order, as OpenAI sends it: per choice a chunk with the role; then the choices' chunks in turns
(``reasoning_content`` as DeepSeek names it, content, tool calls); per choice an empty delta with the finish reason;
with ``include_usage`` one chunk without choices that holds the usage (all others say ``"usage": null``); ``[DONE]``.
Format: the types of openai 3.54.0, https://platform.openai.com/docs/api-reference/chat/streaming
"""

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import openai_dialect
from apps.sandbox.framing import Framing, Sse
from apps.sandbox.openai_request import read_prompt
from apps.sandbox.replies import Ending, Prompt, Reply, split_words
from apps.sandbox.tokens import CHARACTERS_PER_TOKEN, PromptCache, Usage
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
FINISH_REASONS: Mapping[Ending, str] = {
    Ending.DONE: "stop",
    Ending.LENGTH: "length",
    Ending.STOP_SEQUENCE: "stop",
    Ending.CALLS: "tool_calls",
    Ending.REFUSED: "stop",
}

ABORTED = "abort"
"""vLLM's word for an answer that its engine gave up, behind which the stream ends as usual."""


def meter(cache: PromptCache, model: str, prompt: Prompt) -> Usage:
    return cache.meter_implicit(model, prompt.segments)


def choose_framing(asked: Asked) -> Framing:
    return Sse()


def refusal_record(refusal: Refused, *, request_id: str, position: int) -> Record:
    body = openai_dialect.render_refusal(refusal, request_id=request_id)
    return Record(Kind.CLOSING, orjson.dumps(body))


def render_answer(answer: Answer) -> dict[str, Any]:
    body = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [
            _render_choice(answer, index, reply) for index, reply in enumerate(answer.replies)
        ],
        "usage": _render_usage(answer),
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }
    if answer.options.nousage:
        del body["usage"]
    if answer.options.empty:
        body["choices"] = []
    return body


def render_stream(answer: Answer) -> Iterator[Record]:
    if answer.options.empty:
        yield Record(Kind.CLOSING, b"[DONE]")
        return
    head = _Head(answer)
    for index, reply in enumerate(answer.replies):
        content = None if reply.calls else ""
        delta = {"role": "assistant", "content": content, "refusal": None}
        yield head.record(Kind.OPENING, index, delta)
    streams = (_stream_choice(head, index, reply) for index, reply in enumerate(answer.replies))
    for turn in islice(zip_longest(*streams), answer.options.abort):
        yield from (record for record in turn if record is not None)
    for index, reply in enumerate(answer.replies):
        yield head.record(Kind.CLOSING, index, {}, finish_reason=_reason(answer, reply))
    if head.includes_usage:
        yield Record(
            Kind.CLOSING,
            orjson.dumps({**head.fields, "choices": [], "usage": _render_usage(answer)}),
        )
    yield Record(Kind.CLOSING, b"[DONE]")


class _Head:
    """The fields that every chunk of one answer repeats."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.includes_usage = answer.prompt.include_usage and not answer.options.nousage
        self.fields: dict[str, Any] = {
            "id": answer.id,
            "object": "chat.completion.chunk",
            "created": answer.created,
            "model": answer.model,
            "service_tier": "default",
            "system_fingerprint": "fp_sandbox",
        }
        if self.includes_usage:
            self.fields["usage"] = None

    def record(
        self,
        kind: Kind,
        index: int,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
    ) -> Record:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        return Record(kind, orjson.dumps({**self.fields, "choices": [choice]}))


def _stream_choice(head: _Head, index: int, reply: Reply) -> Iterator[Record]:
    for thought in split_words(reply.reasoning):
        yield head.record(Kind.CONTENT, index, {"reasoning_content": thought})
    for piece in reply.pieces:
        text = f"{piece}⟨{monotonic_ns()}⟩" if head.answer.options.stamp else piece
        if reply.ending is Ending.REFUSED:
            yield head.record(Kind.CONTENT, index, {"refusal": text})
            continue
        logprobs = _render_logprobs(piece, head.answer.prompt.top_logprobs)
        yield head.record(Kind.CONTENT, index, {"content": text}, logprobs=logprobs)
    for position, call in enumerate(reply.calls):
        function = {"name": call.name, "arguments": ""}
        opening = {"index": position, "id": _name_call(head.answer, index, position)}
        opening |= {"type": "function", "function": function}
        yield head.record(Kind.FRAME, index, {"tool_calls": [opening]})
        for at in range(0, len(call.json), ARGUMENT_PIECE):
            fragment = {"arguments": call.json[at : at + ARGUMENT_PIECE]}
            yield head.record(
                Kind.CONTENT, index, {"tool_calls": [{"index": position, "function": fragment}]}
            )


def _render_choice(answer: Answer, index: int, reply: Reply) -> dict[str, Any]:
    refused = reply.ending is Ending.REFUSED
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused or (reply.calls and not reply.text) else reply.text,
        "refusal": reply.text if refused else None,
        "annotations": [],
    }
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": _name_call(answer, index, position),
                "type": "function",
                "function": {"name": call.name, "arguments": call.json},
            }
            for position, call in enumerate(reply.calls)
        ]
    return {
        "index": index,
        "message": message,
        "logprobs": _render_logprobs(reply.text, answer.prompt.top_logprobs),
        "finish_reason": None if answer.options.nofinish else _reason(answer, reply),
    }


def _reason(answer: Answer, reply: Reply) -> str:
    return FINISH_REASONS[reply.ending] if answer.options.abort is None else ABORTED


def _name_call(answer: Answer, choice: int, position: int) -> str:
    return f"call_{answer.id.removeprefix('chatcmpl-')}_{choice}_{position}"


def _render_usage(answer: Answer) -> dict[str, Any]:
    prompt, cached = answer.usage.total_input, answer.usage.cache_read
    completion, reasoning = answer.usage.output, answer.usage.reasoning
    if answer.options.absurd_usage:
        prompt, cached, completion, reasoning = -5, 10**12, 10**15, 10**18
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _render_logprobs(text: str, top: int | None) -> dict[str, Any] | None:
    if top is None:
        return None
    tokens = [
        text[at : at + CHARACTERS_PER_TOKEN] for at in range(0, len(text), CHARACTERS_PER_TOKEN)
    ]
    content = [
        {**_weigh(token, 0), "top_logprobs": [_weigh(token, rank) for rank in range(top)]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _weigh(token: str, rank: int) -> dict[str, Any]:
    """The token itself at rank 0, and ever less likely spellings of it behind."""
    spelled = token + "?" * rank
    return {"token": spelled, "logprob": -0.25 * (rank + 1), "bytes": list(spelled.encode())}
