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
)

CODECS: Mapping[Wire, Codec] = MappingProxyType(
    {
        Wire.OPENAI_CHAT: openai_chat,
        Wire.ANTHROPIC_MESSAGES: anthropic_messages,
        Wire.GEMINI: gemini,
        Wire.BEDROCK_CONVERSE: bedrock_converse,
    }
)
