"""Issuing and revoking keys.

A key is ``gw_live_<43 characters><6 characters of CRC-32>``: 32 random bytes, URL-safe, with a checksum so that a
scanner of leaked secrets can tell a real one from a look-alike without asking us.
"""

import base64
import datetime
import secrets
import zlib
from dataclasses import dataclass
from typing import Any

from apps.common import clock, crypto
from apps.keys.models import ApiKey, Environment, Recover


@dataclass(frozen=True, slots=True)
class IssuedKey:
    key: ApiKey
    secret: str
    """The whole key; shown to its owner once and kept nowhere."""


def checksum(text: str) -> str:
    digest = zlib.crc32(text.encode()).to_bytes(4, "big")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_well_formed(secret: str) -> bool:
    """Whether the text can be a key of ours at all, judged without the database."""
    body, check = secret[:-6], secret[-6:]
    return secret.startswith(("gw_live_", "gw_test_")) and checksum(body) == check


def issue(
    organization_id: int,
    *,
    name: str,
    environment: Environment = Environment.LIVE,
    created_by_id: int | None = None,
    expires_at: datetime.datetime | None = None,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    concurrency: int | None = None,
    cache_ttl: int | None = None,
    recover: Recover = Recover.MATCH,
    max_cost: int | None = None,
    tag: str = "",
    provider_policy: dict[str, Any] | None = None,
) -> IssuedKey:
    """A new key. Its secret exists only in the answer. ``max_cost`` in nano-USD."""
    body = f"gw_{environment}_{secrets.token_urlsafe(32)}"
    secret = body + checksum(body)
    key = ApiKey.objects.create(
        organization_id=organization_id,
        created_by_id=created_by_id,
        name=name,
        environment=environment,
        key_hash=crypto.lookup_hash(secret),
        last4=secret[-4:],
        ciphertext=crypto.encrypt(secret),
        expires_at=expires_at,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        cache_ttl=cache_ttl,
        recover=recover,
        max_cost=max_cost,
        tag=tag,
        provider_policy=provider_policy,
    )
    return IssuedKey(key=key, secret=secret)


def revoke(key: ApiKey) -> None:
    """End a key for good; every process refuses it within a second. Revoking twice keeps the first moment."""
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        key.save(update_fields=["revoked_at", "updated_at"])
