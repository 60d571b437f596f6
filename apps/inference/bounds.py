"""Between what a request can cost: the least, the expected, the most. Pure; published in docs/money.md, "Quotes".

The expected cost is admission's own (what a hold sets aside). The other two bound the bill of a request that is answered
in full by one host; what is not known beforehand (how a tokeniser cuts, what a cache holds) is taken at its best, then at its worst.
"""

from msgspec.structs import replace

from apps.billing.services import rating
from apps.common.usage import Rates
from apps.inference import tokens
from apps.inference.requests.common import RequestFacts

MOST_IMAGE_TOKENS = 1600
"""The most that a provider counts for an image looked at."""


def least_cost(facts: RequestFacts, rates: Rates) -> int:
    """Nano-USD: the input that there certainly is, from the cache where that is cheaper, and no output."""
    bucket = "cache_read" if rates.cache_read < rates.input else "input"
    # An answer may hold fewer images than were asked for, and a provider may count fewer searches; but one.
    units = replace(
        facts.units, images=min(facts.units.images, 1), searches=min(facts.units.searches, 1)
    )
    least = tokens.least_input(facts)
    # A tier may be cheaper than the one below it.
    lengths = (least, *(tier.above + 1 for tier in rates.tiers if tier.above >= least))
    return min(rating.cost(replace(units, **{bucket: length}), rates).total for length in lengths)


def most_cost(facts: RequestFacts, rates: Rates, *, input_tokens: int, output_tokens: int) -> int:
    """Nano-USD: every token at the dearest bucket that it can fall into."""
    return rating.quote(replace(facts.units, input=input_tokens, output=output_tokens), rates)


def most_input(facts: RequestFacts, *, body_bytes: int, context_length: int | None) -> int:
    """Input tokens that can be billed: a token is a byte at least, and what exceeds the context is not believed."""
    longest = max(body_bytes, facts.text_bytes) + facts.images * MOST_IMAGE_TOKENS
    return max(tokens.estimate_input(facts), min(longest, context_length or longest))


def most_output(facts: RequestFacts, *, model_maximum: int | None) -> int | None:
    """Output tokens that the client and the model allow; None when neither sets a limit."""
    if facts.expected_output is not None:
        return facts.expected_output
    limits = [limit for limit in (facts.max_output_tokens, model_maximum) if limit]
    return min(limits) * facts.choices if limits else None
