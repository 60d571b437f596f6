"""Operations: every path that spends at a provider, with the wire that its client speaks.

The consumer's look-up and the OpenAPI document are made from this table.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from apps.catalog.providers.spec import Operation, Wire
from apps.inference.requests.chat import ChatBody, read_chat
from apps.inference.requests.common import RequestFacts
from apps.inference.requests.messages import MessagesBody, read_messages


@dataclass(frozen=True, slots=True)
class Surface:
    """One endpoint. ``read`` checks the body and raises InvalidRequest naming the field."""

    paths: tuple[str, ...]
    operation: Operation
    wire: Wire
    body: type[msgspec.Struct]
    """What ``read`` checks; the OpenAPI document shows it."""
    read: Callable[[bytes], RequestFacts]
    summary: str


CHAT_COMPLETIONS = Surface(
    paths=("/v1/chat/completions", "/chat/completions"),
    operation=Operation.CHAT,
    wire=Wire.OPENAI_CHAT,
    body=ChatBody,
    read=read_chat,
    summary="Create a chat completion, streamed or whole, in OpenAI's format.",
)
MESSAGES = Surface(
    paths=("/v1/messages", "/messages"),
    operation=Operation.CHAT,
    wire=Wire.ANTHROPIC_MESSAGES,
    body=MessagesBody,
    read=read_messages,
    summary="Create a message, streamed or whole, in Anthropic's format.",
)

SURFACES: tuple[Surface, ...] = (CHAT_COMPLETIONS, MESSAGES)
BY_PATH: dict[str, Surface] = {path: surface for surface in SURFACES for path in surface.paths}


def is_api(path: str) -> bool:
    """Whether a client of the API is asking: then every answer is JSON. A slash at the end is a slip of the same client."""
    return path.startswith("/v1/") or path.rstrip("/") in BY_PATH
