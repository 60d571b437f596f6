"""Writes Gemini answers: the JSON body and the stream of partial bodies.

Every chunk of a stream is a body of its own, with the usage so far (cumulative); the last one has the finish reason, and
there is no end marker. With ``alt=sse`` chunks are SSE records, without it elements of one JSON array. A function call
arrives whole. Thoughts are shown only when ``includeThoughts`` is set; ``candidatesTokenCount`` does not include them.
The signature of the thoughts stands on the first function call, else on the last text part (streamed: on an empty
one in the last chunk). Zeros are left out, as protobuf's JSON does. A blocked prompt has no candidates.
Format: https://ai.google.dev/api/generate-content#generatecontentresponse, the types of google-genai 3.4.0
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from time import monotonic_ns
from typing import Any

import orjson

from apps.sandbox import gemini_dialect
from apps.sandbox.framing import Framing, JsonArray, Sse
from apps.sandbox.gemini_messages import HARM_CATEGORIES
from apps.sandbox.gemini_request import read_prompt
from apps.sandbox.replies import Ending, Prompt, Reply, split_words
from apps.sandbox.seals import seal
from apps.sandbox.tokens import CHARACTERS_PER_TOKEN, PromptCache, Usage, tokens_in
from apps.sandbox.wire import Answer, Asked, Kind, Record, Refused

__all__ = [
    "choose_framing",
    "meter",
    "read_prompt",
    "refusal_record",
    "render_answer",
    "render_stream",
]

FINISH_REASONS: Mapping[Ending, str] = {
    Ending.DONE: "STOP",
    Ending.LENGTH: "MAX_TOKENS",
    Ending.STOP_SEQUENCE: "STOP",
    Ending.CALLS: "STOP",
    Ending.REFUSED: "SAFETY",
}
TOOL_USE_TOKENS = 25
"""What a provided tool's result adds to the prompt."""
SEARCH_TOOLS = frozenset({"googleSearch", "googleSearchRetrieval"})

Part = dict[str, Any]


@dataclass(slots=True)
class _Said:
    """How many characters of each kind the stream has brought so far."""

    thoughts: int = 0
    rest: int = 0


def meter(cache: PromptCache, model: str, prompt: Prompt) -> Usage:
    return cache.meter_implicit(model, prompt.segments)


def choose_framing(asked: Asked) -> Framing:
    return Sse() if asked.incoming.query.get("alt") == "sse" else JsonArray()


def refusal_record(refusal: Refused, *, request_id: str, position: int) -> Record:
    body = gemini_dialect.render_refusal(refusal, request_id=request_id)
    return Record(Kind.CLOSING, orjson.dumps(body))


def render_answer(answer: Answer) -> dict[str, Any]:
    body = _render_head(answer)
    if answer.options.filter:
        return body
    usage = answer.usage
    _add_usage(body, answer, thoughts=usage.reasoning, rest=usage.output - usage.reasoning)
    if not answer.options.empty:
        body["candidates"] = [
            _render_candidate(answer, index, reply) for index, reply in enumerate(answer.replies)
        ]
    return body


def render_stream(answer: Answer) -> Iterator[Record]:
    if answer.options.filter:
        yield Record(Kind.CLOSING, orjson.dumps(_render_head(answer)))
        return
    said = _Said()
    if not answer.options.empty:
        streams = (
            _stream_parts(answer, said, index, reply) for index, reply in enumerate(answer.replies)
        )
        for turn in zip_longest(*streams):
            yield from (record for record in turn if record is not None)
    body = _render_head(answer)
    usage = answer.usage
    _add_usage(body, answer, thoughts=usage.reasoning, rest=usage.output - usage.reasoning)
    if not answer.options.empty:
        body["candidates"] = [
            _render_last(answer, index, reply) for index, reply in enumerate(answer.replies)
        ]
    yield Record(Kind.CLOSING, orjson.dumps(body))


def _render_head(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = {"modelVersion": answer.model, "responseId": answer.id}
    if answer.options.filter:
        body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        _add_usage(body, answer, thoughts=0, rest=0)
    return body


def _stream_parts(answer: Answer, said: _Said, index: int, reply: Reply) -> Iterator[Record]:
    for thought in split_words(reply.reasoning):
        said.thoughts += len(thought)
        if answer.prompt.shows_reasoning:
            yield _chunk(answer, said, index, {"text": thought, "thought": True})
    for part in _provided_parts(reply):
        yield _chunk(answer, said, index, part)
    for piece in reply.pieces:
        said.rest += len(piece)
        text = f"{piece}⟨{monotonic_ns()}⟩" if answer.options.stamp else piece
        yield _chunk(answer, said, index, {"text": text}, spelled=piece)
    for part, call in zip(_call_parts(answer, index, reply), reply.calls, strict=True):
        said.rest += len(call.name + call.json)
        yield _chunk(answer, said, index, part)


def _chunk(answer: Answer, said: _Said, index: int, part: Part, *, spelled: str = "") -> Record:
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": index}
    _add_logprobs(candidate, answer, spelled)
    body = {"candidates": [candidate], **_render_head(answer)}
    _add_usage(body, answer, thoughts=tokens_in(said.thoughts), rest=tokens_in(said.rest))
    return Record(Kind.CONTENT, orjson.dumps(body))


def _render_last(answer: Answer, index: int, reply: Reply) -> dict[str, Any]:
    """A stream's last chunk for a candidate: no new text, and what is known only now."""
    part: Part = {"text": ""}
    if reply.reasoning and not reply.calls:
        part["thoughtSignature"] = seal(reply.reasoning)
    candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
    return candidate | _render_ending(answer, reply)


def _render_candidate(answer: Answer, index: int, reply: Reply) -> dict[str, Any]:
    parts: list[Part] = []
    if reply.reasoning and answer.prompt.shows_reasoning:
        parts.append({"text": reply.reasoning, "thought": True})
    parts.extend(_provided_parts(reply))
    if reply.text:
        parts.append({"text": reply.text})
    if reply.reasoning and parts and not reply.calls:
        parts[-1]["thoughtSignature"] = seal(reply.reasoning)
    parts.extend(_call_parts(answer, index, reply))
    candidate: dict[str, Any] = {"content": {"role": "model"}, "index": index}
    if parts:
        candidate["content"]["parts"] = parts
    _add_logprobs(candidate, answer, reply.text)
    ending = _render_ending(answer, reply)
    if answer.options.nofinish:
        del ending["finishReason"]
    return candidate | ending


def _render_ending(answer: Answer, reply: Reply) -> dict[str, Any]:
    ending: dict[str, Any] = {"finishReason": FINISH_REASONS[reply.ending]}
    if reply.ending is Ending.REFUSED:
        ending["safetyRatings"] = [
            {"category": category, "probability": "NEGLIGIBLE"} for category in HARM_CATEGORIES
        ]
        ending["safetyRatings"][0] |= {"probability": "HIGH", "blocked": True}
    if SEARCH_TOOLS & set(reply.used_tools):
        segment = {"endIndex": len(reply.text.encode()), "text": reply.text}
        ending["groundingMetadata"] = {
            "webSearchQueries": [answer.prompt.user_text],
            "groundingChunks": [{"web": {"uri": "https://example.com/", "title": "example.com"}}],
            "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
        }
    return ending


def _provided_parts(reply: Reply) -> Iterator[Part]:
    if "codeExecution" in reply.used_tools:
        yield {"executableCode": {"language": "PYTHON", "code": "print(6 * 7)"}}
        yield {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}}


def _call_parts(answer: Answer, index: int, reply: Reply) -> Iterator[Part]:
    for position, call in enumerate(reply.calls):
        name = f"{answer.id}_{index}_{position}"
        part: Part = {"functionCall": {"id": name, "name": call.name, "args": call.arguments}}
        if position == 0 and reply.reasoning:
            part["thoughtSignature"] = seal(reply.reasoning)
        yield part


def _add_usage(body: dict[str, Any], answer: Answer, *, thoughts: int, rest: int) -> None:
    if answer.options.nousage:
        return
    prompt, cached = answer.usage.total_input, answer.usage.cache_read
    tool_use = TOOL_USE_TOKENS * sum(len(reply.used_tools) for reply in answer.replies)
    if answer.options.absurd_usage:
        prompt, cached, thoughts, rest = -5, 10**12, 10**18, 10**15
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": rest,
        "totalTokenCount": prompt + rest + thoughts + tool_use,
        "cachedContentTokenCount": cached,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool_use,
    }
    usage: dict[str, Any] = {name: count for name, count in counts.items() if count}
    if prompt:
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": prompt}]
    if cached:
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": cached}]
    if gemini_dialect.is_vertex(answer.asked.incoming):
        usage["trafficType"] = "ON_DEMAND"
    body["usageMetadata"] = usage


def _add_logprobs(candidate: dict[str, Any], answer: Answer, text: str) -> None:
    top = answer.prompt.top_logprobs
    if top is None or not text:
        return
    size = CHARACTERS_PER_TOKEN
    tokens = [text[at : at + size] for at in range(0, len(text), size)]
    chosen = [_weigh(token, 0) for token in tokens]
    ranked = [{"candidates": [_weigh(token, rank) for rank in range(top)]} for token in tokens]
    candidate["logprobsResult"] = {"chosenCandidates": chosen, "topCandidates": ranked}
    candidate["avgLogprobs"] = -0.25


def _weigh(token: str, rank: int) -> dict[str, Any]:
    return {"token": token + "?" * rank, "tokenId": 7 + rank, "logProbability": -0.25 * (rank + 1)}
