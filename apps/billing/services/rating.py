"""Rating: usage times rates, the only place where a cost is computed. Pure, integers, one rounding.

cost = Σ tokens × (nano-USD per million tokens) / 1,000,000, rounded half up once, + nano-USD per request
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
    tokens = input_ + cache_read + cache_write + output + reasoning
    return Cost(
        total=divide_half_up(tokens, TOKENS_PER_PRICE_UNIT) + rates.request,
        input=divide_half_up(input_, TOKENS_PER_PRICE_UNIT),
        cache_read=divide_half_up(cache_read, TOKENS_PER_PRICE_UNIT),
        cache_write=divide_half_up(cache_write, TOKENS_PER_PRICE_UNIT),
        output=divide_half_up(output, TOKENS_PER_PRICE_UNIT),
        reasoning=divide_half_up(reasoning, TOKENS_PER_PRICE_UNIT),
        request=rates.request,
    )


def quote(*, input_tokens: int, output_tokens: int, rates: Rates) -> int:
    """Nano-USD that a request is expected to cost at most: the dearest bucket of input and of output."""
    dearest_input = max(rates.input, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h)
    dearest_output = max(rates.output, rates.reasoning)
    tokens = input_tokens * dearest_input + output_tokens * dearest_output
    return divide_half_up(tokens, TOKENS_PER_PRICE_UNIT) + rates.request
