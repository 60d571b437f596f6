"""JSON of the inference app's read routes."""

import datetime
from typing import Any, Literal

from ninja import Schema

from apps.catalog.schemas import Architecture, Endpoint, Pricing
from apps.inference.route_schemas import Route


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
    cached: bool
    """No provider was asked: the answer was kept, and cost nothing."""
    is_byok: bool
    """It was asked with the customer's own key: the cost is the routing fee."""
    first_token_ms: int | None
    latency_ms: int
    attempts: list[dict[str, Any]]
    route: Route | None
    """The hosts that were considered and those that were not; null for what was refused before there were any."""


class ReceiptProof(Schema):
    """That the payload is a leaf of a tree whose root is signed (docs/receipts.md)."""

    kid: str
    """Which of the keys at /.well-known/jwks.json."""
    signature: str
    index: int
    size: int
    path: list[str]


class PublicKey(Schema):
    kty: str
    crv: str
    x: str
    kid: str
    alg: str
    use: str


class KeySet(Schema):
    keys: list[PublicKey]


class SignedReceipt(Schema):
    payload: str
    """JSON, certified byte for byte."""
    proof: ReceiptProof


class SignedReceiptBody(Schema):
    data: SignedReceipt


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


class Percentiles(Schema):
    """The smallest value that so many of a hundred requests did not exceed."""

    p50: float
    p95: float


class Observed(Schema):
    """Completed requests of all organisations, without test keys and the sandbox."""

    requests: int
    tokens: int
    organizations: int
    first_token_ms: Percentiles | None
    latency_ms: Percentiles | None
    tokens_per_second: Percentiles | None


class ObservedModel(Observed):
    id: str
    name: str


class TrafficList(Schema):
    object: Literal["list"]
    window: str
    data: list[ObservedModel]
    total: int
    has_more: bool


class Cheapest(Schema):
    model: str
    provider: str
    pricing: Pricing


class Fastest(Observed):
    model: str
    provider: str


class UniqueModel(Schema):
    id: str
    name: str
    context_length: int | None
    architecture: Architecture
    variants: list[str]
    providers: list[str]
    provider_count: int
    cheapest: Cheapest
    fastest: Fastest | None


class UniqueList(Schema):
    object: Literal["list"]
    data: list[UniqueModel]
    total: int
    has_more: bool


class OfferingList(Schema):
    object: Literal["list"]
    data: list[Endpoint]
    total: int
    has_more: bool


class EndpointPercentiles(Schema):
    p50: float
    p75: float
    p90: float
    p99: float


class ObservedEndpoint(Endpoint):
    """Null for what nobody asked for in that time. Latency is that of the first token, in milliseconds."""

    uptime_last_30m: float | None
    uptime_last_1d: float | None
    latency_last_30m: EndpointPercentiles | None
    latency_last_1d: EndpointPercentiles | None
    throughput_last_30m: EndpointPercentiles | None
    throughput_last_1d: EndpointPercentiles | None


class EndpointsArchitecture(Architecture):
    instruct_type: str | None


class ModelEndpoints(Schema):
    id: str
    name: str
    created: int
    description: str
    architecture: EndpointsArchitecture
    endpoints: list[ObservedEndpoint]


class EndpointsBody(Schema):
    data: ModelEndpoints
    total: int
    """Hosts; ``limit`` and ``offset`` are of these."""
    has_more: bool
