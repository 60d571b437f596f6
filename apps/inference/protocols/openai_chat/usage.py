"""OpenAI's meters: cached tokens are counted inside ``prompt_tokens``, reasoning inside ``completion_tokens``.

https://platform.openai.com/docs/api-reference/chat/object
"""

from apps.common.usage import Usage
from apps.inference.canonical.codec import Json, PriceUsage


def decode_usage(raw: object) -> Usage | None:
    """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole)."""
    if not isinstance(raw, dict):
        return None
    prompt = _count(raw, "prompt_tokens", missing=-1)
    completion = _count(raw, "completion_tokens", missing=-1)
    prompt_parts = raw.get("prompt_tokens_details") or {}
    completion_parts = raw.get("completion_tokens_details") or {}
    if not isinstance(prompt_parts, dict) or not isinstance(completion_parts, dict):
        return None
    cached = _count(prompt_parts, "cached_tokens", missing=0)
    written = _count(prompt_parts, "cache_write_tokens", missing=0)
    reasoning = _count(completion_parts, "reasoning_tokens", missing=0)
    if min(prompt, completion, cached, written, reasoning) < 0:
        return None
    if reasoning > 0 and raw.get("total_tokens") == prompt + completion + reasoning:
        # Some hosts count reasoning beside the completion; their own total gives it away.
        completion += reasoning
    if cached + written > prompt or reasoning > completion:
        return None
    return Usage(
        input=prompt - cached - written,
        cache_read=cached,
        cache_write_5m=written,
        output=completion - reasoning,
        reasoning=reasoning,
    )


def encode_usage(usage: Usage, *, price: PriceUsage) -> Json:
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
        **price(usage),
    }


def _count(meters: Json, name: str, *, missing: int) -> int:
    """-1 stands for anything that is not a count."""
    value = meters.get(name)
    if value is None:
        return missing
    return value if type(value) is int and value >= 0 else -1
