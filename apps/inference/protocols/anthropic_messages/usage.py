"""Anthropic's meters: cached tokens are counted beside ``input_tokens``, thinking inside ``output_tokens``.

https://docs.claude.com/en/api/messages#response-usage
"""

from apps.common.usage import Usage
from apps.inference.canonical.codec import Json, PriceUsage


def decode_usage(raw: object) -> Usage | None:
    """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole).

    Cache writes without a breakdown by lifetime count as five minutes, the default.
    """
    if not isinstance(raw, dict):
        return None
    fresh = _count(raw, "input_tokens", missing=-1)
    output = _count(raw, "output_tokens", missing=-1)
    read = _count(raw, "cache_read_input_tokens", missing=0)
    by_lifetime = raw.get("cache_creation") or {}
    details = raw.get("output_tokens_details") or {}
    served = raw.get("server_tool_use") or {}
    if not all(isinstance(part, dict) for part in (by_lifetime, details, served)):
        return None
    searches = _count(served, "web_search_requests", missing=0)
    short = _count(by_lifetime, "ephemeral_5m_input_tokens", missing=0)
    long = _count(by_lifetime, "ephemeral_1h_input_tokens", missing=0)
    written = _count(raw, "cache_creation_input_tokens", missing=short + long)
    thinking = _count(details, "thinking_tokens", missing=0)
    if min(fresh, output, read, short, long, written, thinking, searches) < 0:
        return None
    if short + long > written or thinking > output:
        return None
    return Usage(
        input=fresh,
        cache_read=read,
        cache_write_5m=written - long,
        cache_write_1h=long,
        output=output - thinking,
        reasoning=thinking,
        searches=searches,
    )


def encode_usage(usage: Usage, *, price: PriceUsage) -> Json:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.total_output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        **({"server_tool_use": {"web_search_requests": usage.searches}} if usage.searches else {}),
        **price(usage),
    }


def _count(meters: Json, name: str, *, missing: int) -> int:
    """-1 stands for anything that is not a count."""
    value = meters.get(name)
    if value is None:
        return missing
    return value if type(value) is int and value >= 0 else -1
