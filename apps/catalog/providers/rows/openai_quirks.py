"""What OpenAI's chat completions need, at OpenAI and at Azure; and what of them others do not know."""

from apps.catalog.providers.quirks import (
    developer_as_system,
    drop,
    each_message,
    rename,
    substitute,
    when,
)
from apps.catalog.providers.spec import Json, Quirk

REFERENCE = "https://platform.openai.com/docs/api-reference/chat/create"
EFFORTS = "https://learn.microsoft.com/en-us/javascript/api/@azure/ai-projects/reasoningeffort"

O_SERIES = "o[0-9]*"

RESPONSES_ONLY = ("*-pro", "*-pro-20*", "*codex*", "*deep-research*", "computer-use*")
"""Models that chat completions do not serve: https://platform.openai.com/docs/models, 2026-11-21."""

SYSTEM_ROLE = each_message(
    "developer is system",
    developer_as_system,
    reason="Hosts of other models refuse OpenAI's younger name of the role, and all know the older one "
    "(2026-11-21, https://github.com/earendil-works/pi/issues/1048).",
)

ENCRYPTED_REASONING = "reasoning.encrypted_content"


def without_encrypted_reasoning(body: Json) -> Json:
    wanted = [name for name in body.get("include") or () if name != ENCRYPTED_REASONING]
    rest = {name: value for name, value in body.items() if name != "include"}
    return {**rest, "include": wanted} if wanted else rest


OPENAI_RESPONSES = (
    when(
        "gpt-3*",
        "gpt-4*",
        "chatgpt-4*",
        then=Quirk(
            "no encrypted reasoning",
            without_encrypted_reasoning,
            reason="The gateway asks for it always; models that do not reason answer that with a 400 "
            "(2026-11-21, https://github.com/pydantic/pydantic-ai/issues/2865).",
        ),
    ),
)

OPENAI_CHAT = (
    when(
        O_SERIES,
        "gpt-[5-9]*",
        then=rename(
            "max_tokens",
            "max_completion_tokens",
            reason=f"Reasoning models answer max_tokens with a 400 (2026-11-21, {REFERENCE}).",
        ),
    ),
    when(
        "gpt-3*",
        "gpt-4*",
        "chatgpt-4*",
        then=drop(
            "reasoning_effort",
            reason=f"Models that do not reason answer it with a 400 (2026-11-21, {REFERENCE}).",
        ),
    ),
    when(
        O_SERIES,
        then=substitute(
            "reasoning_effort",
            {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
            reason=f"They know low, medium and high (2026-11-21, {EFFORTS}).",
        ),
    ),
    when(
        "gpt-5",
        "gpt-5-*",
        then=substitute(
            "reasoning_effort",
            {"none": "minimal", "xhigh": "high", "max": "high"},
            reason=f"GPT-5 knows minimal but neither none nor xhigh (2026-11-21, {EFFORTS}).",
        ),
    ),
    when(
        "gpt-5.[1-9]*",
        "gpt-[6-9]*",
        then=substitute(
            "reasoning_effort",
            {"minimal": "low"},
            reason=f"From GPT-5.1 on none takes the place of minimal (2026-11-21, {EFFORTS}).",
        ),
    ),
    when(
        O_SERIES,
        then=drop(
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            reason="Answered with a 400, for example temperature "
            "(2026-11-21, https://github.com/openai/openai-python/issues/2104).",
        ),
    ),
)
