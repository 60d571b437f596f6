"""Customers' own keys at providers: GET and POST /user/provider-keys, DELETE /user/provider-keys/{slug}.

Here and not in apps.keys, because what a key and its settings must be like is the catalogue's to say. A key is never
part of an answer or of an error.
"""

from dataclasses import asdict

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from apps.catalog import own_keys
from apps.catalog.selectors import ProviderSnapshot
from apps.catalog.snapshots import Template
from apps.common.db import run_db
from apps.common.errors import InvalidRequest, NotFound, PermissionDenied, RateLimited
from apps.common.ids import new_id
from apps.common.ratelimit import Acquire, Limits, Release
from apps.inference import credentials
from apps.inference.provider_keys_schemas import (
    ForgottenProviderKey,
    ProviderKeyBody,
    ProviderKeyInfo,
    ProviderKeyInput,
    ProviderKeyList,
)
from apps.inference.runtime import current
from apps.keys import provider_keys
from apps.keys.selectors import KeptKey, KeySnapshot, find_provider_key, list_provider_keys

router = Router(tags=["Provider keys"])


@router.get("/user/provider-keys", response=ProviderKeyList, summary="Your own keys at providers")
def read_provider_keys(request: HttpRequest) -> ProviderKeyList:
    return ProviderKeyList(data=[_present(kept) for kept in list_provider_keys(_owner(request))])


@router.post(
    "/user/provider-keys", response=ProviderKeyBody, summary="Bring or change a provider's key"
)
async def store_provider_key(request: HttpRequest, asked: ProviderKeyInput) -> ProviderKeyBody:
    """Every process uses it within a second. What is left out stays as it was; of a new key it is as usual."""
    owner = _owner(request)
    await _count_change(owner)
    return ProviderKeyBody(data=await run_db(_store, owner, asked))


def _store(owner: int, asked: ProviderKeyInput) -> ProviderKeyInfo:
    provider, template = _provider_of(asked.provider)
    former = find_provider_key(owner, asked.provider)
    kept_settings = former.settings if former else {}
    chosen = kept_settings if asked.settings is None else asked.settings
    secret = named_by = None
    if asked.key is not None:
        secret = provider_keys.clean(asked.key)
        told = _read_key(template, secret)
        named_by = credentials.id_of(template.spec.auth, secret) or None
        if asked.settings is None:
            _require_same(told, kept_settings)
        chosen = told | chosen
    _check_settings(template, chosen)
    if not own_keys.base_url_with(provider, chosen):
        raise _unknown(
            f"'{asked.provider}' has no address here, so it cannot be asked with any key."
        )
    kept = provider_keys.store(
        owner,
        provider=asked.provider,
        secret=secret,
        named_by=named_by,
        settings=chosen,
        falls_back=asked.falls_back,
        is_active=asked.is_active,
    )
    return _present(kept)


@router.delete(
    "/user/provider-keys/{slug}",
    response=ForgottenProviderKey,
    summary="Forget a provider's key",
)
async def delete_provider_key(request: HttpRequest, slug: str) -> ForgottenProviderKey:
    """No process uses it any more within a second."""
    owner = _owner(request)
    await _count_change(owner)
    if own_keys.SLUG.fullmatch(slug) is None or not await run_db(provider_keys.forget, owner, slug):
        raise NotFound(
            f"There is no key of this organisation at '{slug[:40]}'.",
            param="slug",
        )
    return ForgottenProviderKey(provider=slug)


def _owner(request: HttpRequest) -> int:
    """The organisation whose live key asks. Raises PermissionDenied for a test key, which reaches the sandbox alone."""
    key: KeySnapshot = request.auth  # type: ignore[attr-defined]
    if key.is_test:
        raise PermissionDenied("A test key cannot see or change keys at providers; use a live one.")
    return key.organization_id


async def _count_change(owner: int) -> None:
    """Each makes every process read its keys anew. Raises RateLimited."""
    limiter, most = current().limiter, settings.PROVIDER_KEY_CHANGES_PER_MINUTE
    subject, change = f"provider_keys:{owner}", new_id("change")
    limits = Limits(requests_per_minute=most, tokens_per_minute=0, concurrency=most)
    verdict = await limiter.acquire(Acquire(subject, change, limits, tokens=0))
    if verdict.exceeded:
        raise RateLimited(
            f"An organisation may change its provider keys {most} times a minute.",
            retry_after_ms=verdict.retry_after_ms,
        )
    limiter.release(Release(subject, change, correction=0))


def _provider_of(slug: str) -> tuple[ProviderSnapshot, Template]:
    """Raises InvalidRequest."""
    provider = own_keys.find_provider(slug)
    if provider is None:
        raise _unknown(f"'provider' names none that is offered here: '{slug}'.")
    if provider.template is None:
        raise _unknown(f"'{slug}' is asked without a key, so none can be brought.")
    return provider, provider.template


def _unknown(text: str) -> InvalidRequest:
    return InvalidRequest(text, param="provider", code="invalid_value")


def _read_key(template: Template, secret: str) -> dict[str, str]:
    """The settings that the key tells itself. Raises InvalidRequest for what can be no key of this provider."""
    try:
        return credentials.check(template.spec.auth, secret)
    except credentials.CredentialUnusable as unusable:
        raise InvalidRequest(
            f"'key' is {unusable.detail}.", param="key", code="invalid_value"
        ) from None


def _require_same(told: dict[str, str], kept: dict[str, str]) -> None:
    """A key of another project than the one that is kept: only its owner knows which is meant."""
    for name in told.keys() & kept.keys():
        if told[name] != kept[name]:
            raise InvalidRequest(
                f"'settings.{name}' is needed: the key's own is another one than what was kept with the former key.",
                param=f"settings.{name}",
                code="missing_field",
            )


def _check_settings(template: Template, chosen: dict[str, str]) -> None:
    try:
        own_keys.check_settings(template, chosen)
    except own_keys.SettingWrong as wrong:
        raise InvalidRequest(
            f"'settings.{wrong.name}' {wrong.message}",
            param=f"settings.{wrong.name}",
            code=wrong.code,
        ) from None


def _present(kept: KeptKey) -> ProviderKeyInfo:
    return ProviderKeyInfo(**asdict(kept))
