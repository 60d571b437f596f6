"""Rating: usage times rates, the only place where a cost is computed. Pure, integers, one rounding.

price = Σ (tokens or characters) × (nano-USD per million) / 1,000,000
      + Σ (images, seconds, searches) × nano-USD each + nano-USD per request
cost  = price × the client's share of it, rounded half up once

The rates are those of the request's tier, which all of its input tokens decide together.
"""

import msgspec
from msgspec.structs import replace

from apps.common.money import TOKENS_PER_PRICE_UNIT, divide_half_up
from apps.common.usage import WHOLE_BP, Rates, Usage


class Cost(msgspec.Struct, frozen=True, gc=False):
    """Nano-USD. The parts are each rounded for display; only ``total`` is ever charged."""

    total: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    audio: int
    units: int
    """Images, characters, seconds and searches."""
    request: int


def _charged(millions: int, units: int, share_bp: int) -> int:
    """Nano-USD of a price in millionths of a nano-dollar and one in whole ones, together; rounded half up."""
    product = millions + units * TOKENS_PER_PRICE_UNIT
    return divide_half_up(product * share_bp, TOKENS_PER_PRICE_UNIT * WHOLE_BP)


def cost(usage: Usage, rates: Rates) -> Cost:
    """What an answer costs its client."""
    if rates.tiers:
        rates = rates.at(usage.total_input)
    input_ = usage.input * rates.input
    cache_read = usage.cache_read * rates.cache_read
    cache_write = (
        usage.cache_write_5m * rates.cache_write_5m + usage.cache_write_1h * rates.cache_write_1h
    )
    output = usage.output * rates.output
    reasoning = usage.reasoning * rates.reasoning
    audio = usage.audio_input * rates.audio_input + usage.audio_output * rates.audio_output
    characters = usage.characters * rates.characters
    each = (
        usage.images * rates.images
        + usage.seconds * rates.seconds
        + usage.searches * rates.searches
    )
    millions = input_ + cache_read + cache_write + output + reasoning + audio + characters
    share = rates.share_bp
    return Cost(
        total=_charged(millions, each + rates.request, share),
        input=_charged(input_, 0, share),
        cache_read=_charged(cache_read, 0, share),
        cache_write=_charged(cache_write, 0, share),
        output=_charged(output, 0, share),
        reasoning=_charged(reasoning, 0, share),
        audio=_charged(audio, 0, share),
        units=_charged(characters, each, share),
        request=_charged(0, rates.request, share),
    )


def saved(usage: Usage, rates: Rates) -> int:
    """Nano-USD that the provider's cache of prompts spared the client; 0 where reading it costs no less."""
    uncached = replace(usage, input=usage.input + usage.cache_read, cache_read=0)
    return max(0, cost(uncached, rates).total - cost(usage, rates).total)


def list_price(usage: Usage, rates: Rates) -> int:
    """Nano-USD that the answer costs somebody who pays all of it."""
    return cost(usage, replace(rates, share_bp=WHOLE_BP)).total


def quote(expected: Usage, rates: Rates) -> int:
    """Nano-USD that a request is expected to cost at most: its tokens at the dearest bucket of input and of output, at the
    dearest of the tiers up to its own."""
    most = _quote(expected, rates)
    for tier in rates.tiers:
        if expected.total_input > tier.above:
            most = max(most, _quote(expected, rates.at(tier.above + 1)))
    return most


def _quote(expected: Usage, rates: Rates) -> int:
    dearest_input = max(
        rates.input,
        rates.cache_read,
        rates.cache_write_5m,
        rates.cache_write_1h,
        rates.audio_input,
    )
    dearest_output = max(rates.output, rates.reasoning, rates.audio_output)
    millions = (
        expected.total_input * dearest_input
        + expected.total_output * dearest_output
        + expected.characters * rates.characters
    )
    each = (
        expected.images * rates.images
        + expected.seconds * rates.seconds
        + expected.searches * rates.searches
    )
    return _charged(millions, each + rates.request, rates.share_bp)
