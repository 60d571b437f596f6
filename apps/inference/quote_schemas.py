"""JSON of POST /v1/quote. Amounts are whole nano-dollars, with the same in dollars as exact decimal strings."""

from ninja import Schema


class Amount(Schema):
    nano_usd: int
    usd: str


class QuotedRates(Schema):
    """Dollars: per token, per character, and per image, second, search and request."""

    prompt: str
    completion: str
    input_cache_read: str
    input_cache_write: str
    input_cache_write_1h: str
    internal_reasoning: str
    input_audio: str
    output_audio: str
    character: str
    image: str
    second: str
    search: str
    request: str


class QuotedCost(Schema):
    minimum: Amount
    expected: Amount
    maximum: Amount | None
    """Null when neither the request nor the model limits the output."""


class ContextFit(Schema):
    length: int | None
    fits: bool | None
    """Whether the estimated input and the expected output have room together; null when the length is unknown."""


class Refusal(Schema):
    """Why the request cannot be written for this host's wire."""

    code: str
    message: str
    param: str | None


class Candidate(Schema):
    provider: str
    model: str
    wire: str
    rates: QuotedRates
    input_tokens: int
    cost: QuotedCost
    context: ContextFit
    dropped_parameters: list[str]
    refusal: Refusal | None


class Quote(Schema):
    path: str
    model: str
    input_tokens: int
    """Estimated, as for a hold."""
    output_tokens: int
    """Expected, as for a hold."""
    hold: Amount
    """What the request would set aside: the expected cost at the dearest candidate."""
    available: Amount
    affordable: bool
    candidates: list[Candidate]
    """In the order in which they would be asked."""


class QuoteBody(Schema):
    data: Quote
