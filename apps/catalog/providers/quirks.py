"""Quirks: what a provider's dialect needs changed in the outgoing body, and the one place where it is changed.

A combinator makes a ``Quirk`` from names and values; what no combinator can say is a named function with a test of its
own. No quirk mutates its argument. ``apply_quirks`` runs them in order, after the body was encoded or patched.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from apps.catalog.providers.spec import Json, Quirk

ANYTHING = ("*",)
"""``drops`` of a quirk that knows only what it keeps."""


def apply_quirks(body: Json, quirks: Iterable[Quirk]) -> tuple[Json, tuple[str, ...]]:
    """The body to send, and the client's parameters that it lost, for ``x-gatewayz-dropped-params``."""
    dropped: list[str] = []
    for quirk in quirks:
        changed = quirk.apply(body)
        if changed is not body:
            lost = body if quirk.drops == ANYTHING else quirk.drops
            dropped += [name for name in lost if _has(body, name) and not _has(changed, name)]
        body = changed
    return body, tuple(dropped)


def _has(body: Json, name: str) -> bool:
    """A dotted name is a path."""
    holder, _, rest = name.partition(".")
    held = body.get(holder)
    return _has(held, rest) if rest and isinstance(held, dict) else not rest and holder in body


def rename(old: str, new: str, *, reason: str = "") -> Quirk:
    """Move a parameter; when the client sent both, the new name's value stays."""

    def apply(body: Json) -> Json:
        if old not in body:
            return body
        return {new: body[old]} | {name: value for name, value in body.items() if name != old}

    return Quirk(f"rename {old} to {new}", apply, reason=reason)


def drop(*names: str, reason: str = "") -> Quirk:
    def apply(body: Json) -> Json:
        return {name: value for name, value in body.items() if name not in names}

    return Quirk(f"drop {', '.join(names)}", apply, drops=names, reason=reason)


def omit(*names: str, reason: str = "") -> Quirk:
    """``drop`` for what the client cannot miss, because the provider does it anyway: it is not told."""
    return replace(drop(*names, reason=reason), name=f"omit {', '.join(names)}", drops=())


def keep(*names: str, reason: str = "") -> Quirk:
    """Drop everything else."""

    def apply(body: Json) -> Json:
        return {name: value for name, value in body.items() if name in names}

    return Quirk(f"keep {', '.join(names)}", apply, drops=ANYTHING, reason=reason)


def allow(name: str, *values: Any, reason: str = "") -> Quirk:
    """Drop a parameter whose value is none of these."""

    def apply(body: Json) -> Json:
        if name not in body or body[name] in values:
            return body
        return {key: value for key, value in body.items() if key != name}

    return Quirk(f"allow {name} {', '.join(map(str, values))}", apply, drops=(name,), reason=reason)


def substitute(name: str, values: Mapping[str, str], *, reason: str = "") -> Quirk:
    """Send another value where the provider does not know the client's."""

    def apply(body: Json) -> Json:
        value = body.get(name)
        if not isinstance(value, str) or value not in values:
            return body
        return {**body, name: values[value]}

    return Quirk(f"substitute {name}", apply, reason=reason)


def default(name: str, value: Any, *, reason: str = "") -> Quirk:
    """Set a parameter that the client left out."""

    def apply(body: Json) -> Json:
        return body if name in body else {**body, name: value}

    return Quirk(f"default {name}", apply, reason=reason)


def clamp(name: str, low: float, high: float, *, reason: str = "") -> Quirk:
    """Keep a number between two bounds; what is no number is left for the provider to judge."""

    def apply(body: Json) -> Json:
        value = body.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return body
        return {**body, name: min(max(value, low), high)}

    return Quirk(f"clamp {name}", apply, reason=reason)


def nest(name: str, *, under: str, reason: str = "") -> Quirk:
    """Move a parameter into the object ``under``; a value that is there already stays."""

    def apply(body: Json) -> Json:
        if name not in body:
            return body
        rest = {key: value for key, value in body.items() if key != name}
        return {**rest, under: {name: body[name], **(body.get(under) or {})}}

    return Quirk(f"nest {name} under {under}", apply, reason=reason)


def inside(name: str, *, then: Quirk) -> Quirk:
    """Apply another quirk to an object in the body. What it drops there is named with a dotted path; an object that it
    leaves empty goes, too."""

    def apply(body: Json) -> Json:
        found = body.get(name)
        if not isinstance(found, dict):
            return body
        if changed := then.apply(found):
            return {**body, name: changed}
        return {key: value for key, value in body.items() if key != name} if found else body

    drops = tuple(f"{name}.{dropped}" for dropped in then.drops if then.drops != ANYTHING)
    return Quirk(f"{then.name} inside {name}", apply, drops=drops, reason=then.reason)


def each_message(name: str, change: Callable[[Json], Json], *, reason: str = "") -> Quirk:
    """Change every message; ``change`` must not mutate its argument."""

    def apply(body: Json) -> Json:
        found = body.get("messages")
        return (
            {**body, "messages": [change(message) for message in found]}
            if isinstance(found, list)
            else body
        )

    return Quirk(name, apply, reason=reason)


def when(*models: str, then: Quirk, unless: str = "") -> Quirk:
    """Only for upstream models that match one of the globs, and not the glob ``unless``."""

    def apply(body: Json) -> Json:
        model = str(body.get("model", ""))
        meant = any(fnmatchcase(model, glob) for glob in models) and not fnmatchcase(model, unless)
        return then.apply(body) if meant else body

    return Quirk(
        f"{then.name} for {', '.join(models)}", apply, drops=then.drops, reason=then.reason
    )


def model_name(name: str, change: Callable[[str], str], *, reason: str = "") -> Quirk:
    """Change the model's name."""

    def apply(body: Json) -> Json:
        model = body.get("model")
        return {**body, "model": change(model)} if isinstance(model, str) else body

    return Quirk(name, apply, reason=reason)


def without(*names: str) -> Callable[[Json], Json]:
    """A message without these keys."""

    def change(message: Json) -> Json:
        if names_of(message).isdisjoint(names):
            return message
        return {key: value for key, value in message.items() if key not in names}

    return change


def names_of(message: Any) -> frozenset[str]:
    """None of what is no object: such a message is the provider's to refuse."""
    return frozenset(message) if isinstance(message, dict) else frozenset()


without_name = without("name")


def without_empty_tool_calls(message: Json) -> Json:
    """The message without ``tool_calls`` that are null or none."""
    if "tool_calls" not in names_of(message) or message["tool_calls"]:
        return message
    return {key: value for key, value in message.items() if key != "tool_calls"}


def developer_as_system(message: Json) -> Json:
    """OpenAI's younger name for the role, in the older one."""
    if "role" in names_of(message) and message["role"] == "developer":
        return {**message, "role": "system"}
    return message


def without_prefix(*prefixes: str) -> Callable[[str], str]:
    """The name without the first of these that it begins with."""

    def change(model: str) -> str:
        found = next((prefix for prefix in prefixes if model.startswith(prefix)), "")
        return model.removeprefix(found)

    return change


def without_router_prefix(model: str) -> str:
    """``openrouter/openai/gpt-4o`` is ``openai/gpt-4o``; the router's own models, as ``openrouter/auto``, keep it."""
    rest = model.removeprefix("openrouter/")
    return rest if "/" in rest else model


def stand_in_for_auto(model: str) -> Quirk:
    """OpenRouter's automatic router is nowhere else: a host that is offered under its name is asked for this model."""
    return model_name(
        f"openrouter/auto is {model}",
        lambda asked: model if asked == "openrouter/auto" else asked,
        reason="The name is OpenRouter's own (2026-11-21, https://openrouter.ai/docs/api-reference/overview).",
    )


CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")


def with_short_call_ids(message: Json) -> Json:
    """Tool call ids as nine letters and digits: those that are not become the beginning of their hash, in calls and results alike."""
    names = names_of(message)
    if "tool_call_id" in names:
        message = {**message, "tool_call_id": _short_id(message["tool_call_id"])}
    if "tool_calls" in names and isinstance(message["tool_calls"], list):
        calls = [
            {**call, "id": _short_id(call["id"])} if "id" in names_of(call) else call
            for call in message["tool_calls"]
        ]
        message = {**message, "tool_calls": calls}
    return message


def _short_id(value: Any) -> str:
    text = str(value)
    return text if CALL_ID.fullmatch(text) else sha256(text.encode()).hexdigest()[:9]
