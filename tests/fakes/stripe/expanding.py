"""``expand[]``: ids in an answer become the objects they name; fields that are only there when asked for appear.

Works on a copy. A path may go four levels deep and begins with ``data.`` in lists, as in Stripe's API.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.stripe.errors import Json, bad_parameter
from tests.fakes.stripe.world import World

DEEPEST = 4

Included = Callable[[World, Json], Any]


def expanded(
    world: World, answer: Json, paths: list[str], included: Mapping[tuple[str, str], Included]
) -> Json:
    """``included`` makes the fields that an object has only when they are asked for: (object, field) → maker."""
    answer = copy.deepcopy(answer)
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise bad_parameter(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}",
                param="expand",
            )
        _expand(world, answer, steps, path, included)
    return answer


def _expand(
    world: World,
    holder: Json,
    steps: list[str],
    path: str,
    included: Mapping[tuple[str, str], Included],
) -> None:
    name, rest = steps[0], steps[1:]
    maker = included.get((holder.get("object", ""), name))
    if maker is not None and name not in holder:
        holder[name] = copy.deepcopy(maker(world, holder))
    if name not in holder:
        raise bad_parameter(f"This property cannot be expanded ({path}).", param="expand")
    value = holder[name]
    if isinstance(value, str):
        named = world.find(value)
        if named is None:
            raise bad_parameter(f"This property cannot be expanded ({path}).", param="expand")
        value = holder[name] = copy.deepcopy(named)
    if not rest:
        return
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            _expand(world, one, rest, path, included)
