"""JSON of the usage routes. Exact money is nano-dollars; times are milliseconds."""

from typing import Any

from ninja import Field, Schema
from pydantic import ConfigDict


def from_and_to(schema: dict[str, Any]) -> None:
    """``from`` is no name that Python allows: it and ``to`` are ``start`` and ``end`` in these classes."""
    names = {"start": "from", "end": "to"}
    schema["properties"] = {names.get(k, k): v for k, v in schema["properties"].items()}
    schema["required"] = [names.get(name, name) for name in schema["required"]]


class UsageQuery(Schema):
    """Which requests are meant."""

    from_: str | None = Field(None, alias="from")
    """A day or a moment; thirty days before `to` unless told. What has no offset is of `timezone`."""
    to: str | None = None
    """Not included; now unless told."""
    timezone: str = "UTC"
    """A name of the IANA database, such as `Europe/Berlin`: whose days are meant."""
    provider: str | None = None
    key: int | None = Field(None, ge=0, le=2**63 - 1)
    """The id of an API key; 0 for keys that are gone."""
    tag: str | None = None
    """Empty for requests without one."""


class UsageListQuery(UsageQuery):
    model: str | None = None
    group_by: str = "model"
    """Any of model, provider, key, tag, billing, day and hour, with commas between them."""
    page: int = Field(1, ge=1, le=1_000_000)
    limit: int = Field(100, ge=1, le=1000)
    format: str = Field("page", pattern="^(page|json|csv)$")


class WhatIfQuery(UsageQuery):
    model: str
    """The other model."""
    instead_of: str | None = None
    """The model whose traffic is meant; that of all unless told."""


class UsagePercentiles(Schema):
    p50: float | None
    p95: float | None
    p99: float | None


class UsageTokens(Schema):
    """Each token is in exactly one of them."""

    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    reasoning: int
    audio_input: int
    audio_output: int


class UsageNumbers(Schema):
    requests: int
    completed: int
    client_gone: int
    errors: int
    errors_by_kind: dict[str, int]
    """They add up to `errors`."""
    tokens: UsageTokens
    units: dict[str, int]
    """Images, characters, seconds and searches."""
    cost_nano_usd: int
    """Usage times price."""
    charged: float
    """Dollars that the credit covered of the cost."""
    charged_nano_usd: int
    saved_nano_usd: int
    """What it would have cost more without the response cache and the prompt caches of providers."""
    latency_ms: UsagePercentiles
    """Of full answers that a host gave, at most 5 % from the exact ones."""
    first_token_ms: UsagePercentiles
    """Of those that were streamed."""


class UsageRow(UsageNumbers):
    """Beside the numbers stands what was grouped by."""

    model: str | None = None
    """Null where no model was asked."""
    provider: str | None = None
    """Null where no provider was asked."""
    key: int | None = None
    """Null for keys that are gone."""
    key_name: str | None = None
    tag: str | None = None
    """Null without one."""
    billing: str | None = None
    """`price`, `own_key` (the routing fee), `cache` or `none` (free of charge)."""
    day: str | None = None
    hour: str | None = None
    """When it began, in the time zone."""


class UsageBody(Schema):
    model_config = ConfigDict(json_schema_extra=from_and_to)

    start: str
    end: str
    timezone: str
    group_by: list[str]
    data: list[UsageRow]
    total: int
    """Rows on all pages."""
    page: int
    has_more: bool


class Outlook(Schema):
    since: str
    """The forecast goes by what was charged from then on."""
    burn_nano_usd_per_day: int
    month_end: float
    """Dollars."""
    month_end_nano_usd: int


class UsageSummary(Schema):
    as_of: str
    timezone: str
    today: UsageNumbers
    month: UsageNumbers
    forecast: Outlook | None
    """Null before there is a day of requests to go by."""
    runs_dry_on: str | None
    """Null too when nothing was charged lately, or the credit lasts for ten years."""


class UsageSummaryBody(Schema):
    data: UsageSummary


class ComparedHost(Schema):
    provider: str
    tag: str
    cost: float
    cost_nano_usd: int
    difference_nano_usd: int
    """Less than nothing where it would have been cheaper."""
    not_compared: list[str]
    """Buckets that were used and have no price at this host."""


class WhatIf(Schema):
    model_config = ConfigDict(json_schema_extra=from_and_to)

    start: str
    end: str
    model: str
    instead_of: str | None
    requests: int
    usage: dict[str, int]
    cost_nano_usd: int
    left_out: dict[str, int]
    """Requests that no price of ours was paid for, by `billing`."""
    hosts: list[ComparedHost]
    """The cheapest first, those that can be compared in full ahead of the others."""


class WhatIfBody(Schema):
    data: WhatIf


Json = dict[str, Any]
