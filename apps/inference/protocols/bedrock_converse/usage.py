"""Converse's meters: cached tokens are counted beside ``inputTokens``, reasoning inside ``outputTokens`` and nowhere else.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
"""

from apps.common.usage import Usage
from apps.inference.canonical.codec import Json, PriceUsage


def decode_usage(raw: object) -> Usage | None:
    """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole).

    Cache writes without a breakdown by lifetime count as five minutes, the default.
    """
    if not isinstance(raw, dict):
        return None
    fresh = _count(raw, "inputTokens", missing=-1)
    output = _count(raw, "outputTokens", missing=-1)
    read = _count(raw, "cacheReadInputTokens")
    written = _count(raw, "cacheWriteInputTokens")
    long = _written_for_an_hour(raw.get("cacheDetails") or [])
    if min(fresh, output, read, written, long) < 0 or long > written:
        return None
    return Usage(
        input=fresh,
        cache_read=read,
        cache_write_5m=written - long,
        cache_write_1h=long,
        output=output,
    )


def encode_usage(usage: Usage, *, price: PriceUsage) -> Json:
    by_lifetime = [("1h", usage.cache_write_1h), ("5m", usage.cache_write_5m)]
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write_5m + usage.cache_write_1h,
        "cacheDetails": [{"ttl": ttl, "inputTokens": count} for ttl, count in by_lifetime if count],
        **price(usage),
    }


def _written_for_an_hour(details: object) -> int:
    if not isinstance(details, list) or not all(isinstance(detail, dict) for detail in details):
        return -1
    counts = [_count(detail, "inputTokens") for detail in details if detail.get("ttl") == "1h"]
    return -1 if -1 in counts else sum(counts)


def _count(meters: Json, name: str, *, missing: int = 0) -> int:
    """-1 stands for anything that is not a count."""
    value = meters.get(name)
    if value is None:
        return missing
    return value if type(value) is int and value >= 0 else -1
