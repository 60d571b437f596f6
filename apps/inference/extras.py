"""Extras: what a request buys beside tokens, at a price of its own. Pure.

A provider sells web searches by the piece, and asks more for speed or a place. What the price book has and what can be counted
is billed; the rest is refused at the house's hosts, like a model without a price, and is the customer's own affair at a host
that is asked with the customer's own key.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from apps.catalog.providers.spec import Wire
from apps.common.usage import Rates

USUAL: Mapping[str, frozenset[str]] = {
    # https://platform.openai.com/docs/guides/priority-processing, https://platform.claude.com/docs/en/api/service-tiers
    "service_tier": frozenset({"auto", "default", "standard", "standard_only"}),
    # https://platform.claude.com/docs/en/build-with-claude/fast-mode
    "speed": frozenset({"standard"}),
    # https://platform.claude.com/docs/en/build-with-claude/data-residency
    "inference_geo": frozenset({"global", "not_available"}),
}
"""Fields whose other values have another price for the same tokens."""

SOLD_APART = ("web_search_options", "plugins")
"""Fields that ask for searches which nobody counts: https://openrouter.ai/docs/guides/features/plugins/web-search."""

SEARCHES = "web_search"
TOOLS = ("code_execution", "code_interpreter", "file_search", "image_generation")
"""How the types of tools begin that a provider runs and sells by the hour, the session, the call or the picture."""

GOOGLES_TOOLS = frozenset({
    "googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "googleMaps", "google_maps",
    "enterpriseWebSearch", "enterprise_web_search", "fileSearch", "file_search",
})  # fmt: skip
"""https://ai.google.dev/gemini-api/docs/pricing, "Tools"."""

COUNTS_SEARCHES = frozenset({Wire.ANTHROPIC_MESSAGES, Wire.OPENAI_RESPONSES})
"""Their answers tell how often the provider has searched."""


class Extra(msgspec.Struct, frozen=True):
    param: str
    """The field of the request."""
    is_search: bool = False
    """Billed by the ``searches`` bucket, where that has a price."""

    def is_priced(self, rates: Rates, wire: Wire) -> bool:
        return self.is_search and rates.searches > 0 and wire in COUNTS_SEARCHES


def extras_of(body: Mapping[str, Any]) -> tuple[Extra, ...]:
    """Of a body that has been read; what is no tool or no text there has been refused before."""
    return (*_fields(body), *_tools(body.get("tools")))


def _fields(body: Mapping[str, Any]) -> Iterator[Extra]:
    for name, usual in USUAL.items():
        value = body.get(name)
        if isinstance(value, str) and value.lower() not in usual:
            yield Extra(name)
    for name in SOLD_APART:
        if body.get(name):
            yield Extra(name)


def _tools(tools: Any) -> Iterator[Extra]:
    for place, tool in enumerate(tools if isinstance(tools, Sequence) else ()):
        if not isinstance(tool, Mapping):
            continue
        kind = tool.get("type")
        if isinstance(kind, str) and kind.startswith(SEARCHES):
            yield Extra(f"tools[{place}]", is_search=True)
        elif (isinstance(kind, str) and kind.startswith(TOOLS)) or GOOGLES_TOOLS & tool.keys():
            yield Extra(f"tools[{place}]")
