"""The list of models as Anthropic's and Google's clients read it: the models that can be asked in their format.

https://docs.claude.com/en/api/models-list and https://ai.google.dev/api/models, 2026-11.
"""

from collections.abc import Container, Mapping
from typing import Any

from apps.catalog.entries import entries
from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.queries import place_of
from apps.catalog.snapshots import ModelSnapshot
from apps.common.errors import InvalidRequest

HEADERS: Mapping[str, Wire] = {
    "anthropic-version": Wire.ANTHROPIC_MESSAGES,
    "x-goog-api-key": Wire.GEMINI,
    "x-goog-api-client": Wire.GEMINI,
}
"""What gives a company's client away at /v1/models, which all of them ask."""
ANTHROPIC_LIMIT = 20
EPOCH = "1970-01-01"
"""In place of a day that is not known, as Anthropic's reference says."""
GOOGLE_LIMIT = 50
GOOGLE_MOST = 1000
GOOGLE_METHODS = ("generateContent", "countTokens")


def wire_of(headers: Container[str]) -> Wire:
    """Whose list a client with these headers reads."""
    return next((wire for name, wire in HEADERS.items() if name in headers), Wire.OPENAI_CHAT)


def _conversing() -> list[ModelSnapshot]:
    """Newest first, as both companies list theirs."""
    found = [entry.model for entry in entries() if entry.model.does(Operation.CHAT)]
    return sorted(found, key=lambda model: (-model.created, model.id))


def anthropic_model(model: ModelSnapshot) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": f"{model.released_on or EPOCH}T00:00:00Z",
    }


def anthropic_list(*, limit: int | None, after_id: str, before_id: str) -> dict[str, Any]:
    """A page that ends before ``before_id`` or begins behind ``after_id``; more lies in the same direction."""
    if after_id and before_id:
        raise InvalidRequest(
            "Only one of 'after_id' and 'before_id' can be sent.",
            param="before_id",
            code="invalid_value",
        )
    models = _conversing()
    ids = [model.id for model in models]
    size = limit or ANTHROPIC_LIMIT
    if before_id:
        end = place_of(ids, before_id, param="before_id")
        start = max(0, end - size)
        has_more = start > 0
    else:
        start = place_of(ids, after_id, param="after_id") + 1 if after_id else 0
        end = start + size
        has_more = end < len(models)
    page = models[start:end]
    return {
        "data": [anthropic_model(model) for model in page],
        "has_more": has_more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def google_model(model: ModelSnapshot) -> dict[str, Any]:
    """Limits that are not known are left out, as Google leaves out what is not set."""
    first = model.offerings[0]
    limits = {
        "inputTokenLimit": model.context_length or first.context_length,
        "outputTokenLimit": first.max_output_tokens or model.max_output_tokens,
    }
    return {
        "name": f"models/{model.id}",
        "version": "",
        "displayName": model.name,
        "description": model.description,
        **{name: limit for name, limit in limits.items() if limit},
        "supportedGenerationMethods": GOOGLE_METHODS if model.does(Operation.CHAT) else (),
    }


def google_list(*, size: int, token: str) -> dict[str, Any]:
    """The token of a page is the id of the last model before it. Who asks for too many gets fewer, as at Google."""
    size = min(size or GOOGLE_LIMIT, GOOGLE_MOST)
    models = _conversing()
    ids = [model.id for model in models]
    start = place_of(ids, token, param="pageToken") + 1 if token else 0
    page = models[start : start + size]
    more = {"nextPageToken": page[-1].id} if start + size < len(models) else {}
    return {"models": [google_model(model) for model in page], **more}
