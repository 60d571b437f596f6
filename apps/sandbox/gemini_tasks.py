"""Gemini's token counts and embeddings.

Formats: https://ai.google.dev/api/tokens and https://ai.google.dev/api/embeddings
"""

from typing import Any

from apps.sandbox import gemini_messages, gemini_request
from apps.sandbox.results import respond
from apps.sandbox.tokens import tokens_in
from apps.sandbox.vectors import embed
from apps.sandbox.wire import Job, Outgoing, Refused

DIMENSIONS = 3072


def count_tokens(job: Job) -> Outgoing:
    body = gemini_messages.read_message(job.asked.body, "CountTokensRequest")
    inner = body.get("generateContentRequest")
    if inner is not None and "contents" in body:
        raise Refused("Only one of contents and generate_content_request may be set.")
    counted = body if inner is None else inner
    gemini_request.read_contents(counted.get("contents"), "CountTokensRequest")
    characters = sum(len(segment.text) for segment in gemini_request.read_segments(counted))
    total = tokens_in(characters)
    answer = {
        "totalTokens": total,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}],
    }
    return respond(job, {} if job.options.empty else answer)


def embed_content(job: Job) -> Outgoing:
    body = gemini_messages.read_message(job.asked.body, "EmbedContentRequest")
    values, tokens = _embed(body, "EmbedContentRequest")
    answer: dict[str, Any] = {"embedding": {"values": values}}
    return respond(job, _add_usage({} if job.options.empty else answer, job, tokens))


def embed_batch(job: Job) -> Outgoing:
    body = gemini_messages.read_message(job.asked.body, "BatchEmbedContentsRequest")
    requests = body.get("requests", [])
    if not requests:
        raise Refused("* BatchEmbedContentsRequest.requests: requests is not specified\n")
    if len(requests) > 100:
        raise Refused(
            "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n"
        )
    embeddings = []
    total = 0
    for index, request in enumerate(requests):
        path = f"BatchEmbedContentsRequest.requests[{index}]"
        if request.get("model") != f"models/{job.asked.model}":
            raise Refused(
                f"* {path}.model: model does not match the model in the batch request: models/{job.asked.model}\n"
            )
        values, tokens = _embed(request, path)
        embeddings.append({"values": values})
        total += tokens
    answer: dict[str, Any] = {"embeddings": embeddings}
    return respond(job, _add_usage({} if job.options.empty else answer, job, total))


def _embed(request: dict[str, Any], path: str) -> tuple[list[float], int]:
    parts = request.get("content", {}).get("parts", [])
    if not parts:
        raise Refused(f"* {path}.content: contents is not specified\n")
    if any("text" not in part for part in parts):
        raise Refused(f"* {path}.content: only text can be embedded\n")
    dimensions = request.get("outputDimensionality", DIMENSIONS)
    if not 1 <= dimensions <= DIMENSIONS:
        raise Refused(
            f"* {path}.output_dimensionality: output_dimensionality must be between 1 and {DIMENSIONS}\n"
        )
    text = "".join(part["text"] for part in parts)
    return embed(text, dimensions), tokens_in(len(text))


def _add_usage(answer: dict[str, Any], job: Job, tokens: int) -> dict[str, Any]:
    if job.options.nousage:
        return answer
    if job.options.absurd_usage:
        tokens = -5
    return answer | {"usageMetadata": {"promptTokenCount": tokens}}
