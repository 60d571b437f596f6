"""Reach: whether and how a provider can be asked, from its row in the release, its row in the database and the environment."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import structlog
from django.conf import settings

from apps.catalog.models import Provider
from apps.catalog.providers.registry import PROVIDERS, spec_of
from apps.catalog.providers.spec import (
    DataPolicy,
    Endpoints,
    GoogleServiceAccount,
    NoAuth,
    ProviderSpec,
    Timeouts,
    UsageConvention,
    auth_env,
    is_secret_needed,
)
from apps.catalog.snapshots import ProviderSnapshot, Template
from apps.common import crypto

log = structlog.get_logger(__name__)

VARIABLE = re.compile(r"\{(\w+)\}")


def variables_of(spec: ProviderSpec) -> dict[str, str]:
    """What the variables of a row are set to; empty for one that is not set and has no default."""
    return {
        name: (
            settings.SANDBOX_URL if name == "SANDBOX_URL" else settings.PROVIDER_SECRET(name)
        ).rstrip("/")
        or default
        for name, default in spec.settings.items()
    }


def base_url_of(row: Provider, spec: ProviderSpec) -> str:
    """The address to ask, or nothing while a variable in it is not set."""
    if row.base_url:
        return row.base_url.rstrip("/")
    return fill(spec.base_url, variables_of(spec))


def endpoints_of(spec: ProviderSpec, address: str, values: Mapping[str, str]) -> Endpoints:
    """With the variables in addresses of their own filled in. ``address`` is the row's.

    An address in the row stands for the whole provider: what is elsewhere is left out, so that the key goes nowhere
    that the operator did not name.
    """
    if not any(endpoint.base_url for found in spec.endpoints.values() for endpoint in found):
        return spec.endpoints
    filled = {
        operation: tuple(
            replace(endpoint, base_url=fill(endpoint.base_url, values))
            for endpoint in found
            if not (endpoint.base_url and address)
        )
        for operation, found in spec.endpoints.items()
    }
    return {operation: found for operation, found in filled.items() if found}


def headers_of(spec: ProviderSpec, values: Mapping[str, str]) -> Mapping[str, str]:
    """Without those whose variable is not set."""
    return {
        name: text for name, template in spec.headers.items() if (text := fill(template, values))
    }


def fill(template: str, values: Mapping[str, str]) -> str:
    """Empty while a variable is."""
    names = VARIABLE.findall(template)
    return template.format_map(values) if all(values[name] for name in names) else ""


def secret_of(row: Provider, spec: ProviderSpec) -> str:
    """The key kept in the row, else the environment's; empty when there is none."""
    if row.api_key_ciphertext:
        try:
            return crypto.decrypt(row.api_key_ciphertext)
        except crypto.SecretUnreadable:
            log.error("catalog.provider_key_unreadable", provider=row.slug)
            return ""
    name = row.api_key_env or auth_env(spec.auth)
    secret = settings.PROVIDER_SECRET(name) if name else ""
    if isinstance(spec.auth, GoogleServiceAccount) and secret and not secret.startswith("{"):
        return _read_key_file(secret, provider=row.slug)
    return secret


def _read_key_file(path: str, *, provider: str) -> str:
    """Only the environment may name a file: a key that somebody enters must not make the gateway read one."""
    try:
        return Path(path).read_text()
    except (OSError, ValueError):
        log.error("catalog.provider_key_file_unreadable", provider=provider)
        return ""


def wants_secret(row: Provider, spec: ProviderSpec) -> bool:
    return bool(row.api_key_ciphertext or row.api_key_env or is_secret_needed(spec.auth))


def is_switched_on(row: Provider) -> bool:
    """Whether it is offered at all, with a key or without."""
    return row.enabled and (settings.SANDBOX_ENABLED or not row.is_sandbox)


def why_not_asked(row: Provider) -> str:
    """Why no request goes to this provider now; empty when it can be asked."""
    spec = spec_of(row.slug, row.wire)
    if not row.enabled:
        return "disabled"
    if row.is_sandbox and not settings.SANDBOX_ENABLED:
        return "the sandbox is switched off"
    if not base_url_of(row, spec):
        unset = [name for name, value in variables_of(spec).items() if not value]
        return f"no base URL: set {', '.join(unset)}" if unset else "no base URL"
    if wants_secret(row, spec) and not secret_of(row, spec):
        return f"no key: set {row.api_key_env or auth_env(spec.auth)}"
    return ""


def read_provider(row: Provider) -> ProviderSnapshot | None:
    """None when the provider cannot be asked."""
    return None if why_not_asked(row) else describe_provider(row)


def data_policy_of(row: Provider, spec: ProviderSpec) -> DataPolicy:
    """What staff say, else what ships with the release. At an address of the operator's own the provider's policy says nothing."""
    if row.is_sandbox:
        return DataPolicy(page="", collects=False, keeps_nothing=True)
    shipped = None if row.base_url else spec.data_policy
    policy = shipped or DataPolicy(page="")
    return replace(
        policy,
        collects=policy.collects if row.collects_data is None else row.collects_data,
        keeps_nothing=policy.keeps_nothing if row.keeps_nothing is None else row.keeps_nothing,
    )


def describe_provider(row: Provider) -> ProviderSnapshot:
    """Whether or not it can be asked."""
    spec = spec_of(row.slug, row.wire)
    secret = secret_of(row, spec)
    policy = data_policy_of(row, spec)
    values = variables_of(spec)
    overrides = {field.name: getattr(row, f"{field.name}_seconds") for field in fields(Timeouts)}
    return ProviderSnapshot(
        slug=row.slug,
        name=row.name,
        base_url=base_url_of(row, spec),
        endpoints=endpoints_of(spec, row.base_url, values),
        auth=spec.auth if secret else NoAuth(),
        secret=secret,
        headers=headers_of(spec, values),
        quirks=spec.quirks,
        usage=spec.usage if row.slug in PROVIDERS else UsageConvention(row.usage),
        timeouts=replace(
            spec.timeouts, **{name: value for name, value in overrides.items() if value}
        ),
        priority=row.priority,
        is_sandbox=row.is_sandbox,
        collects_data=policy.collects,
        keeps_nothing=bool(policy.keeps_nothing),
        region=row.region.strip().lower(),
        rests=spec.rests,
        prefill=tuple(row.prefill.split()) or spec.prefill,
        settings=values,
        template=Template(spec, row.base_url.rstrip("/")) if wants_secret(row, spec) else None,
        is_spent=row.is_spent,
    )
