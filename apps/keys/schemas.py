"""JSON of the key routes."""

import datetime

from ninja import Schema


class KeyLimits(Schema):
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int


class KeyInfo(Schema):
    label: str
    """The key's environment and ending: never enough to use it."""
    name: str
    environment: str
    expires_at: datetime.datetime | None
    created_at: datetime.datetime
    limits: KeyLimits


class KeyBody(Schema):
    data: KeyInfo
