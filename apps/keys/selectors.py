"""Keys as the hot path sees them: frozen, looked up by hash, forgotten when the epoch rises."""

import datetime
from dataclasses import dataclass

from django.conf import settings

from apps.common.cache import Snapshot
from apps.keys.models import ApiKey, Environment, KeyEpoch

MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    id: int
    organization_id: int
    name: str
    is_test: bool
    is_revoked: bool
    expires_at: datetime.datetime | None
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int
    last4: str
    created_at: datetime.datetime


def find_key(key_hash: str) -> KeySnapshot | None:
    """One query. A key of an inactive organisation counts as revoked."""
    key = ApiKey.objects.select_related("organization").filter(key_hash=key_hash).first()
    if key is None:
        return None
    return KeySnapshot(
        id=key.pk,
        organization_id=key.organization_id,
        name=key.name,
        is_test=key.environment == Environment.TEST,
        is_revoked=key.revoked_at is not None or not key.organization.is_active,
        expires_at=key.expires_at,
        requests_per_minute=_limit(key.requests_per_minute, settings.DEFAULT_REQUESTS_PER_MINUTE),
        tokens_per_minute=_limit(key.tokens_per_minute, settings.DEFAULT_TOKENS_PER_MINUTE),
        concurrency=_limit(key.concurrency, settings.DEFAULT_CONCURRENCY),
        last4=key.last4,
        created_at=key.created_at,
    )


def _limit(own: int | None, default: int) -> int:
    return default if own is None else own


KnownKeys = dict[str, KeySnapshot]

known_keys: Snapshot[KnownKeys] = Snapshot(
    "keys",
    load=dict,
    epoch=lambda: KeyEpoch.objects.values_list("value", flat=True).get(pk=1),
)
"""Keys seen since the last change of any key, by hash; starts empty and is filled by look-ups."""


def remember(known: KnownKeys, key_hash: str, key: KeySnapshot) -> None:
    if len(known) < MOST_KEYS:
        known[key_hash] = key


def list_keys(organization_id: int) -> list[ApiKey]:
    return list(ApiKey.objects.filter(organization_id=organization_id))
