"""Which findings must be judged together, so that the rest can be taken in batch by batch, in little memory.

Those of one model, for its hosts are compared; those of one name at one host, for the best source counts; and those of
models whose offering an operator has put under another one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

Place = tuple[str, str]
"""A provider, and the model's name there."""


class Finding(Protocol):
    """``intake.Found``."""

    @property
    def provider(self) -> str: ...
    @property
    def upstream_model(self) -> str: ...
    @property
    def model_id(self) -> str: ...


F = TypeVar("F", bound=Finding)


def batches(
    found: Sequence[F],
    *,
    ids: Mapping[str, str],
    moved: Mapping[Place, Collection[str]],
    size: int,
) -> Iterator[list[F]]:
    """Each finding once; about ``size`` at a time, more where more belong together.

    ``ids``: what each listed id is called here. ``moved``: models under which offerings of these places stand already.
    """
    groups: dict[str | Place, list[F]] = {}
    heads = _Heads()
    for one in found:
        place = (one.provider, one.upstream_model)
        for model in (ids.get(one.model_id), *moved.get(place, ())):
            if model is not None:
                heads.join(place, model)
    for one in found:
        groups.setdefault(heads.of((one.provider, one.upstream_model)), []).append(one)
    batch: list[F] = []
    for group in groups.values():
        if batch and len(batch) + len(group) > size:
            yield batch
            batch = []
        batch += group
    if batch:
        yield batch


class _Heads:
    """Sets of places and models that are joined one by one; each set is known by one of its members."""

    def __init__(self) -> None:
        self._above: dict[str | Place, str | Place] = {}

    def of(self, member: str | Place) -> str | Place:
        while (above := self._above.get(member, member)) != member:
            self._above[member] = self._above.get(above, above)
            member = above
        return member

    def join(self, one: str | Place, other: str | Place) -> None:
        self._above[self.of(one)] = self.of(other)
