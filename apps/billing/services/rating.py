"""Rating: usage times rates, the only place where a cost is computed. Pure, integers, one rounding.

cost = Σ (tokens or characters) × (nano-USD per million) / 1,000,000, rounded half up once,
     + Σ (images, seconds, searches) × nano-USD each + nano-USD per request
"""

from dataclasses import dataclass

from apps.common.money import TOKENS_PER_PRICE_UNIT, divide_half_up
from apps.common.usage import Rates, Usage


@dataclass(frozen=True, slots=True)
class Cost:
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


def cost(usage: Usage, rates: Rates) -> Cost:
    """What an answer costs."""
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
    return Cost(
        total=divide_half_up(millions, TOKENS_PER_PRICE_UNIT) + each + rates.request,
        input=divide_half_up(input_, TOKENS_PER_PRICE_UNIT),
        cache_read=divide_half_up(cache_read, TOKENS_PER_PRICE_UNIT),
        cache_write=divide_half_up(cache_write, TOKENS_PER_PRICE_UNIT),
        output=divide_half_up(output, TOKENS_PER_PRICE_UNIT),
        reasoning=divide_half_up(reasoning, TOKENS_PER_PRICE_UNIT),
        audio=divide_half_up(audio, TOKENS_PER_PRICE_UNIT),
        units=divide_half_up(characters, TOKENS_PER_PRICE_UNIT) + each,
        request=rates.request,
    )


def quote(expected: Usage, rates: Rates) -> int:
    """Nano-USD that a request is expected to cost at most: its tokens at the dearest bucket of input and of output."""
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
    return divide_half_up(millions, TOKENS_PER_PRICE_UNIT) + each + rates.request
