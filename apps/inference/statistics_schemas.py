"""JSON of the statistics routes. What there is no data for is null, never a good or a bad number."""

import datetime
from typing import Literal

from ninja import Schema


class Times(Schema):
    """Milliseconds."""

    p50: int | None
    p95: int | None


class Tokens(Schema):
    input: int
    output: int


class WindowStats(Schema):
    requests: int
    success_rate: float | None
    """Of the calls that ended in a full answer or in the provider's own fault."""
    error_rate: float | None
    first_token_ms: Times
    latency_ms: Times
    tokens: Tokens


class ProviderStats(Schema):
    provider: str
    as_of: datetime.datetime
    windows: dict[str, WindowStats]


class ProviderStatsBody(Schema):
    data: ProviderStats


class RankedModel(Schema):
    rank: int
    model: str
    requests: int
    """Answered in full."""
    tokens: int


class Ranking(Schema):
    object: Literal["list"]
    window: str
    by: str
    as_of: datetime.datetime
    data: list[RankedModel]
    total: int
    has_more: bool


class GatewayStatus(Schema):
    id: str
    name: str
    routable: bool
    reason: Literal["disabled", "sandbox_off", "not_configured", "no_models"] | None
    refreshed_at: datetime.datetime | None
    """When its own list of models was last read."""
    error_rate: float | None
    """Of the last hour."""


class GatewayStatusList(Schema):
    object: Literal["list"]
    as_of: datetime.datetime
    data: list[GatewayStatus]
    total: int
    has_more: bool
