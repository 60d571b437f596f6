"""Shapes of the models API: OpenAI's list with OpenRouter's extensions. Prices are decimal strings, dollars for one unit."""

from decimal import Decimal
from typing import Annotated, Literal

from ninja import Schema
from pydantic import ConfigDict, Field

Order = Literal["", "name", "created", "price", "-price", "context"]
MOST = 1000
"""Models on a page."""
MOST_COMPARED = 100


class Reach(Schema):
    availability: Literal["now", "all"] = Field(
        "now", description="`all`: also the models of providers that have no key here."
    )


class Page(Schema):
    limit: int | None = Field(None, ge=1, le=MOST, description="Without it, everything.")
    offset: int = Field(0, ge=0)

    @property
    def is_whole(self) -> bool:
        return self.limit is None and not self.offset


class ReachedPage(Page, Reach):
    pass


class ModelQuery(ReachedPage):
    """Filters that must all hold. Names and modalities are separated by commas, and all of them must be there."""

    after: str = Field("", description="The id of the last model seen; in place of `offset`.")
    provider: str = ""
    owned_by: str = ""
    author: str = ""
    q: str = Field("", description="Words that are in the id or in the name.")
    category: str = ""
    input_modalities: str = ""
    output_modalities: str = ""
    supported_parameters: str = ""
    min_context: int | None = Field(None, ge=0)
    max_price: Decimal | None = Field(
        None, ge=0, le=10**6, description="Dollars for a million prompt tokens."
    )
    free: bool | None = None
    sort: Order = ""


class AnthropicPage(Schema):
    """Read from Anthropic's clients, with ``limit``."""

    after_id: str = ""
    before_id: str = ""


class GooglePage(Schema):
    """Read from Google's clients."""

    pageSize: int = Field(0, ge=0, description="50 without it.")  # noqa: N815 - the public names
    pageToken: str = ""  # noqa: N815


class Architecture(Schema):
    input_modalities: list[str]
    output_modalities: list[str]
    modality: str
    tokenizer: str | None


class Pricing(Schema):
    """Those without a default are always there."""

    prompt: str
    completion: str
    request: str
    image: str = Field(description="For one image made. Images looked at are prompt tokens.")
    audio: str = Field(description="For one token of sound heard.")
    input_cache_read: str
    input_cache_write: str
    internal_reasoning: str
    input_cache_write_1h: str = "0"
    audio_output: str = "0"
    character: str = "0"
    second: str = "0"
    search: str = "0"


class PricingTier(Schema):
    """What a request costs, all of it, whose input is longer."""

    above_input_tokens: int = Field(description="Cached or not.")
    pricing: Pricing


class TopProvider(Schema):
    context_length: int | None
    max_completion_tokens: int | None
    is_moderated: bool


class BriefEndpoint(Schema):
    """What differs between the hosts of a model."""

    provider: str
    upstream_model: str
    pricing: Pricing
    pricing_tiers: list[PricingTier] = []
    context_length: int | None
    max_completion_tokens: int | None
    quantization: str | None
    supported_parameters: list[str] = Field(
        description="What this host takes; the model's where nothing is told of the host."
    )


class BenchmarkResult(Schema):
    """What was published of a model, and where."""

    name: str
    measure: str
    """What ``value`` is."""
    value: float
    date: str
    """When it was measured."""
    source: str
    licence: str


class ModelCard(Schema):
    id: str
    canonical_slug: str
    object: Literal["model"]
    created: int
    """The day on which the model came out, in Unix seconds; 0 when unknown."""
    owned_by: str
    name: str
    description: str
    context_length: int | None
    architecture: Architecture
    pricing: Pricing
    pricing_tiers: list[PricingTier] = Field(
        [], description="Where long inputs have prices of their own."
    )
    top_provider: TopProvider
    per_request_limits: None
    supported_parameters: list[str]
    benchmarks: dict[str, BenchmarkResult] = Field(
        {}, description="Published results by area: `code`. All other scores are inferred."
    )
    providers: list[str]
    endpoints: list[BriefEndpoint] = Field(description="In the order in which they are asked.")


class ModelList(Schema):
    object: Literal["list"]
    data: list[ModelCard]


class ModelPage(ModelList):
    total: int
    has_more: bool


class Category(Schema):
    id: str
    description: str
    count: int


class CategoryList(Schema):
    object: Literal["list"]
    data: list[Category]


class Endpoint(Schema):
    """One host of a model."""

    name: str
    model_id: str
    model_name: str
    provider: str
    provider_name: str
    tag: str
    upstream_model: str
    context_length: int | None
    max_completion_tokens: int | None
    max_prompt_tokens: int | None
    quantization: str | None
    pricing: Pricing
    pricing_tiers: list[PricingTier] = []
    supported_parameters: list[str]
    status: int


class ComparedEndpoint(Endpoint):
    cheapest: list[str] = Field(description="The prices that nobody in this comparison beats.")


class ComparedModel(Schema):
    id: str
    name: str
    context_length: int | None
    architecture: Architecture
    supported_parameters: list[str]
    endpoints: list[ComparedEndpoint]


class Comparison(Schema):
    object: Literal["comparison"]
    data: list[ComparedModel]
    parameters: dict[str, list[str]] = Field(description="By parameter, the models that take it.")


class Compared(Schema):
    model_config = ConfigDict(extra="forbid")

    models: Annotated[
        list[str],
        Field(
            min_length=1,
            max_length=MOST_COMPARED,
            examples=[["sandbox/echo", "sandbox/claude"]],
        ),
    ]


class AnthropicModel(Schema):
    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class AnthropicList(Schema):
    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


class GoogleModel(Schema):
    name: str
    version: str
    displayName: str  # noqa: N815 - the public names
    description: str
    inputTokenLimit: int = 0  # noqa: N815
    outputTokenLimit: int = 0  # noqa: N815
    supportedGenerationMethods: list[str]  # noqa: N815


class GoogleList(Schema):
    models: list[GoogleModel]
    nextPageToken: str = ""  # noqa: N815
