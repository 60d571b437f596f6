"""How each generation of Claude wants to be told to think and to sample, wherever it is hosted.

Two bodies come in: Anthropic's own, with ``thinking`` and ``output_config.effort``, and Converse's, which keeps the same
things in other places. What a generation would refuse becomes the nearest that it takes; what has no equal goes, named.

    what is asked            a budget only     both              adaptive only
                             (4.5, older)      (4.6)             (4.7, Claude 5)
    adaptive, an effort      a budget          as it is          as it is
    a budget                 as it is          as it is          adaptive, an effort
    an effort                goes, but Opus    as it is          as it is
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from apps.catalog.providers.spec import Json, Quirk

ADAPTIVE_PAGE = "https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"
EFFORT_PAGE = "https://platform.claude.com/docs/en/build-with-claude/effort"
OPUS_5_5_PAGE = "https://platform.claude.com/docs/en/models/opus-5-5/migration-guide"
SAMPLING_PAGE = (
    "https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7"
    "#sampling-parameters-removed"
)
THINKING_PAGE = (
    "https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility"
)
ONE_OF_TWO_PAGE = "https://docs.claude.com/en/docs/about-claude/models/migrating-to-claude-4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """``models`` are globs over names in any host's spelling; the first generation that has one is meant."""

    models: tuple[str, ...]
    takes_budget: bool = False
    takes_adaptive: bool = True
    off: str = "disabled"
    """The kind of thinking that is none; empty where it cannot be switched off."""
    takes_effort: bool = True
    efforts: Mapping[str, str] = field(default_factory=dict)
    """What efforts that it does not know become."""
    refused: tuple[str, ...] = ("temperature", "top_p", "top_k")
    """Sampling parameters that it answers with a 400."""
    takes_both: bool = False
    """``temperature`` and ``top_p`` in one request."""


GENERATIONS = (
    Generation(models=("*claude-fable-*", "*claude-mythos-*", "*claude-opus-5[-.][5-9]*"), off=""),
    Generation(models=("*claude-sonnet-5[-.][5-9]*",), off="between_tools"),
    Generation(
        models=(
            "*claude-opus-[5-9]*",
            "*claude-sonnet-[5-9]*",
            "*claude-haiku-[5-9]*",
            "*claude-opus-4[-.][789]*",
        )
    ),
    Generation(
        models=("*claude-opus-4[-.]6*", "*claude-sonnet-4[-.]6*"),
        takes_budget=True,
        efforts={"xhigh": "high"},
        refused=(),
    ),
    Generation(
        models=("*claude-opus-4[-.]5*",),
        takes_budget=True,
        takes_adaptive=False,
        efforts={"xhigh": "high", "max": "high"},
        refused=(),
    ),
    Generation(
        models=("*claude-opus-4[-.]1*", "*claude-sonnet-4[-.]5*", "*claude-haiku-4[-.]5*"),
        takes_budget=True,
        takes_adaptive=False,
        takes_effort=False,
        refused=(),
    ),
    Generation(
        models=("*claude-opus-4*", "*claude-sonnet-4*", "*claude-3[-.]7*"),
        takes_budget=True,
        takes_adaptive=False,
        takes_effort=False,
        refused=(),
        takes_both=True,
    ),
)

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096}
MOST_BUDGET = 16384
"""For every other effort; without an effort the default is high."""
LEAST_BUDGET = 1024
LEAST_TOP_P = 0.95
"""Beside thinking."""
LOWEST_EFFORT = "low"
HIGHEST_EFFORT_WITHOUT_THOUGHTS = "high"


OTHER_ORDERS = re.compile(
    r"claude-(?:(\d[-.]\d)-(opus|sonnet|haiku)|(opus|sonnet|haiku)(\d[-.]\d))"
)
"""``claude-4.5-sonnet`` and ``claude-opus4-7``, as some hosts write it."""


def _in_order(found: re.Match[str]) -> str:
    version, family = found[1] or found[4], found[2] or found[3]
    return f"claude-{family}-{version}"


def generation_of(model: str) -> Generation | None:
    """None for a model that is no Claude, or one of before it could think."""
    name = OTHER_ORDERS.sub(_in_order, model.lower())
    for generation in GENERATIONS:
        if any(fnmatchcase(name, glob) for glob in generation.models):
            return generation
    return None


def _thinks_adaptively(body: Json, generation: Generation) -> Json:
    thinking: Json = body.get("thinking") or {}
    if generation.takes_budget or _kind(thinking) != "enabled":
        return body
    budget = thinking.get("budget_tokens")
    kept = {name: value for name, value in thinking.items() if name != "budget_tokens"}
    adaptive = {**body, "thinking": {**kept, "type": "adaptive"}}
    if effort_in(body) is not None or not isinstance(budget, int):
        return adaptive
    return with_effort(adaptive, _effort_of(budget))


def _effort_of(budget: int) -> str:
    if budget <= 2048:
        return "low"
    return "medium" if budget <= 8192 else "high"


def _thinks_by_budget(body: Json, generation: Generation) -> Json:
    """The effort goes with it: it is what the budget says."""
    thinking: Json = body.get("thinking") or {}
    if generation.takes_adaptive or _kind(thinking) != "adaptive":
        return body
    effort = effort_in(body)
    budget = BUDGETS.get(effort or "", MOST_BUDGET)
    rest = body if generation.takes_effort else with_effort(body, None)
    most = body.get("max_tokens")
    if isinstance(most, int) and not LEAST_BUDGET <= budget < most:
        return {name: value for name, value in rest.items() if name != "thinking"}
    return {**rest, "thinking": {**thinking, "type": "enabled", "budget_tokens": budget}}


def _stops_thinking(body: Json, generation: Generation) -> Json:
    if _kind(body.get("thinking")) not in ("disabled", "between_tools"):
        return body
    effort = effort_in(body)
    if not generation.off:
        rest = {name: value for name, value in body.items() if name != "thinking"}
        return rest if effort else with_effort(rest, LOWEST_EFFORT)
    off = {**body, "thinking": {"type": generation.off}}
    if generation.takes_budget or effort not in ("xhigh", "max"):
        return off
    return with_effort(off, HIGHEST_EFFORT_WITHOUT_THOUGHTS)


def _knows_effort(body: Json, generation: Generation) -> Json:
    effort = effort_in(body)
    if effort is None:
        return body
    known = generation.efforts.get(effort, effort) if generation.takes_effort else None
    return body if known == effort else with_effort(body, known)


def _samples(body: Json, generation: Generation) -> Json:
    refused = set(generation.refused)
    if not generation.takes_both and body.keys() >= {"temperature", "top_p"}:
        refused.add("top_p")
    if _kind(body.get("thinking")) in ("enabled", "adaptive"):
        refused |= {name for name in ("temperature", "top_p", "top_k") if not _fits(body, name)}
    if body.keys().isdisjoint(refused):
        return body
    return {name: value for name, value in body.items() if name not in refused}


def _fits(body: Json, name: str) -> bool:
    """Whether thinking allows this value."""
    value = body.get(name)
    if name == "top_p" and isinstance(value, int | float):
        return LEAST_TOP_P <= value <= 1
    return name == "temperature" and value == 1


def effort_in(body: Json) -> str | None:
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    return effort if isinstance(effort, str) else None


def with_effort(body: Json, effort: str | None) -> Json:
    found = body.get("output_config")
    config = dict(found) if isinstance(found, dict) else {}
    config.pop("effort", None)
    if effort is not None:
        config["effort"] = effort
    rest = {name: value for name, value in body.items() if name != "output_config"}
    return {**rest, "output_config": config} if config else rest


def _kind(thinking: object) -> str:
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    return kind if isinstance(kind, str) else ""


def _for_claude(
    name: str, change: Callable[[Json, Generation], Json], *, drops: tuple[str, ...], reason: str
) -> Quirk:
    def apply(body: Json) -> Json:
        generation = generation_of(str(body.get("model", "")))
        return change(body, generation) if generation else body

    return Quirk(f"{name} for Claude", apply, drops=drops, reason=reason)


SAMPLING = _for_claude(
    "sampling",
    _samples,
    drops=("temperature", "top_p", "top_k"),
    reason="From Opus 4.7 on temperature, top_p and top_k are answered with a 400, from Opus 4.1 and Sonnet 4.5 to 4.6 "
    f"temperature together with top_p ({ONE_OF_TWO_PAGE}); thinking goes with temperature 1 and top_p from 0.95 to 1 alone "
    f"({THINKING_PAGE}) (2026-11-22, {SAMPLING_PAGE}).",
)
"""In OpenAI's chat completions the three have the same names, so rows of hosts that pass them on have this, too."""

CLAUDE = (
    _for_claude(
        "adaptive thinking",
        _thinks_adaptively,
        drops=("thinking.budget_tokens",),
        reason=f"From Opus 4.7 on a budget is answered with a 400 (2026-11-22, {ADAPTIVE_PAGE}).",
    ),
    _for_claude(
        "thinking by a budget",
        _thinks_by_budget,
        drops=("thinking",),
        reason="Up to 4.5 adaptive is answered with a 400; a budget is at least 1024 and less than max_tokens "
        f"(2026-11-22, {ADAPTIVE_PAGE}).",
    ),
    _for_claude(
        "no thinking",
        _stops_thinking,
        drops=("thinking",),
        reason="Fable, Mythos and Opus 5.5 answer disabled with a 400, Sonnet 5.5 calls it between_tools, and without thoughts "
        f"no effort is above high (2026-11-22, {OPUS_5_5_PAGE}).",
    ),
    _for_claude(
        "efforts",
        _knows_effort,
        drops=("output_config.effort",),
        reason=f"Opus 4.5 and everything from 4.6 on know efforts, xhigh from Opus 4.7 on (2026-11-22, {EFFORT_PAGE}).",
    ),
    SAMPLING,
)


def _as_messages(body: Json) -> Json:
    """What of a Converse body the quirks look at, in Anthropic's words."""
    seen: Json = {"model": body.get("model", "")}
    for name, (holder, theirs) in PLACES.items():
        held = body.get(holder)
        if isinstance(held, dict) and theirs in held:
            seen[name] = held[theirs]
    effort = (body.get("outputConfig") or {}).get("effort")
    return seen if effort is None else with_effort(seen, effort)


def _written_back(body: Json, seen: Json) -> Json:
    values = {(holder, theirs): seen.get(name) for name, (holder, theirs) in PLACES.items()}
    values["outputConfig", "effort"] = effort_in(seen)
    found = dict(body)
    for (holder, name), value in values.items():
        held = dict(found.get(holder) or {})
        held.pop(name, None)
        if value is not None:
            held[name] = value
        if held:
            found[holder] = held
        else:
            found.pop(holder, None)
    return found


PLACES = {
    "thinking": ("additionalModelRequestFields", "thinking"),
    "top_k": ("additionalModelRequestFields", "top_k"),
    "temperature": ("inferenceConfig", "temperature"),
    "top_p": ("inferenceConfig", "topP"),
    "max_tokens": ("inferenceConfig", "maxTokens"),
}
_DROPS = {name: f"{holder}.{theirs}" for name, (holder, theirs) in PLACES.items()} | {
    "thinking.budget_tokens": "additionalModelRequestFields.thinking.budget_tokens",
    "output_config.effort": "outputConfig.effort",
}


def _at_converse(quirk: Quirk) -> Quirk:
    def apply(body: Json) -> Json:
        seen = _as_messages(body)
        changed = quirk.apply(seen)
        return body if changed is seen else _written_back(body, changed)

    return replace(
        quirk,
        name=f"{quirk.name} at Converse",
        apply=apply,
        drops=tuple(_DROPS[name] for name in quirk.drops),
    )


def _thinks_at_an_effort(body: Json, _: Generation) -> Json:
    """Converse's one word for all models is an effort; to Claude it is how much, not whether."""
    if "thinking" in body or effort_in(body) is None:
        return body
    return {**body, "thinking": {"type": "adaptive"}}


THINKS_AT_AN_EFFORT = _at_converse(
    _for_claude(
        "thinking at an effort",
        _thinks_at_an_effort,
        drops=(),
        reason=f"Up to Opus 4.8 nothing is thought unless thinking says so (2026-11-22, {ADAPTIVE_PAGE}).",
    )
)


def _unless_a_tool_is_forced(quirk: Quirk) -> Quirk:
    def apply(body: Json) -> Json:
        choice = (body.get("toolConfig") or {}).get("toolChoice") or {}
        return body if choice.keys() & {"any", "tool"} else quirk.apply(body)

    return replace(quirk, apply=apply)


CLAUDE_AT_CONVERSE = (
    _unless_a_tool_is_forced(THINKS_AT_AN_EFFORT),
    *(_at_converse(quirk) for quirk in CLAUDE),
)
