"""The providers that ship with a release, by slug: the rows of ``rows``, put together. A row is a sentence you can review.

A provider that an operator adds at run time has no row here and follows the template of its wire.
"""

from collections.abc import Mapping
from types import MappingProxyType

from apps.catalog.providers.endpoints import (
    ANTHROPIC_VERSION,
    CHAT,
    CONVERSE,
    GEMINI,
    MESSAGES,
    OPENAI_PATHS,
    also,
    chat,
    responses,
)
from apps.catalog.providers.rows import (
    aggregators,
    chinese_vendors,
    clouds,
    further_hosts,
    hosts,
    local,
    networks,
    routers,
    sandbox,
    smaller_hosts,
    vendors,
)
from apps.catalog.providers.rows.anthropic_quirks import SIGNED_THINKING
from apps.catalog.providers.rows.claude_quirks import CLAUDE, CLAUDE_AT_CONVERSE
from apps.catalog.providers.spec import Bearer, HeaderKey, ProviderSpec, Wire


def by_slug(*specs: ProviderSpec) -> Mapping[str, ProviderSpec]:
    """In alphabetical order; refuses two rows of one slug."""
    found = {spec.slug: spec for spec in sorted(specs, key=lambda spec: spec.slug)}
    if len(found) != len(specs):
        raise ValueError("two provider rows share a slug")
    return MappingProxyType(found)


PROVIDERS: Mapping[str, ProviderSpec] = by_slug(
    *aggregators.ROWS,
    *chinese_vendors.ROWS,
    *clouds.ROWS,
    *further_hosts.ROWS,
    *hosts.ROWS,
    *local.ROWS,
    *networks.ROWS,
    *routers.ROWS,
    *sandbox.ROWS,
    *smaller_hosts.ROWS,
    *vendors.ROWS,
)

# An operator's own provider: slug, name and address stand in its database row.
TEMPLATES: Mapping[Wire, ProviderSpec] = MappingProxyType(
    {
        Wire.OPENAI_CHAT: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints={**CHAT, **also(*OPENAI_PATHS)},
        ),
        Wire.OPENAI_RESPONSES: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints=chat(responses()),
        ),
        Wire.OPENAI_JSON: ProviderSpec(
            slug="", name="", base_url="", auth=Bearer(""), endpoints=also(*OPENAI_PATHS)
        ),
        Wire.ANTHROPIC_MESSAGES: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=HeaderKey("x-api-key", ""),
            endpoints=MESSAGES,
            headers=ANTHROPIC_VERSION,
            quirks=(*CLAUDE, SIGNED_THINKING),
        ),
        Wire.GEMINI: ProviderSpec(
            slug="", name="", base_url="", auth=HeaderKey("x-goog-api-key", ""), endpoints=GEMINI
        ),
        Wire.BEDROCK_CONVERSE: ProviderSpec(
            slug="",
            name="",
            base_url="",
            auth=Bearer(""),
            endpoints=CONVERSE,
            quirks=CLAUDE_AT_CONVERSE,
        ),
    }
)


def spec_of(slug: str, wire: str) -> ProviderSpec:
    """The row of a slug, else the template of its wire."""
    return PROVIDERS.get(slug) or TEMPLATES[Wire(wire)]
