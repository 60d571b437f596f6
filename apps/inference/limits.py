"""Where a request of each wire says how long its answer may be."""

from apps.catalog.providers.spec import Wire

WITHIN = {Wire.GEMINI: "generationConfig"}
"""The object of a request that holds its limits, where that is not the request itself."""
LIMITS = {
    Wire.OPENAI_CHAT: ("max_tokens", "max_completion_tokens"),
    Wire.ANTHROPIC_MESSAGES: ("max_tokens",),
    Wire.OPENAI_RESPONSES: ("max_output_tokens",),
    Wire.GEMINI: ("maxOutputTokens",),
}
"""How a client says how many tokens an answer may have."""
