"""The registry: each wire's codec. Codecs know neither each other nor this file."""

from collections.abc import Mapping
from types import MappingProxyType

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Codec
from apps.inference.protocols import (
    anthropic_messages,
    bedrock_converse,
    gemini,
    openai_chat,
    openai_responses,
)

CODECS: Mapping[Wire, Codec] = MappingProxyType(
    {
        Wire.OPENAI_CHAT: openai_chat,
        Wire.OPENAI_RESPONSES: openai_responses,
        Wire.ANTHROPIC_MESSAGES: anthropic_messages,
        Wire.GEMINI: gemini,
        Wire.BEDROCK_CONVERSE: bedrock_converse,
    }
)


def dialect(wire: Wire) -> Codec:
    """The codec whose errors a client of this wire reads: OpenAI's where the wire is only passed on."""
    return CODECS.get(wire, CODECS[Wire.OPENAI_CHAT])
