"""Keys as the hot path sees them: frozen, looked up by hash, forgotten when the epoch rises."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog
from django.db.models import Exists, OuterRef

from apps.accounts.selectors import plan_of
from apps.common import crypto
from apps.common.cache import Snapshot
from apps.common.preferences import NOBODY, Preferences, read_preferences
from apps.keys.models import ApiKey, Environment, KeyEpoch, ProviderCredential
from apps.keys.models import Recover as Recover

log = structlog.get_logger(__name__)

MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """An organisation's own key at a provider, open, as the catalogue's snapshot holds the house's."""

    version: str
    """Another one after each change, so that what was learnt of the former key is not held against the new one."""
    secret: str = field(repr=False)
    """Empty when the keyring has lost its key: then the provider cannot be asked with it."""
    settings: Mapping[str, str]
    falls_back: bool


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
    admission_percent: int
    """Of the room of a web process: how full it may be for a request of this key."""
    velocity_percent: int
    """Of the limits: what is left of them in velocity mode."""
    cache_ttl: int | None
    """Seconds."""
    recover: Recover
    max_cost: int | None
    """Nano-USD that a request may cost at most."""
    tag: str
    """Of requests that have none of their own."""
    last4: str
    created_at: datetime.datetime
    created_by_id: int | None = None
    """The user whose spending it is, too."""
    is_frozen: bool = False
    """The organisation may not spend: nothing that costs is served."""
    provider_policy: Preferences | None = None
    """What its requests can only narrow."""
    provider_keys: Mapping[str, ProviderKey] = field(default_factory=dict, repr=False)
    """The organisation's own, by the provider's slug; none for a test key, which reaches the sandbox alone."""


def find_key(key_hash: str) -> KeySnapshot | None:
    """One query, two where the organisation has keys of its own. A key of an inactive organisation counts as revoked."""
    own = ProviderCredential.objects.filter(organization=OuterRef("organization"), is_active=True)
    key = (
        ApiKey.objects.select_related("organization__plan")
        .annotate(has_own=Exists(own))
        .filter(key_hash=key_hash)
        .first()
    )
    if key is None:
        return None
    is_test = key.environment == Environment.TEST
    plan = plan_of(key.organization)
    return KeySnapshot(
        id=key.pk,
        organization_id=key.organization_id,
        name=key.name,
        is_test=is_test,
        is_revoked=key.revoked_at is not None or not key.organization.is_active,
        expires_at=key.expires_at,
        requests_per_minute=_limit(key.requests_per_minute, plan.requests_per_minute),
        tokens_per_minute=_limit(key.tokens_per_minute, plan.tokens_per_minute),
        concurrency=_limit(key.concurrency, plan.concurrency),
        admission_percent=plan.admission_percent,
        velocity_percent=plan.velocity_percent,
        cache_ttl=key.cache_ttl,
        recover=Recover(key.recover),
        max_cost=key.max_cost,
        tag=key.tag,
        last4=key.last4,
        created_at=key.created_at,
        created_by_id=key.created_by_id,
        is_frozen=key.organization.spending_frozen_at is not None,
        provider_policy=_policy(key),
        provider_keys=_provider_keys(key.organization_id) if key.has_own and not is_test else {},
    )


def _policy(key: ApiKey) -> Preferences | None:
    """One that cannot be read allows nobody: whatever it forbade would be allowed without it."""
    if not key.provider_policy:
        return None
    try:
        return read_preferences(key.provider_policy)
    except msgspec.ValidationError as error:
        log.error("keys.policy_unreadable", key=key.pk, problem=str(error))
        return NOBODY


def _provider_keys(organization_id: int) -> dict[str, ProviderKey]:
    rows = ProviderCredential.objects.filter(organization_id=organization_id, is_active=True)
    return {row.provider: _opened(row) for row in rows}


def _opened(row: ProviderCredential) -> ProviderKey:
    try:
        secret = crypto.decrypt(row.ciphertext)
    except crypto.SecretUnreadable:
        log.error("keys.provider_key_unreadable", organization=row.organization_id, provider=row.provider)  # fmt: skip
        secret = ""
    return ProviderKey(
        version=f"{row.pk}.{row.updated_at.timestamp():.6f}",
        secret=secret,
        settings=row.settings,
        falls_back=row.falls_back,
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


def has_key(organization_id: int, key_id: int) -> bool:
    return ApiKey.objects.filter(organization_id=organization_id, pk=key_id).exists()


def list_keys(organization_id: int) -> list[ApiKey]:
    return list(ApiKey.objects.filter(organization_id=organization_id))


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What may be shown of an organisation's own key at a provider."""

    provider: str
    last4: str
    settings: dict[str, str]
    falls_back: bool
    is_active: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime

    @classmethod
    def of(cls, row: ProviderCredential) -> "KeptKey":
        return cls(**{name: getattr(row, name) for name in cls.__slots__})


def list_provider_keys(organization_id: int) -> list[KeptKey]:
    rows = ProviderCredential.objects.filter(organization_id=organization_id)
    return [KeptKey.of(row) for row in rows]


def find_provider_key(organization_id: int, provider: str) -> KeptKey | None:
    row = ProviderCredential.objects.filter(organization_id=organization_id, provider=provider)
    return next(map(KeptKey.of, row), None)


def read_key_names(organization_id: int) -> dict[int, str]:
    """Of all keys of an organisation, by id; also of those that are revoked."""
    return dict(ApiKey.objects.filter(organization=organization_id).values_list("pk", "name"))
