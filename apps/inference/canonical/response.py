"""ChatResponse: a whole answer, in no dialect."""

from dataclasses import dataclass, replace

import orjson

from apps.common.usage import Usage
from apps.inference.canonical.content import Block, ToolCall
from apps.inference.canonical.events import FinishReason
from apps.inference.canonical.failures import MalformedUpstream


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


def is_half(arguments: str) -> bool:
    """Whether the arguments of a call break off. None at all are those of a call that takes none."""
    try:
        orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return True
    return False


def without_half_calls(response: ChatResponse) -> ChatResponse:
    """For clients whose wire has arguments as an object: a call that a limit cut off is none.

    Raises MalformedUpstream where no limit did: the model meant a call, and nobody knows which.
    """
    whole = tuple(
        block
        for block in response.blocks
        if not (isinstance(block, ToolCall) and is_half(block.arguments))
    )
    if len(whole) == len(response.blocks):
        return response
    require_limit(response.finish)
    return replace(response, blocks=whole)


def require_limit(finish: FinishReason | None) -> None:
    if finish is not FinishReason.LENGTH:
        raise MalformedUpstream("the arguments of a tool call break off")
