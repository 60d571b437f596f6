"""What Claude needs, at Anthropic and at Vertex AI, of a conversation that other models had a part in."""

from typing import Any

from apps.catalog.providers.spec import Json, Quirk

_THOUGHTS = ("thinking", "redacted_thinking")


def with_signed_thinking(body: Json) -> Json:
    """Without thinking that nobody signed; and without ``thinking`` when the last answer's calls have lost theirs.

    The error of the second: https://github.com/openai/openai-agents-python/issues/1704
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    signed = [kept for message in messages if (kept := _without_unsigned(message))]
    changed = {**body, "messages": signed} if signed != messages else body
    wanted = body.get("thinking")
    if isinstance(wanted, dict) and wanted.get("type") == "enabled" and _lost_thoughts(signed):
        return {name: value for name, value in changed.items() if name != "thinking"}
    return changed


def _without_unsigned(message: Json) -> Json:
    """Empty when nothing is left of it."""
    content = message.get("content")
    if not isinstance(content, list) or not content:
        return message
    kept = [block for block in content if _type(block) != "thinking" or block.get("signature")]
    if len(kept) == len(content):
        return message
    return {**message, "content": kept} if kept else {}


def _lost_thoughts(messages: list[Json]) -> bool:
    answers = [message for message in messages if message.get("role") == "assistant"]
    content = answers[-1].get("content") if answers else None
    if not isinstance(content, list) or not any(_type(block) == "tool_use" for block in content):
        return False
    return _type(content[0]) not in _THOUGHTS


def _type(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


SIGNED_THINKING = Quirk(
    "signed thinking only",
    with_signed_thinking,
    drops=("thinking",),
    reason="Thinking without a signature, which is what other models' is for a client of this format, is answered with a 400; so is a "
    "budget for thinking when the last answer called tools and does not begin with thinking "
    "(2026-11-21, https://platform.claude.com/docs/en/build-with-claude/extended-thinking).",
)
