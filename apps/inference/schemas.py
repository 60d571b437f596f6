"""JSON of the inference app's read routes."""

import datetime
from typing import Any, Literal

from ninja import Schema


class Generation(Schema):
    id: str
    created_at: datetime.datetime
    surface: str
    streamed: bool
    requested_model: str
    model: str
    provider: str
    outcome: str
    status: int
    error_code: str | None
    finish_reason: str | None
    usage_source: str
    """Where the numbers come from: provider, counted, none or lost (docs/money.md)."""
    tokens_input: int
    """Uncached; the other input buckets stand beside it, disjoint."""
    tokens_cache_read: int
    tokens_cache_write: int
    tokens_output: int
    tokens_reasoning: int
    tokens_audio_input: int
    tokens_audio_output: int
    images: int
    characters: int
    seconds: int
    searches: int
    total_cost: float
    """Dollars charged."""
    charged_nano_usd: int
    cost_nano_usd: int
    """Usage times price; more than was charged only when the credit ran out."""
    price_id: int | None
    first_token_ms: int | None
    latency_ms: int
    attempts: list[dict[str, Any]]


class StoredResponseBody(Schema):
    """OpenAI's Response object; only what every one has is named."""

    id: str
    object: Literal["response"]
    status: str
    output: list[dict[str, Any]]


class DeletedResponse(Schema):
    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


class InputItems(Schema):
    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class GenerationBody(Schema):
    data: Generation
