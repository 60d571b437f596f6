"""OpenAI's legacy completions: several prompts in one request, ``n`` choices for each, ``echo``, plain text streams.

Format: https://platform.openai.com/docs/api-reference/completions and the types of openai 3.54.0. ``max_tokens`` is 16 when it
is not given, as with the original.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import checks, openai_dialect
from apps.sandbox.framing import Framing, Sse
from apps.sandbox.inputs import read_texts
from apps.sandbox.openai_request import read_include_usage, read_stops
from apps.sandbox.replies import Ending, Prompt, Reply
from apps.sandbox.tokens import CHARACTERS_PER_TOKEN, PromptCache, Segment, Usage
from apps.sandbox.wire import Answer, Asked, Kind, Record, Refused

DEFAULT_LIMIT = 16
FINISH_REASONS: Mapping[Ending, str] = {
    Ending.DONE: "stop",
    Ending.LENGTH: "length",
    Ending.STOP_SEQUENCE: "stop",
    Ending.CALLS: "stop",
    Ending.REFUSED: "content_filter",
}


def read_prompt(asked: Asked) -> Prompt:
    body = asked.body
    texts = read_texts(body.get("prompt", "<|endoftext|>"), "prompt")
    choices = checks.expect_whole(body.get("n") or 1, "n", high=128)
    if choices > checks.expect_whole(body.get("best_of") or choices, "best_of", high=20):
        raise Refused("'best_of' must be at least 'n'.", param="best_of")
    checks.expect_number(body.get("temperature"), "temperature", low=0, high=2)
    checks.expect_number(body.get("top_p"), "top_p", low=0, high=1)
    checks.expect_number(body.get("frequency_penalty"), "frequency_penalty", low=-2, high=2)
    checks.expect_number(body.get("presence_penalty"), "presence_penalty", low=-2, high=2)
    stream = checks.expect_flag(body.get("stream"), "stream")
    limit, top = body.get("max_tokens"), body.get("logprobs")
    return Prompt(
        segments=tuple(Segment(text) for text in texts),
        batch=tuple(texts),
        limit=DEFAULT_LIMIT if limit is None else checks.expect_whole(limit, "max_tokens"),
        stops=read_stops(body.get("stop")),
        choices=choices * len(texts),
        stream=stream,
        include_usage=read_include_usage(body.get("stream_options"), stream=stream),
        shows_reasoning=False,
        top_logprobs=None if top is None else checks.expect_whole(top, "logprobs", low=0, high=5),
    )


def meter(cache: PromptCache, model: str, prompt: Prompt) -> Usage:
    return cache.meter_implicit(model, prompt.segments)


def choose_framing(asked: Asked) -> Framing:
    return Sse()


def refusal_record(refusal: Refused, *, request_id: str, position: int) -> Record:
    body = openai_dialect.render_refusal(refusal, request_id=request_id)
    return Record(Kind.CLOSING, orjson.dumps(body))


def render_answer(answer: Answer) -> dict[str, Any]:
    choices = []
    for index, reply in enumerate(answer.replies):
        reason = None if answer.options.nofinish else FINISH_REASONS[reply.ending]
        text = _echo(answer, index) + reply.text
        choices.append(_render_choice(answer, index, text, reason))
    body = {**_render_head(answer), "choices": [] if answer.options.empty else choices}
    if not answer.options.nousage:
        body["usage"] = _render_usage(answer)
    return body


def render_stream(answer: Answer) -> Iterator[Record]:
    if answer.options.empty:
        yield Record(Kind.CLOSING, b"[DONE]")
        return
    includes_usage = answer.prompt.include_usage and not answer.options.nousage
    head = {**_render_head(answer), **({"usage": None} if includes_usage else {})}
    streams = (
        _stream_choice(answer, head, index, reply) for index, reply in enumerate(answer.replies)
    )
    for turn in zip_longest(*streams):
        yield from (record for record in turn if record is not None)
    for index, reply in enumerate(answer.replies):
        choice = _render_choice(answer, index, "", FINISH_REASONS[reply.ending])
        yield Record(Kind.CLOSING, orjson.dumps({**head, "choices": [choice]}))
    if includes_usage:
        body = {**head, "choices": [], "usage": _render_usage(answer)}
        yield Record(Kind.CLOSING, orjson.dumps(body))
    yield Record(Kind.CLOSING, b"[DONE]")


def _stream_choice(
    answer: Answer, head: dict[str, Any], index: int, reply: Reply
) -> Iterator[Record]:
    echoed = _echo(answer, index)
    for piece in ([echoed] if echoed else []) + list(reply.pieces):
        text = f"{piece}⟨{monotonic_ns()}⟩" if answer.options.stamp else piece
        choice = _render_choice(answer, index, text, None)
        yield Record(Kind.CONTENT, orjson.dumps({**head, "choices": [choice]}))


def _render_head(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.id,
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "system_fingerprint": "fp_sandbox",
    }


def _echo(answer: Answer, index: int) -> str:
    if not answer.asked.body.get("echo"):
        return ""
    share = answer.prompt.choices // len(answer.prompt.batch)
    return answer.prompt.batch[index // share]


def _render_choice(answer: Answer, index: int, text: str, reason: str | None) -> dict[str, Any]:
    logprobs = _render_logprobs(text, answer.prompt.top_logprobs)
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}


def _render_logprobs(text: str, top: int | None) -> dict[str, Any] | None:
    if top is None or not text:
        return None
    size = CHARACTERS_PER_TOKEN
    tokens = [text[at : at + size] for at in range(0, len(text), size)]
    ranked = [{token + "?" * rank: -0.25 * (rank + 1) for rank in range(top)} for token in tokens]
    return {
        "tokens": tokens,
        "token_logprobs": [-0.25] * len(tokens),
        "top_logprobs": ranked if top else None,
        "text_offset": list(range(0, len(text), size)),
    }


def _render_usage(answer: Answer) -> dict[str, Any]:
    prompt, completion = answer.usage.total_input, answer.usage.output
    cached = answer.usage.cache_read
    if answer.options.absurd_usage:
        prompt, cached, completion = -5, 10**12, 10**15
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
