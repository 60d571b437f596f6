"""JSON of POST /v1/quote. Amounts are whole nano-dollars, with the same in dollars as exact decimal strings."""

from typing import Literal

from ninja import Schema

from apps.catalog.schemas import BenchmarkResult


class Amount(Schema):
    nano_usd: int
    usd: str


class QuotedRates(Schema):
    """Dollars: per token, per character, and per image, second, search and request; where long inputs cost something else, those of
    the estimated input."""

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
    """The error that the request would be answered with."""

    status: int
    code: str
    message: str
    param: str | None


class Candidate(Schema):
    provider: str
    model: str
    wire: str
    is_byok: bool
    """It is asked with the customer's own key: the provider bills the rates, and the cost is the routing fee."""
    rates: QuotedRates
    input_tokens: int
    cost: QuotedCost
    context: ContextFit
    dropped_parameters: list[str]
    refusal: Refusal | None
    """Why this host would not be asked: no room for the input, no way to write the request in its format, or that of the whole
    quote."""


class RouterChoice(Schema):
    """What a router chose in place of the client, and why."""

    router: str
    """With its mode."""
    model: str
    area: Literal["general", "code"]
    demand: Literal["simple", "ordinary", "hard"]
    needs: list[str]
    """What a model had to be able to do."""
    reasons: list[str]
    """What in the request told the area and the demand."""
    score: float
    """The model's quality in the area, 0 to 100."""
    score_source: Literal["benchmark", "inferred"]
    benchmark: BenchmarkResult | None = None
    """Which, where and when, when the score comes from one."""
    passed_over: int
    """Models that the mode prefers and that cannot do it, or have no room for it where the request allows."""
    runners_up: list[str] = []
    """Models that are asked when no host of the chosen one can answer."""


class Quote(Schema):
    path: str
    model: str
    router: RouterChoice | None
    """When ``model`` named a router."""
    input_tokens: int
    """Estimated, as for a hold."""
    output_tokens: int
    """Expected, as for a hold."""
    hold: Amount
    """What the request would set aside: the expected cost at the dearest candidate."""
    available: Amount
    affordable: bool
    refusal: Refusal | None
    """What the request would be refused with before any host is asked: more tokens than the key may ever use in a minute, or too
    little credit."""
    candidates: list[Candidate]
    """In the order in which they would be asked."""


class QuoteBody(Schema):
    data: Quote
