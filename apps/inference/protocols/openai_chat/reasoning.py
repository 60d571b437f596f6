"""Reasoning in messages and deltas of Chat Completions: OpenAI shows none, so every host has its own name for it.

``reasoning_content``: https://api-docs.deepseek.com/guides/thinking_mode, https://docs.vllm.ai/en/latest/features/reasoning_outputs/
``reasoning``, ``reasoning_details``: https://openrouter.ai/docs/use-cases/reasoning-tokens
``thinking``: Ollama's own name, https://docs.ollama.com/capabilities/thinking
"""

from typing import Any

from apps.inference.canonical.codec import Json

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Most specific first. Hosts that fill several repeat the same text in each, so the first with a text is all of it."""

_INNER_KEYS = ("text", "content", "thinking", "summary")


def reasoning_text(message: Json) -> str:
    return first_text(*map(message.get, REASONING_KEYS))


def first_text(*places: Any) -> str:
    """The text of the first place that has one: a text, an object with a text, or a list of these."""
    for place in places:
        if not place:
            continue
        items = place if isinstance(place, list) else [place]
        if text := "".join(map(item_text, items)):
            return text
    return ""


def item_text(item: Any) -> str:
    """Empty for an item without a text, as one of encrypted reasoning."""
    if isinstance(item, str):
        return item
    if not isinstance(item, dict):
        return ""
    texts = (item.get(key) for key in _INNER_KEYS)
    return next((text for text in texts if text and isinstance(text, str)), "")
