"""Own keys: what a customer may say of a provider besides a key, and the provider as it is asked with that key.

A customer never chooses an address. What it may choose are parts of the provider's own address, each with a pattern that
leaves no way out of its place: no dot, no slash, no colon.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from apps.catalog.models import Provider
from apps.catalog.providers.spec import DataPolicy
from apps.catalog.reach import (
    describe_provider,
    endpoints_of,
    fill,
    headers_of,
    is_switched_on,
)
from apps.catalog.snapshots import ProviderSnapshot, Template

SLUG = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Setting:
    """A part of an address that is the customer's."""

    name: str
    """As customers know it."""
    pattern: re.Pattern[str]
    example: str


SETTINGS: Mapping[str, Setting] = {
    "AZURE_OPENAI_RESOURCE": Setting(
        "resource", re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}[A-Za-z0-9]"), "my-resource"
    ),
    "AWS_REGION": Setting("region", re.compile(r"[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}"), "eu-central-1"),
    "CLOUDFLARE_ACCOUNT_ID": Setting(
        "account_id", re.compile(r"[0-9a-f]{32}"), "0123456789abcdef0123456789abcdef"
    ),
    "GOOGLE_PROJECT_ID": Setting("project", re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"), "my-project-1"),
    "GOOGLE_VERTEX_LOCATION": Setting(
        "location", re.compile(r"[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}"), "europe-west4"
    ),
}  # fmt: skip
"""By the variable that stands in a row's templates. All other variables are the house's, also for a customer's key."""


class SettingWrong(Exception):
    """A setting that the provider does not have, that is missing or ill-formed. ``name`` says which."""

    def __init__(self, name: str, message: str, *, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.code = code


def find_provider(slug: str) -> ProviderSnapshot | None:
    """A provider that is offered here, whether or not the house has a key for it; one query."""
    row = Provider.objects.filter(pk=slug).first() if SLUG.fullmatch(slug) else None
    return describe_provider(row) if row is not None and is_switched_on(row) else None


def settings_of(template: Template) -> dict[str, Setting]:
    """What a customer may set, by variable."""
    return {
        variable: SETTINGS[variable] for variable in template.spec.settings if variable in SETTINGS
    }


def check_settings(template: Template, given: Mapping[str, str]) -> None:
    """Raises SettingWrong."""
    known = {setting.name: variable for variable, setting in settings_of(template).items()}
    for name in given:
        if name not in known:
            told = f"it knows {', '.join(known)}" if known else "it has none"
            raise SettingWrong(name, f"is no setting of this provider; {told}.")
    for name, variable in known.items():
        value = given.get(name) or template.spec.settings[variable]
        if not value:
            if template.address:  # an address of staff's own has no places to fill in
                continue
            raise SettingWrong(name, "is missing.", code="missing_field")
        if not SETTINGS[variable].pattern.fullmatch(value):
            raise SettingWrong(
                name, f"is not of the right form, such as {SETTINGS[variable].example}."
            )


def asked_with(
    provider: ProviderSnapshot, *, version: str, secret: str, settings: Mapping[str, str]
) -> ProviderSnapshot | None:
    """The provider with a customer's key in place of the house's; None when it cannot be asked with it.

    Of what it does with prompts only what its published policy says of everybody counts: staff's word is of the house's
    own account.
    """
    template = provider.template
    if template is None or not secret:
        return None
    try:
        check_settings(template, settings)
    except SettingWrong:  # kept by a release that knew others
        return None
    base_url = base_url_with(provider, settings)
    if not base_url:
        return None
    spec = template.spec
    values = _values_of(provider, template, settings)
    shipped = None if template.address else spec.data_policy
    policy = shipped or DataPolicy(page="")
    return replace(
        provider,
        base_url=base_url,
        endpoints=endpoints_of(spec, template.address, values),
        auth=spec.auth,
        secret=secret,
        headers=headers_of(spec, values),
        settings=values,
        collects_data=policy.collects,
        keeps_nothing=bool(policy.keeps_nothing),
        region="" if settings_of(template) else provider.region,
        own_key=version,
        is_spent=False,
    )


def base_url_with(provider: ProviderSnapshot, settings: Mapping[str, str]) -> str:
    """Empty where an address is the house's to set, and it has set none."""
    template = provider.template
    if template is None:
        return ""
    return template.address or fill(
        template.spec.base_url, _values_of(provider, template, settings)
    )


def _values_of(
    provider: ProviderSnapshot, template: Template, settings: Mapping[str, str]
) -> dict[str, str]:
    """By variable: the customer's where they are its to choose, never the house's in their place."""
    chosen = {
        variable: settings.get(setting.name) or template.spec.settings[variable]
        for variable, setting in settings_of(template).items()
    }
    return {**provider.settings, **chosen}
