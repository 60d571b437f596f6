"""What Gemini needs, at AI Studio and at Vertex AI."""

from fnmatch import fnmatchcase
from typing import Any

from apps.catalog.providers.quirks import clamp, inside, when
from apps.catalog.providers.spec import Json, Quirk

OUTPUT = inside(
    "generationConfig",
    then=clamp(
        "maxOutputTokens",
        1,
        65535,
        reason="The error names the range: from 1, not from 16 as some have it, to below 65536 or 65537 "
        "(2026-11-21, https://github.com/BerriAI/litellm/pull/10548).",
    ),
)

ANY_SIGNATURE = "skip_thought_signature_validator"
"""As Google's own command line sends it (gemini-cli, ``packages/core/src/core/geminiChat.ts``, 2026-08-21), to the same calls."""
_CALLS = ("functionCall", "function_call")
_RESULTS = ("functionResponse", "function_response")
_SIGNATURES = ("thoughtSignature", "thought_signature")
# Google takes both spellings of a name: https://protobuf.dev/programming-guides/json/#field-names.


def with_signed_calls(body: Json) -> Json:
    """The first call of each step of the current turn with the stand-in, where it has no signature.

    A turn begins with what the user said last, a step with each answer of the model; only the current turn is checked.
    """
    contents = body.get("contents")
    if not isinstance(contents, list):
        return body
    begun = max((at for at, content in enumerate(contents) if _begins_turn(content)), default=-1)
    signed = [*contents[: begun + 1], *(_signed(content) for content in contents[begun + 1 :])]
    return {**body, "contents": signed} if signed != contents else body


def _begins_turn(content: Any) -> bool:
    return content.get("role") != "model" and not any(
        _has(part, _RESULTS) for part in content.get("parts") or ()
    )


def _signed(content: Json) -> Json:
    parts = content.get("parts") or []
    first = next((at for at, part in enumerate(parts) if _has(part, _CALLS)), None)
    if first is None or _has(parts[first], _SIGNATURES):
        return content
    signed = {**parts[first], "thoughtSignature": ANY_SIGNATURE}
    return {**content, "parts": [*parts[:first], signed, *parts[first + 1 :]]}


def _has(part: Json, names: tuple[str, ...]) -> bool:
    return any(part.get(name) is not None for name in names)


SIGNATURES = when(
    "*gemini-[3-9]*",
    "*gemini-*-latest",
    then=Quirk(
        "a stand-in for missing signatures",
        with_signed_calls,
        reason="Gemini 3 answers a call of the current turn without its signature with a 400. For calls that another model made, "
        "Google gives two words that skip the check (2026-11-21, https://ai.google.dev/gemini-api/docs/thought-signatures#faqs).",
    ),
)

BUDGETS = (
    ("*gemini-2.5-pro*", 128, 32768),
    ("*gemini-2.5-flash-lite*", 512, 24576),
    ("*gemini-2.5-flash*", 1, 24576),
)
"""Globs over names, and the least and the most that may be thought."""
CANNOT_STOP = ("*gemini-2.5-pro*", "*gemini-[3-9]*")
LEVELS = ("*gemini-[3-9]*",)
LEAST_LEVEL = "LOW"
"""The least that all of them know: MINIMAL is some Flash's."""


def with_possible_thinking(body: Json) -> Json:
    """A budget of 0, which is none, as the least where a model always thinks; others between its bounds; -1 as it is."""
    config = body.get("generationConfig")
    if not isinstance(config, dict) or not isinstance(config.get("thinkingConfig"), dict):
        return body
    thinking: Json = config["thinkingConfig"]
    budget = thinking.get("thinkingBudget")
    if type(budget) is not int or budget < 0:
        return body
    changed = _possible(thinking, budget, str(body.get("model", "")).lower())
    if changed == thinking:
        return body
    return {**body, "generationConfig": {**config, "thinkingConfig": changed}}


def _possible(thinking: Json, budget: int, model: str) -> Json:
    if budget == 0 and not _is_any(model, CANNOT_STOP):
        return thinking
    if budget == 0 and _is_any(model, LEVELS):
        rest = {name: value for name, value in thinking.items() if name != "thinkingBudget"}
        return {"thinkingLevel": LEAST_LEVEL, **rest}
    for glob, least, most in BUDGETS:
        if fnmatchcase(model, glob):
            return {**thinking, "thinkingBudget": min(max(budget, least), most)}
    return thinking


def _is_any(model: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(model, glob) for glob in globs)


THINKING = Quirk(
    "thinking that the model can do",
    with_possible_thinking,
    reason="2.5 Pro and Gemini 3 answer a budget of 0 with a 400, 'This model only works in thinking mode', and every 2.5 one beyond its "
    "bounds; https://github.com/docker/docker-agent/issues/2051, https://github.com/googleapis/python-genai/issues/2936 "
    "(2026-11-22, https://ai.google.dev/gemini-api/docs/thinking#set-budget).",
)

GEMINI_QUIRKS = (OUTPUT, SIGNATURES, THINKING)
