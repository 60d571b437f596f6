"""What is known of what a model takes, by itself or at one host. Pure.

A host's own list, and what an operator writes, name everything: what is not there is not taken. What ships with the
release, of a host or of the model, and what hosts say together name what is known to be taken, and leave out much: schemas
most of all, and at one host what another is known to take.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

SCHEMAS = "structured_outputs"
SOME_FORMAT = "response_format"
"""Lists that name the field alone do not tell which of its formats are taken."""
INPUTS = frozenset({"text", "image", "file", "audio", "video"})
REASONING = frozenset({"reasoning", "include_reasoning", "reasoning_effort", "thinking"})
TOOLS = frozenset({"tools", "tool_choice"})


@dataclass(frozen=True, slots=True, eq=False)
class Capabilities:
    parameters: tuple[str, ...]
    """OpenRouter's words; empty when unknown."""
    inputs: tuple[str, ...]
    """Modalities that it takes."""
    knows_inputs: bool
    """False where ``inputs`` is no more than what somebody happened to tell."""
    is_whole: bool
    """Whether ``parameters`` names all that is taken."""
    can: frozenset[str] = field(init=False)
    """All of it, and ``tools`` and ``reasoning`` by whichever word they are named."""

    def __post_init__(self) -> None:
        can = {*self.parameters, *self.inputs}
        for name, words in (("tools", TOOLS), ("reasoning", REASONING)):
            if not words.isdisjoint(can):
                can.add(name)
        object.__setattr__(self, "can", frozenset(can))

    def lacking(
        self,
        needs: Collection[str],
        required: Collection[str] = (),
        *,
        beside: "Capabilities | None" = None,
    ) -> str:
        """The first thing that is not taken: of ``needs`` what is known not to be, of ``required`` also what is not known.
        Empty when there is none.

        ``beside``, the model's, makes it a guess: where the list does not name all that is taken, a schema counts as taken, and
        so does what the model takes at other hosts.
        """
        if self.can.issuperset(needs) and self.can.issuperset(required):
            return ""
        for name in sorted(name for name in needs if name not in self.can):
            if name == SCHEMAS and SOME_FORMAT in self.can:
                continue
            if beside is not None and self._may_take(name, beside):
                continue
            if required or (self.knows_inputs if name in INPUTS else self.parameters):
                return name
        return next((name for name in sorted(required) if name not in self.can), "")

    def _may_take(self, name: str, beside: "Capabilities") -> bool:
        return not (self.is_whole or name in INPUTS) and (name == SCHEMAS or name in beside.can)


@lru_cache(maxsize=8192)
def capabilities(
    parameters: tuple[str, ...],
    inputs: tuple[str, ...],
    *,
    knows_inputs: bool = False,
    is_whole: bool = False,
) -> Capabilities:
    """One for each: thousands of offerings share a few hundred lists. Where parameters are known, the inputs are."""
    return Capabilities(parameters, inputs, knows_inputs or bool(parameters), is_whole)
