"""What a request's body asks a model to be able to do, read by the names that the catalogue uses. Pure."""

from collections.abc import Mapping
from typing import Any

from apps.inference.requests.common import RequestFacts

PARAMETERS: Mapping[str, str] = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop_sequences": "stop",
    "thinking": "reasoning",
    "reasoning_effort": "reasoning",
    **{
        name: name
        for name in (
            "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "top_k", "min_p", "top_a", "stop",
            "frequency_penalty", "presence_penalty", "repetition_penalty", "seed", "logit_bias", "logprobs",
            "top_logprobs", "response_format", "max_tokens", "reasoning", "verbosity",
        )
    },
}  # fmt: skip
"""A field of a body → the catalogue's name of the parameter; OpenRouter's words."""


STOPS = ("stop", "stop_sequences", "stopSequences")
"""A request's stop sequences, on every wire."""


def needs_of(facts: RequestFacts, body: Mapping[str, Any]) -> frozenset[str]:
    """What must be there, or the answer would be another one."""
    found = set()
    if body.get("tools"):
        found.add("tools")
    if facts.images:
        found.add("image")
    if "structured_outputs" in facts.needs:
        found.add("structured_outputs")
    return frozenset(found)


def parameters_of(body: Mapping[str, Any]) -> frozenset[str]:
    """All that the body sets."""
    return frozenset(
        name
        for field, name in PARAMETERS.items()
        if (value := body.get(field)) is not None and value != []
    )


def answers_a_tool(body: Mapping[str, Any]) -> bool:
    """Whether what was said last is a tool's result. A model may have nothing to add to it, and end its turn without a word.

    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons, "Empty responses with end_turn", 2026-11-22.
    """
    turns = body.get("messages") or body.get("input") or body.get("contents")
    last = turns[-1] if isinstance(turns, list) and turns else None
    if not isinstance(last, dict):
        return False
    if last.get("role") in {"tool", "function"} or str(last.get("type")).endswith("_call_output"):
        return True
    parts = last.get("content") or last.get("parts")
    return isinstance(parts, list) and any(_is_result(part) for part in parts)


def names_its_end(body: Mapping[str, Any]) -> bool:
    """Whether it has stop sequences: an answer may end at the first word, and not every wire says that this is why."""
    settings = body.get("generationConfig") or body.get("generation_config")
    limits = {**body, **settings} if isinstance(settings, dict) else body
    return any(limits.get(name) for name in STOPS)


def _is_result(part: Any) -> bool:
    return isinstance(part, dict) and (
        part.get("type") == "tool_result"
        or "functionResponse" in part
        or "function_response" in part
    )
