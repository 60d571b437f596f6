"""Usage and Rates: the two values from which every cost is computed.

``Usage`` holds disjoint buckets: a token is counted in exactly one of them, whatever the provider's own
convention is. Wires normalise at the edge (OpenAI counts cached tokens inside prompt tokens, Anthropic beside them).
``Rates`` holds the price of each bucket: nano-USD per million tokens or characters, per image, second, search and request.
"""

from enum import StrEnum

import msgspec
from msgspec.structs import replace


class UsageSource(StrEnum):
    """Where the numbers of a bill come from (docs/money.md, "Outcomes")."""

    PROVIDER = "provider"
    COUNTED = "counted"
    NONE = "none"
    LOST = "lost"


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one answer used, in disjoint buckets; every number is a whole number >= 0."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    """Visible output: text and tool calls, without reasoning."""
    reasoning: int = 0
    audio_input: int = 0
    """Tokens of sound heard; ``audio_output`` of sound spoken."""
    audio_output: int = 0
    images: int = 0
    """Images made. Images looked at are input tokens."""
    characters: int = 0
    """Characters spoken."""
    seconds: int = 0
    """Of sound transcribed, rounded up."""
    searches: int = 0
    """Rerank: one query over up to a hundred documents."""

    @property
    def total_input(self) -> int:
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_input
        )

    @property
    def total_output(self) -> int:
        return self.output + self.reasoning + self.audio_output

    @property
    def total(self) -> int:
        return self.total_input + self.total_output


NOTHING = Usage()


WHOLE_BP = 10_000
"""The whole, in basis points."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Prices of one offering: nano-USD per million tokens or characters, else per unit."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    reasoning: int
    audio_input: int = 0
    audio_output: int = 0
    images: int = 0
    characters: int = 0
    seconds: int = 0
    searches: int = 0
    request: int = 0
    price_id: int = 0
    """The price row that these numbers were read from; 0 when they come from no row."""
    share_bp: int = WHOLE_BP
    """How much of these the client pays, in basis points: all, or the routing fee where the provider bills the client itself."""
    markup_ppm: int = 0
    """The provider's mark-up that is in these numbers, in parts per million."""
    terms_bp: int = 0
    """What the organisation's terms have added to these numbers, in basis points; negative for a discount."""
    tiers: "tuple[Tier, ...]" = ()
    """What long inputs cost, by rising thresholds."""

    def at(self, input_tokens: int) -> "Rates":
        """The rates of a request with so much input, cached or not: a tier's for all of it once it has more than the tier's
        threshold. https://ai.google.dev/gemini-api/docs/pricing,
        https://platform.claude.com/docs/en/about-claude/pricing#long-context-pricing,
        https://platform.openai.com/docs/pricing, https://docs.x.ai/docs/models
        """
        found = self
        for tier in self.tiers:
            if input_tokens > tier.above:
                found = tier.rates
        return found if found is self else replace(found, share_bp=self.share_bp)


class Tier(msgspec.Struct, frozen=True, gc=False):
    """What a request costs, all of it, whose input is longer than ``above`` tokens."""

    above: int
    rates: Rates
    """Without tiers of its own; its share is that of the rates that it belongs to."""


BUCKETS: tuple[str, ...] = Usage.__struct_fields__
UNITS: tuple[str, ...] = ("images", "characters", "seconds", "searches")
TOKEN_BUCKETS: tuple[str, ...] = tuple(name for name in BUCKETS if name not in UNITS)
