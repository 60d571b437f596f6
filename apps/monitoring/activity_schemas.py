"""JSON of the activity routes. Dollars are JSON numbers; the exact nano-dollars stand beside them."""

from typing import Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from apps.monitoring.schemas import UsageQuery, from_and_to


class ActivityQuery(UsageQuery):
    model: str | None = None
    """The one that answered."""


class ActivityLogQuery(ActivityQuery):
    outcome: Literal["completed", "client_gone", "failed", "interrupted", "stopped", "empty", "lost"] | None = None  # fmt: skip
    """How they ended."""
    before: str | None = Field(None, max_length=40)
    """The id of the last one seen: what follows it."""
    limit: int = Field(50, ge=1, le=500)


class ActivityNumbers(Schema):
    requests: int
    errors: int
    tokens: int
    """In and out, cached ones too."""
    charged: float
    """Dollars."""
    charged_nano_usd: int


class ActivityOfDay(ActivityNumbers):
    day: str
    """Of the time zone."""


class ActivityOfModel(ActivityNumbers):
    model: str | None
    """Null where no model was asked."""


class ActivityOfProvider(ActivityNumbers):
    provider: str | None
    """Null where no provider was asked."""


class ActivityStats(Schema):
    model_config = ConfigDict(json_schema_extra=from_and_to)

    start: str
    end: str
    timezone: str
    total: ActivityNumbers
    by_day: list[ActivityOfDay]
    """The newest first; days without requests are left out."""
    by_model: list[ActivityOfModel]
    """The dearest first."""
    by_provider: list[ActivityOfProvider]
    """The dearest first."""


class ActivityStatsBody(Schema):
    data: ActivityStats


class LoggedRequest(Schema):
    """`GET /v1/generation` tells the rest."""

    id: str
    created_at: str
    """When it ended, in the time zone."""
    surface: str
    requested_model: str
    model: str | None
    provider: str | None
    key: int | None
    """Null for keys that are gone."""
    tag: str | None
    streamed: bool
    outcome: str
    status: int
    error_code: str | None
    finish_reason: str | None
    cached: bool
    is_byok: bool
    tokens_input: int
    """Cached ones too."""
    tokens_output: int
    charged: float
    """Dollars."""
    charged_nano_usd: int
    first_token_ms: int | None
    latency_ms: int


class ActivityLogBody(Schema):
    data: list[LoggedRequest]
    has_more: bool
    next_before: str | None
    """For `before` of the next page."""
