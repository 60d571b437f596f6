"""What OpenAI's own models need on both of its wires, at OpenAI and at Azure; and what of them others do not know."""

from collections.abc import Mapping

from apps.catalog.providers.quirks import (
    developer_as_system,
    drop,
    each_message,
    inside,
    omit,
    rename,
    substitute,
    when,
)
from apps.catalog.providers.spec import Json, Quirk

REFERENCE = "https://platform.openai.com/docs/api-reference/chat/create"
EFFORTS = "https://learn.microsoft.com/en-us/javascript/api/@azure/ai-projects/reasoningeffort"

O_SERIES = "o[0-9]*"

CHECKLIST = "https://developers.openai.com/api/docs/guides/deployment-checklist"

RESPONSES_ONLY = (
    "*-pro", "*-pro-20*", "*codex*", "*deep-research*", "computer-use*", "gpt-5.6*", "gpt-[6-9]*",
)  # fmt: skip
"""Models that chat completions do not serve (https://platform.openai.com/docs/models, 2026-11-21), or not with tools while they reason,
which they do unless told not to: https://developers.openai.com/api/docs/guides/deployment-checklist and
https://github.com/itzcrazykns/vane/issues/1173, 2026-11-22."""

UNREASONING = ("gpt-3*", "gpt-4*", "chatgpt-4*", "gpt-5*-chat*")
GPT_5 = ("gpt-5", "gpt-5-*")
FROM_5_1 = ("gpt-5.[1-9]*", "gpt-[6-9]*")
REASONS_UNASKED = ("gpt-5.6*", "gpt-[6-9]*")
ALWAYS_REASONS = ("gpt-6-astra*", "gpt-6.1-sol*")
CHAT_MODELS = "gpt-5*-chat*"

EFFORTS_KNOWN: tuple[tuple[tuple[str, ...], Mapping[str, str], str], ...] = (
    (
        (O_SERIES,),
        {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"},
        f"They know low, medium and high (2026-11-21, {EFFORTS}).",
    ),
    (
        GPT_5,
        {"none": "minimal", "xhigh": "high", "max": "high"},
        f"GPT-5 knows minimal but neither none nor xhigh (2026-11-21, {EFFORTS}).",
    ),
    (
        ("gpt-5-pro*",),
        {"none": "high", "minimal": "high", "low": "high", "medium": "high"},
        f"It knows high alone (2026-11-22, {EFFORTS}).",
    ),
    (
        FROM_5_1,
        {"minimal": "low"},
        f"From GPT-5.1 on none takes the place of minimal (2026-11-21, {EFFORTS}).",
    ),
    (
        ("gpt-5.1", "gpt-5.1-20*"),
        {"xhigh": "high", "max": "high"},
        f"xhigh came after it (2026-11-22, {EFFORTS}).",
    ),
    (
        ("gpt-5.[2-5]*", "gpt-5.1-codex-max*"),
        {"max": "xhigh"},
        "max came with GPT-5.6 (2026-11-22, https://github.com/anomalyco/opencode/issues/36141).",
    ),
    (
        ALWAYS_REASONS,
        {"none": "low"},
        "They have no none (2026-11-22, https://github.com/goruck/home-generative-agent/releases/tag/v3.46.0-beta.1).",
    ),
)
"""Models, what efforts that they do not know become, and who says so: the same on both wires."""

SAMPLING = ("temperature", "top_p", "logprobs", "top_logprobs")

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


def efforts(*, responses: bool) -> tuple[Quirk, ...]:
    """On one wire the effort is a parameter, on the other it stands in ``reasoning``."""
    found: list[Quirk] = []
    for models, known, reason in EFFORTS_KNOWN:
        name = "effort" if responses else "reasoning_effort"
        changed = substitute(name, known, reason=reason)
        found.append(
            when(*models, then=inside("reasoning", then=changed) if responses else changed)
        )
    return tuple(found)


def asked_effort(body: Json) -> str | None:
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return effort or body.get("reasoning_effort")


def without_sampling(*, unasked: bool) -> Quirk:
    """``unasked``: for models that reason when no effort is given."""
    dropped = drop(*SAMPLING)

    def apply(body: Json) -> Json:
        effort = asked_effort(body)
        return body if effort == "none" or (effort is None and not unasked) else dropped.apply(body)

    return Quirk(
        "no sampling while reasoning",
        apply,
        drops=SAMPLING,
        reason=f"While it reasons, a model answers them with a 400 (2026-11-22, {CHECKLIST}).",
    )


REASONING_SAMPLING = (
    when(
        O_SERIES,
        *GPT_5,
        unless=CHAT_MODELS,
        then=drop(
            "temperature",
            "top_p",
            "presence_penalty",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "logit_bias",
            reason="Answered with a 400, for example temperature "
            "(2026-11-21, https://github.com/openai/openai-python/issues/2104); GPT-5 "
            "(2026-11-22, https://github.com/BerriAI/litellm/issues/13781).",
        ),
    ),
    when(*REASONS_UNASKED, then=without_sampling(unasked=True)),
    when("gpt-5.[1-5]*", unless=CHAT_MODELS, then=without_sampling(unasked=False)),
)
"""After the efforts: whether a model reasons is in the effort that is sent."""

NO_EFFORT = f"Models that do not reason answer it with a 400 (2026-11-21, {REFERENCE})."

OPENAI_RESPONSES = (
    when(
        *UNREASONING,
        then=Quirk(
            "no encrypted reasoning",
            without_encrypted_reasoning,
            reason="The gateway asks for it always; models that do not reason answer that with a 400 "
            "(2026-11-21, https://github.com/pydantic/pydantic-ai/issues/2865).",
        ),
    ),
    when(*UNREASONING, then=inside("reasoning", then=drop("effort", reason=NO_EFFORT))),
    when(*UNREASONING, then=omit("reasoning", reason=NO_EFFORT)),
    *efforts(responses=True),
    *REASONING_SAMPLING,
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
    when(*UNREASONING, then=drop("reasoning_effort", reason=NO_EFFORT)),
    *efforts(responses=False),
    *REASONING_SAMPLING,
)

ONLY_OPENAIS = drop(
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "verbosity",
    reason="Fields that it does not know it answers with a 400 or a 422 "
    "(2026-11-22, https://github.com/zed-industries/zed/issues/36215); so do others: https://github.com/anomalyco/models.dev/pull/6814.",
)
"""Codex sends the first with every request."""
