"""Quirks: what a provider's dialect needs changed in the outgoing body, and the one place where it is changed.

A combinator makes a ``Quirk`` from names and values; what no combinator can say is a named function with a test of its
own. No quirk mutates its argument. ``apply_quirks`` runs them in order, after the body was encoded or patched.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from apps.catalog.providers.spec import Json, Quirk


def apply_quirks(body: Json, quirks: Iterable[Quirk]) -> tuple[Json, tuple[str, ...]]:
    """The body to send, and the client's parameters that it lost, for ``x-gatewayz-dropped-params``."""
    dropped: list[str] = []
    for quirk in quirks:
        changed = quirk.apply(body)
        dropped += [name for name in quirk.drops if name in body and name not in changed]
        body = changed
    return body, tuple(dropped)


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


def messages(name: str, change: Callable[[Json], Json], *, reason: str = "") -> Quirk:
    """Change every message; ``change`` must not mutate its argument."""

    def apply(body: Json) -> Json:
        found = body.get("messages")
        return (
            {**body, "messages": [change(message) for message in found]}
            if isinstance(found, list)
            else body
        )

    return Quirk(name, apply, reason=reason)


def when(*models: str, then: Quirk) -> Quirk:
    """Only for upstream models that match one of the globs."""

    def apply(body: Json) -> Json:
        model = str(body.get("model", ""))
        return then.apply(body) if any(fnmatchcase(model, glob) for glob in models) else body

    return Quirk(
        f"{then.name} for {', '.join(models)}", apply, drops=then.drops, reason=then.reason
    )


def without_name(message: Json) -> Json:
    """The message without its author's name."""
    return (
        {key: value for key, value in message.items() if key != "name"}
        if "name" in message
        else message
    )
