"""JSON of the key routes."""

import datetime

from ninja import Schema


class KeyLimits(Schema):
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int
    max_cost: float | None
    """Dollars that a request may cost at most."""
    max_cost_nano_usd: int | None


class KeyInfo(Schema):
    label: str
    """The key's environment and ending: never enough to use it."""
    name: str
    environment: str
    tag: str
    """Of requests that have none of their own; may be empty."""
    expires_at: datetime.datetime | None
    created_at: datetime.datetime
    limits: KeyLimits


class KeyBody(Schema):
    data: KeyInfo
