"""Shapes of the models API: OpenAI's list with OpenRouter's extensions. Prices are decimal strings, dollars per token."""

from typing import Literal

from ninja import Schema


class Architecture(Schema):
    input_modalities: list[str]
    output_modalities: list[str]


class Pricing(Schema):
    prompt: str
    completion: str
    input_cache_read: str
    input_cache_write: str
    request: str


class TopProvider(Schema):
    context_length: int | None
    max_completion_tokens: int | None


class ModelCard(Schema):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    name: str
    description: str
    context_length: int | None
    architecture: Architecture
    pricing: Pricing
    top_provider: TopProvider
    supported_parameters: list[str]
    providers: list[str]


class ModelList(Schema):
    object: Literal["list"]
    data: list[ModelCard]
