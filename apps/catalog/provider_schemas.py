"""JSON of the provider routes: OpenRouter's list of providers, and the words that gateways use for it."""

from typing import Literal

from ninja import Schema


class ProviderCard(Schema):
    """What is not known is null."""

    name: str
    slug: str
    docs_url: str | None
    privacy_policy_url: str | None
    terms_of_service_url: str | None
    status_page_url: str | None
    status: Literal["routable", "unavailable"]
    models: int
    input_modalities: list[str]
    output_modalities: list[str]


class ProviderList(Schema):
    data: list[ProviderCard]
    total: int
    has_more: bool


class ProviderBody(Schema):
    data: ProviderCard


class GatewayCard(Schema):
    id: str
    name: str
    wires: list[str]
    operations: list[str]
    priority: int
    """Lower is asked first."""
    models: int
    enabled: bool


class GatewayList(Schema):
    object: Literal["list"]
    data: list[GatewayCard]
    total: int
    has_more: bool


class PromptPrice(Schema):
    model: str
    provider: str
    price: str
    """Dollars per input token."""


class Summary(Schema):
    providers: int
    routable: int
    models: int
    priced_offerings: int
    models_by_operation: dict[str, int]
    models_by_input_modality: dict[str, int]
    models_by_output_modality: dict[str, int]
    cheapest_prompt: PromptPrice | None
    dearest_prompt: PromptPrice | None


class SummaryBody(Schema):
    data: Summary


class RoutingPolicy(Schema):
    id: str
    description: str
    order: list[str]
    """Criteria, the first that differs decides; lower comes first."""


class Alias(Schema):
    model: str
    providers: list[str]
    """In the order in which they are asked."""


class ModeWeights(Schema):
    """For a model's place among all, from 0 to 100, in each."""

    quality: float
    price: float
    speed: float


class RouterMode(Schema):
    id: str
    """The name to send as ``model``."""
    description: str
    weights: ModeWeights


class AutoRouter(Schema):
    id: str
    description: str
    aliases: list[str]
    """Other names of it in its default mode."""
    default_mode: str
    modes: list[RouterMode]
    models: int
    """Among which it chooses now."""
    score_sources: dict[str, int]
    """Of how many the quality, in its area, is known from a benchmark, and of how many it is inferred."""


class RouterList(Schema):
    object: Literal["list"]
    data: list[RoutingPolicy]
    total: int
    has_more: bool
    aliases: dict[str, Alias]
    """Other names of models, in lower case."""
    auto_routers: list[AutoRouter]
    """Names that choose a model by themselves."""
