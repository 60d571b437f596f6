"""Hosts that can be probed: every conversation of the catalogue that can be asked with the house's key and has a price."""

from dataclasses import dataclass

from apps.billing.services import rating
from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.selectors import CatalogSnapshot, ModelSnapshot
from apps.common.usage import Rates, Usage
from apps.inference.planner import Target, Wants, candidates

CONVERSATION = Wants(operation=Operation.CHAT, wire=Wire.OPENAI_CHAT)
ROOM = 16
"""Tokens that the answer may have: the least that every wire takes."""
REASONING_ROOM = 256
"""Models that think may spend so much before they say a word."""
INPUT_TOKENS = 64
"""More than "Hi" has, whatever a host wraps around it."""
FREE_VARIANT = ":free"


@dataclass(frozen=True, slots=True)
class Host:
    """One offering to probe."""

    target: Target
    model: str
    room: int
    is_scheduled: bool

    @property
    def provider(self) -> str:
        return self.target.offering.provider.slug

    def estimate(self, rates: Rates) -> int:
        """The most that a probe should cost."""
        return rating.quote(Usage(input=INPUT_TOKENS, output=self.room), rates)


def find_hosts(snapshot: CatalogSnapshot) -> dict[int, Host]:
    """By offering."""
    return {
        target.offering.id: Host(target, model.id, _room(model, target), _is_scheduled(model, target))
        for model in snapshot.listed()
        if model.does(Operation.CHAT)
        for target in candidates(model, CONVERSATION.operation, CONVERSATION.wire)
    }  # fmt: skip


def _room(model: ModelSnapshot, target: Target) -> int:
    room = REASONING_ROOM if "reasoning" in model.supported_parameters else ROOM
    return min(room, target.offering.max_output_tokens or room)


def _is_scheduled(model: ModelSnapshot, target: Target) -> bool:
    """Others are probed on demand alone: the sandbox, which is no host; what is free, for its host rations it and a probe
    would take what clients have; what makes pictures or sound too, which might be what a greeting is answered with."""
    return (
        not target.offering.provider.is_sandbox
        and not model.id.endswith(FREE_VARIANT)
        and model.output_modalities == ("text",)
    )
