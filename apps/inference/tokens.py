"""Token estimates: for holds, limits, and bills when a provider sends no usage.

One token for four UTF-8 bytes. Tokenisers of today average 3.5 to 4.5 bytes a token on English and code, and three
bytes a character in CJK scripts land near their one to one-and-a-half tokens a character.
"""

from apps.inference.requests.common import IMAGE_TOKENS, RequestFacts

BYTES_PER_TOKEN = 4
MOST_BYTES_PER_TOKEN = 16
"""No tokeniser packs more into a token on average: a text that is too long even so is certainly too long."""

PICTURE_TOKENS = 1290
"""Of a picture that a model of conversations makes: https://ai.google.dev/gemini-api/docs/pricing (2026-11)."""


def count(text_bytes: int) -> int:
    return -(-text_bytes // BYTES_PER_TOKEN)


def estimate_input(facts: RequestFacts) -> int:
    return count(facts.text_bytes) + facts.images * IMAGE_TOKENS


def least_input(facts: RequestFacts) -> int:
    """A number of tokens that the input certainly has: what cannot be counted here does not raise it."""
    return (facts.text_bytes - facts.guessed_bytes) // MOST_BYTES_PER_TOKEN


def expected_output(facts: RequestFacts, *, model_maximum: int | None, usual: int) -> int:
    """Output that a hold covers: what the client allows, never beyond the model's maximum or the usual length."""
    if facts.expected_output is not None:
        return facts.expected_output
    limits = (facts.max_output_tokens, model_maximum, usual)
    return min(limit for limit in limits if limit) * facts.choices
