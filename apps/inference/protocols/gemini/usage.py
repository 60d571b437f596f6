"""Gemini's meters: cached tokens inside the prompt, thoughts beside the candidates, tools' results beside the prompt.

https://ai.google.dev/api/generate-content#UsageMetadata. Written from protobuf, so a count of zero is left out.
"""

from apps.common.usage import Usage
from apps.inference.canonical.codec import Json, PriceUsage


def decode_usage(raw: object) -> Usage | None:
    """Meters to disjoint buckets; None when absent or absurd (negative, fractional, a part above its whole)."""
    if not isinstance(raw, dict):
        return None
    prompt = _count(raw, "promptTokenCount", missing=-1)
    cached = _count(raw, "cachedContentTokenCount")
    tools = _count(raw, "toolUsePromptTokenCount")
    candidates = _count(raw, "candidatesTokenCount")
    thoughts = _count(raw, "thoughtsTokenCount")
    if min(prompt, cached, tools, candidates, thoughts) < 0 or cached > prompt:
        return None
    return Usage(
        input=prompt - cached + tools, cache_read=cached, output=candidates, reasoning=thoughts
    )


def encode_usage(usage: Usage, *, price: PriceUsage) -> Json:
    return {
        "promptTokenCount": usage.total_input,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.total,
        **price(usage),
    }


def _count(meters: Json, name: str, *, missing: int = 0) -> int:
    """-1 stands for anything that is not a count."""
    value = meters.get(name)
    if value is None:
        return missing
    return value if type(value) is int and value >= 0 else -1
