"""Meters: what the answers of OpenAI's other endpoints say of their own use.

completions, embeddings, moderation     tokens, as reported
images                                  images made, and tokens when reported
speech                                  characters asked for, and tokens when reported
transcription                           seconds or tokens when reported, else the recording's length
rerank                                  searches when reported, else one for a hundred documents; tokens when reported
"""

import math
from typing import Any

from msgspec.structs import replace

from apps.catalog.providers.spec import Operation, Wire
from apps.common.usage import Usage
from apps.inference.protocols import CODECS
from apps.inference.relay import AnswerShape, Json, Tally


def take_usage(tally: Tally, operation: Operation, answer: Json, expected: Usage) -> None:
    """Put what the provider reports into the tally."""
    try:
        reported = read_usage(operation, answer, expected)
    except (TypeError, ValueError, AttributeError):
        reported, tally.usage_rejected = None, True
    if reported is not None:
        tally.take_usage(reported, reported=True)


def with_cost(raw: object, tally: Tally, usage: Usage, shape: AnswerShape) -> Json:
    """The provider's own usage, unless it cannot be true, with the cost beside it."""
    own = raw if isinstance(raw, dict) and not tally.usage_rejected else {}
    return {**own, **shape.price(usage)}


def read_usage(operation: Operation, answer: Json, expected: Usage) -> Usage | None:
    """What the provider reports, with what only the request knows; None when it reports nothing.

    Raises ValueError, TypeError or AttributeError for a report that cannot be true.
    """
    raw = answer.get("usage")
    match operation:
        case Operation.COUNT_TOKENS:
            return Usage()
        case Operation.COMPLETIONS:
            return CODECS[Wire.OPENAI_CHAT].decode_usage(raw)
        case Operation.IMAGES | Operation.IMAGE_EDITS:
            made = replace(expected, images=len(answer.get("data") or ()))
            return replace(made, **_tokens(raw)) if raw else made
        case Operation.RERANK:
            billed = (answer.get("meta") or {}).get("billed_units") or {}
            searches = billed.get("search_units")
            if searches is None and not raw:
                return None
            tokens = _tokens(raw) if raw else {}
            return replace(expected, searches=_whole(searches or expected.searches), **tokens)
        case Operation.TRANSCRIPTION:
            return _sound(raw, answer, expected)
        case _:
            return replace(expected, **_tokens(raw)) if raw else None


def _sound(raw: Any, answer: Json, expected: Usage) -> Usage | None:
    """``usage`` is of type "duration" or "tokens"; Whisper's verbose answer has its ``duration`` beside the text."""
    if raw and raw.get("type") != "duration":
        return replace(expected, **_tokens(raw))
    seconds = raw.get("seconds") if raw else answer.get("duration")
    if seconds is None:
        return None
    return replace(expected, seconds=_whole(math.ceil(float(seconds))))


def _tokens(raw: Json) -> dict[str, int]:
    """Token buckets of the usage objects of these endpoints, old names and new."""
    total_input = _whole(_first(raw, "input_tokens", "prompt_tokens", "total_tokens"))
    details = _first(raw, "input_tokens_details", "input_token_details", "prompt_tokens_details")
    heard = _whole((details or {}).get("audio_tokens") or 0)
    if heard > total_input:
        raise ValueError("a part above its whole")
    output = _whole(_first(raw, "output_tokens", "completion_tokens"))
    return {"input": total_input - heard, "audio_input": heard, "output": output}


def _first(raw: Json, *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), 0)


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a whole number")
    return value
