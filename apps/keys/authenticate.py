"""From request headers to the key behind them.

``Authorization: Bearer <key>`` and ``x-api-key: <key>`` are accepted alike on every route. Unknown, revoked and expired
keys are told apart only for somebody who holds the real key.
"""

from apps.common import clock, crypto
from apps.common.db import run_db
from apps.common.errors import Unauthenticated
from apps.keys.selectors import KeySnapshot, find_key, known_keys, remember
from apps.keys.services import is_well_formed


def read_secret(*, authorization: str | None, x_api_key: str | None) -> str:
    """The key as sent. Raises Unauthenticated when there is none."""
    secret = (x_api_key or "").strip()
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer" and rest.strip():
            secret = rest.strip()
    if not secret:
        raise Unauthenticated(
            "No API key. Send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'.",
            code="missing_api_key",
        )
    return secret


async def authenticate(secret: str) -> KeySnapshot:
    """The key, from memory when it was seen before. Raises Unauthenticated."""
    key_hash = crypto.lookup_hash(secret)
    known = await known_keys.fresh()
    key = known.get(key_hash)
    if key is None and is_well_formed(secret):
        key = await run_db(find_key, key_hash)
        if key is not None:
            remember(known, key_hash, key)
    return require_usable(key)


def authenticate_now(secret: str) -> KeySnapshot:
    """The same for synchronous code. Raises Unauthenticated."""
    key_hash = crypto.lookup_hash(secret)
    return require_usable(find_key(key_hash) if is_well_formed(secret) else None)


def require_usable(key: KeySnapshot | None) -> KeySnapshot:
    if key is None:
        raise Unauthenticated("This API key is not valid.")
    if key.is_revoked:
        raise Unauthenticated("This API key has been revoked.", code="api_key_revoked")
    if key.expires_at is not None and key.expires_at <= clock.now():
        raise Unauthenticated("This API key has expired.", code="api_key_expired")
    return key
