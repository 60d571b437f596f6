"""OpenAI's embeddings and moderations.

Formats: https://platform.openai.com/docs/api-reference/embeddings and …/moderations, and the types of openai 3.54.0
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.inputs import read_texts
from apps.sandbox.results import add_usage, respond
from apps.sandbox.tokens import count_tokens
from apps.sandbox.vectors import embed
from apps.sandbox.wire import Job, Outgoing, Refused

DIMENSIONS = 1536
MOST_DIMENSIONS = 3072
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
FLAGGED_WORDS: Mapping[str, str] = {
    "hate": "hate",
    "idiot": "harassment",
    "kill": "violence",
    "suicide": "self-harm",
}


def embed_texts(job: Job) -> Outgoing:
    body = job.asked.body
    texts = read_texts(body.get("input"), "input")
    dimensions = body.get("dimensions")
    dimensions = DIMENSIONS if dimensions is None else checks.expect_whole(dimensions, "dimensions", high=MOST_DIMENSIONS)  # fmt: skip
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise Refused(
            f"Invalid value: '{encoding}'. Supported values are: 'float' and 'base64'.",
            param="encoding_format",
            code="invalid_value",
        )
    rows = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _encode(embed(text, dimensions), encoding),
        }
        for index, text in enumerate(texts)
    ]
    total = sum(count_tokens(text) for text in texts)
    answer = {
        "object": "list",
        "data": [] if job.options.empty else rows,
        "model": job.asked.model,
    }
    return respond(job, add_usage(job, answer, {"prompt_tokens": total, "total_tokens": total}))


def _encode(vector: list[float], encoding: str) -> Any:
    """Base64 is of little-endian 32-bit floats."""
    if encoding == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def moderate(job: Job) -> Outgoing:
    """Flags texts by a few words; images are never flagged. One result per text, or one for a list of parts."""
    given = job.asked.body.get("input")
    parts = isinstance(given, list) and bool(given) and isinstance(given[0], dict)
    texts = ["\n".join(_read_parts(given))] if parts else read_texts(given, "input")
    results = [_judge(text) for text in texts]
    answer = {
        "id": job.id,
        "model": job.asked.model,
        "results": [] if job.options.empty else results,
    }
    return respond(job, answer)


def _read_parts(parts: Any) -> list[str]:
    texts = []
    for index, part in enumerate(parts):
        path = f"input[{index}]"
        match checks.expect_object(part, path).get("type"):
            case "text":
                texts.append(checks.expect_text(part.get("text"), f"{path}.text"))
            case "image_url":
                image = checks.expect_object(part.get("image_url"), f"{path}.image_url")
                checks.expect_text(image.get("url"), f"{path}.image_url.url")
            case kind:
                raise Refused(
                    f"Invalid value: '{kind}'.", param=f"{path}.type", code="invalid_value"
                )
    return texts


def _judge(text: str) -> dict[str, Any]:
    words = text.lower().split()
    found = {FLAGGED_WORDS[word] for word in words if word in FLAGGED_WORDS}
    return {
        "flagged": bool(found),
        "categories": {name: name in found for name in CATEGORIES},
        "category_scores": {name: 0.9 if name in found else 0.001 for name in CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
