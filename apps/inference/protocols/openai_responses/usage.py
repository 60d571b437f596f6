"""The meters of Responses: cached tokens are counted inside ``input_tokens``, reasoning inside ``output_tokens``.

https://platform.openai.com/docs/api-reference/responses/object (2026-07)
"""

from apps.common.usage import Usage
from apps.inference.canonical.codec import Json, PriceUsage


def decode_usage(raw: object) -> Usage | None:
    """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole)."""
    if not isinstance(raw, dict):
        return None
    taken = _count(raw, "input_tokens", missing=-1)
    given = _count(raw, "output_tokens", missing=-1)
    input_parts = raw.get("input_tokens_details") or {}
    output_parts = raw.get("output_tokens_details") or {}
    if not isinstance(input_parts, dict) or not isinstance(output_parts, dict):
        return None
    cached = _count(input_parts, "cached_tokens", missing=0)
    written = _count(input_parts, "cache_write_tokens", missing=0)
    reasoning = _count(output_parts, "reasoning_tokens", missing=0)
    if min(taken, given, cached, written, reasoning) < 0:
        return None
    if cached + written > taken or reasoning > given:
        return None
    return Usage(
        input=taken - cached - written,
        cache_read=cached,
        cache_write_5m=written,
        output=given - reasoning,
        reasoning=reasoning,
    )


def encode_usage(usage: Usage, *, price: PriceUsage) -> Json:
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.total_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
        **price(usage),
    }


def _count(meters: Json, name: str, *, missing: int) -> int:
    """-1 stands for anything that is not a count."""
    value = meters.get(name)
    if value is None:
        return missing
    return value if type(value) is int and value >= 0 else -1
