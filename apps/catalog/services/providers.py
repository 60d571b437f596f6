"""An operator's changes to providers: adding one, its key, switching it on and off."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from apps.catalog.models import Offering, PriceSource, Provider
from apps.catalog.providers.registry import PROVIDERS, spec_of
from apps.catalog.providers.spec import ProviderSpec, Wire
from apps.catalog.reach import base_url_of
from apps.catalog.services import offers
from apps.catalog.services.errors import CatalogError
from apps.common import crypto

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
ENDPOINT_PATHS = frozenset(
    endpoint.path
    for wire in Wire
    for endpoints in spec_of("", wire).endpoints.values()
    for endpoint in endpoints
)


def registered_facts(spec: ProviderSpec) -> dict[str, Any]:
    """Columns that a release decides. All other columns are the operator's once the row exists."""
    return {
        "name": spec.name,
        "wire": spec.wire.value,
        "usage": spec.usage.value,
        "is_sandbox": spec.is_sandbox,
        "docs": spec.docs,
    }


def register(spec: ProviderSpec) -> Provider:
    """The row of a registry entry: created, or brought up to date where the release decides. Writes only changes."""
    facts = registered_facts(spec)
    row, created = Provider.objects.get_or_create(
        slug=spec.slug, defaults={"priority": spec.priority, **facts}
    )
    stale = [name for name, value in facts.items() if getattr(row, name) != value]
    if stale and not created:
        for name in stale:
            setattr(row, name, facts[name])
        row.save(update_fields=[*stale, "updated_at"])
    return row


@transaction.atomic
def add_provider(
    slug: str,
    *,
    model: str,
    amounts: offers.Amounts,
    base_url: str = "",
    wire: str = "",
    api_key_env: str = "",
    upstream_model: str = "",
    context_length: int | None = None,
    max_output_tokens: int | None = None,
    priority: int | None = None,
    is_sandbox: bool = False,
) -> Offering:
    """One model at one provider, with its price. The provider is created when it is new.

    Runs again for another model, another host of the same model, or a new price. ``upstream_model`` is the model's
    name there, ``model`` itself when empty; ``priority`` orders the hosts of this model. Raises CatalogError.
    """
    model = model.strip()
    if not model or len(model) > 200 or re.search(r"\s", model):
        raise CatalogError("model", "must be the model's public id, for example acme/large.")
    provider = Provider.objects.filter(slug=slug).first() or _new_provider(
        slug, wire=wire, base_url=base_url
    )
    if wire and wire != provider.wire:
        raise CatalogError("wire", f"cannot change: {slug} speaks {provider.wire}.")
    if base_url:
        provider.base_url = check_base_url(base_url)
    if api_key_env:
        provider.api_key_env = check_api_key_env(api_key_env)
    provider.is_sandbox = provider.is_sandbox or is_sandbox
    provider.save()
    offering = offers.offer(
        provider,
        model_id=model,
        upstream_model=upstream_model or model,
        context_length=context_length,
        max_output_tokens=max_output_tokens,
        priority=priority,
    )
    offers.post_price(offering, amounts, source=PriceSource.MANUAL)
    return offering


def _new_provider(slug: str, *, wire: str, base_url: str) -> Provider:
    """Not saved yet, unless its slug is in the registry."""
    if not SLUG.fullmatch(slug):
        raise CatalogError("slug", f"must be lower-case letters, digits and dashes, not {slug!r}.")
    if slug in PROVIDERS:
        return register(PROVIDERS[slug])
    if not base_url:
        raise CatalogError("base_url", f"is needed: {slug} is a new provider.")
    if wire not in {known.value for known in Wire}:
        known = ", ".join(known.value for known in Wire)
        raise CatalogError(
            "wire",
            f"must be one of {known}, not {wire!r}." if wire else f"is needed, one of {known}.",
        )
    return Provider(slug=slug, name=slug, wire=wire, usage=spec_of(slug, wire).usage)


def check_base_url(base_url: str) -> str:
    """The address without a trailing slash. Raises CatalogError, also when the endpoint's own path is part of it."""
    address = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username or re.search(r"\s", address):
        raise CatalogError(
            "base_url",
            f"must be an http:// or https:// address such as https://host/v1, not {base_url!r}.",
        )
    for path in sorted(ENDPOINT_PATHS, key=len, reverse=True):
        if address.endswith(path):
            raise CatalogError(
                "base_url", f"must end before {path}, which is added: {address.removesuffix(path)}"
            )
    return address


def check_api_key_env(name: str) -> str:
    """The name of a variable that may hold a provider's key. Raises CatalogError."""
    if not VARIABLE.fullmatch(name):
        raise CatalogError("api_key_env", f"must be the name of a variable, not {name!r}.")
    if name in settings.OWN_VARIABLES:
        raise CatalogError(
            "api_key_env",
            f"must not be {name}, which is the gateway's own and never sent to a provider; "
            "put the provider's key into a variable of another name.",
        )
    return name


def endpoint_of(provider: Provider) -> str:
    """Where its main endpoint is, for showing; empty when the address is not known."""
    spec = spec_of(provider.slug, provider.wire)
    base_url = base_url_of(provider, spec)
    return base_url + next(iter(spec.endpoints.values()))[0].path if base_url else ""


def set_api_key(provider: Provider, api_key: str) -> None:
    """Keep the key, encrypted; an empty one removes what is kept, and the environment's is used again."""
    provider.api_key_ciphertext = crypto.encrypt(api_key) if api_key else ""
    provider.save(update_fields=["api_key_ciphertext", "updated_at"])


def set_enabled(slug: str, *, enabled: bool) -> None:
    """Raises CatalogError when there is no such provider."""
    provider = Provider.objects.filter(slug=slug).first()
    if provider is None:
        known = ", ".join(Provider.objects.values_list("slug", flat=True)) or "none"
        raise CatalogError("slug", f"must be a provider's, not {slug!r}; known: {known}.")
    provider.enabled = enabled
    provider.save(update_fields=["enabled", "updated_at"])
