"""Form encoding with brackets, as Stripe reads it: ``items[0][price]=p``, ``expand[]=a`` → nested dicts of strings.

Lists are dicts with numbers for keys here; which keys are lists, the reader of a parameter knows (reading.py).
"""

import re
from collections.abc import Iterable
from typing import Any

_SEGMENT = re.compile(r"\[([^\[\]]*)\]")


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, rest = name.partition("[")
        path = [head, *_SEGMENT.findall(bracket + rest)]
        _put(found, path, value)
    return found


def _put(into: dict[str, Any], path: list[str], value: str) -> None:
    for segment in path[:-1]:
        below = into.setdefault(segment or str(len(into)), {})
        if not isinstance(below, dict):
            # "a=1&a[b]=2": the later form wins, so that the reader can refuse it by name.
            below = into[segment] = {}
        into = below
    into[path[-1] or str(len(into))] = value
