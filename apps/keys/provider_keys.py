"""Customers' own keys at providers: kept encrypted, replaced, forgotten.

Whether a key and its settings fit their provider is said before, by those who know the catalogue
(apps/inference/provider_keys_api.py).
"""

import re
from collections.abc import Mapping

from django.db import transaction

from apps.common import crypto
from apps.common.errors import InvalidRequest
from apps.keys.models import ProviderCredential
from apps.keys.selectors import KeptKey

LONGEST = 16_384
"""Characters of a key; a service account's JSON has 2,400."""
PLAIN = re.compile(r"[!-~]+")
SHORTEST_SHOWN = 12
"""Of a shorter key four characters would be a good part; its ending is not shown."""


def ending_of(secret: str) -> str:
    """What may be shown of a key, or of the id that a key has beside it."""
    return secret[-4:] if len(secret) >= SHORTEST_SHOWN else ""


def clean(secret: str) -> str:
    """The key without white space around it. Raises InvalidRequest for what no header can carry, and for what is no key at all.

    A document, which a service account's key is, may have line breaks; it is never sent.
    """
    text = secret.strip()
    if len(text) > LONGEST:
        raise _unusable(f"is longer than {LONGEST:,} characters.")
    if not text:
        raise _unusable("is empty.")
    if not text.startswith("{") and not PLAIN.fullmatch(text):
        raise _unusable("must be plain ASCII text without spaces or control characters.")
    return text


def _unusable(why: str) -> InvalidRequest:
    return InvalidRequest(f"'key' {why}", param="key", code="invalid_value")


@transaction.atomic
def store(
    organization_id: int,
    *,
    provider: str,
    secret: str | None,
    named_by: str | None = None,
    settings: Mapping[str, str] | None = None,
    falls_back: bool | None = None,
    is_active: bool | None = None,
) -> KeptKey:
    """The key of this provider, made or changed; what is None stays as it was, or as usual.

    It is recognised by the ending of ``named_by``, of the key itself when that is None. Raises InvalidRequest for a new
    one without ``secret``.
    """
    usual = {"ciphertext": "", "last4": ""}
    row, created = ProviderCredential.objects.select_for_update().get_or_create(
        organization_id=organization_id, provider=provider, defaults=usual
    )
    if secret is not None:
        row.ciphertext, row.last4 = crypto.encrypt(secret), ending_of(named_by or secret)
    elif created:
        raise InvalidRequest("'key' is missing.", param="key", code="missing_field")
    if settings is not None:
        row.settings = dict(settings)
    if falls_back is not None:
        row.falls_back = falls_back
    if is_active is not None:
        row.is_active = is_active
    row.save()
    return KeptKey.of(row)


def forget(organization_id: int, provider: str) -> bool:
    """Whether there was one."""
    found = ProviderCredential.objects.filter(organization_id=organization_id, provider=provider)
    return bool(found.delete()[0])
