"""Which operation a method and path name. The operations themselves are rows in the modules of their objects."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.reading import Spec, array, group, integer, text, timestamp
from tests.fakes.stripe.world import World, chosen, page, within

Operation = Callable[..., Json]
"""``operation(world, parameters, *ids of the path)``."""

PAGING: Spec = {
    "limit": integer(),
    "starting_after": text,
    "ending_before": text,
    "created": group(dict.fromkeys(("gt", "gte", "lt", "lte"), timestamp)),
}


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: Operation
    spec: Spec = field(default_factory=dict)


class Routes:
    def __init__(self, rows: Iterable[Route]) -> None:
        self._rows = [
            (row.method, re.compile(re.sub(r"\{\w+\}", r"([^/]+)", row.path)), row) for row in rows
        ]

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
        for known, pattern, row in self._rows:
            if known == method and (match := pattern.fullmatch(path)):
                return row, match.groups()
        return None


def whole_spec(route: Route) -> Spec:
    return {**route.spec, "expand": array(text)}


def list_of(kind: str, path: str, *filters: str) -> Route:
    """A plain list with filters that equal fields of the object."""

    def operation(world: World, params: Json) -> Json:
        rows = within(chosen(world.all(kind), params, *filters), params)
        return page(rows, params, path)

    return Route("GET", path, operation, {**PAGING, **dict.fromkeys(filters, text)})


def one_of_kind(kind: str, path: str) -> Route:
    def operation(world: World, params: Json, identifier: str) -> Json:
        return world.get(kind, identifier)

    return Route("GET", path, operation)
