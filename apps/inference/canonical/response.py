"""ChatResponse: a whole answer, in no dialect."""

from dataclasses import dataclass

from apps.common.usage import Usage
from apps.inference.canonical.content import Block
from apps.inference.canonical.events import FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatResponse:
    id: str
    model: str
    blocks: tuple[Block, ...]
    finish: FinishReason | None
    """None when the provider gave no reason: the answer may have been cut."""
    stop_sequence: str | None = None
    usage: Usage | None = None
    """None when the provider sent no usage or an absurd one."""
    usage_reported: bool = False
    """Whether it sent any: tells an absurd one from none."""


def settled_finish(reported: FinishReason, *, has_tool_calls: bool) -> FinishReason:
    """TOOL_CALLS when the answer calls tools but the provider said ``stop``, as several hosts do.

    OpenAI itself does so when ``tool_choice`` names the function.
    Clients run tools only when told that tools were called.
    """
    if has_tool_calls and reported is FinishReason.STOP:
        return FinishReason.TOOL_CALLS
    return reported
