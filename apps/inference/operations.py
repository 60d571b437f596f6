"""Operations: every path that spends at a provider, with the wire that its client speaks.

The consumer's look-up and the OpenAPI document are made from this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.catalog.providers.spec import Operation, Wire
from apps.inference.requests import others
from apps.inference.requests.chat import ChatBody, read_chat
from apps.inference.requests.common import RequestFacts
from apps.inference.requests.forms import Form
from apps.inference.requests.gemini import read_gemini
from apps.inference.requests.messages import (
    CountTokensBody,
    MessagesBody,
    read_count_tokens,
    read_messages,
)
from apps.inference.requests.responses import ResponsesBody, read_responses


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One endpoint. ``read`` and ``read_form`` check the body and raise InvalidRequest naming the field."""

    name: str
    """What records and metrics call it."""
    paths: tuple[str, ...]
    operation: Operation
    wire: Wire
    summary: str
    body: type[msgspec.Struct] | None = None
    """What ``read`` checks; the OpenAPI document shows it. None for a form."""
    read: Callable[[bytes], RequestFacts] | None = None
    read_json: Callable[[dict[str, Any]], RequestFacts] | None = None
    """In place of ``read`` where fields of the body stand in the path."""
    read_form: Callable[[Form], RequestFacts] | None = None
    form: tuple[str, ...] = ()
    """The fields of a form, for the document; a file's ends in ``*``."""

    @property
    def is_kept(self) -> bool:
        """Answers may be stored, and named by the next request."""
        return self.wire is Wire.OPENAI_RESPONSES

    @property
    def is_billed(self) -> bool:
        return self.operation is not Operation.COUNT_TOKENS

    @property
    def is_passed_on(self) -> bool:
        """There is one dialect of this operation, so it is never translated."""
        return self.operation is not Operation.CHAT


CHAT_COMPLETIONS = Surface(
    name="openai_chat",
    paths=("/v1/chat/completions", "/chat/completions"),
    operation=Operation.CHAT,
    wire=Wire.OPENAI_CHAT,
    body=ChatBody,
    read=read_chat,
    summary="Create a chat completion, streamed or whole, in OpenAI's format.",
)
MESSAGES = Surface(
    name="anthropic_messages",
    paths=("/v1/messages", "/messages"),
    operation=Operation.CHAT,
    wire=Wire.ANTHROPIC_MESSAGES,
    body=MessagesBody,
    read=read_messages,
    summary="Create a message, streamed or whole, in Anthropic's format.",
)
RESPONSES = Surface(
    name="openai_responses",
    paths=("/v1/responses", "/responses"),
    operation=Operation.CHAT,
    wire=Wire.OPENAI_RESPONSES,
    body=ResponsesBody,
    read=read_responses,
    summary="Create a response, streamed or whole, in the format of OpenAI's Responses.",
)
COUNT_TOKENS = Surface(
    name="count_tokens",
    paths=("/v1/messages/count_tokens", "/messages/count_tokens"),
    operation=Operation.COUNT_TOKENS,
    wire=Wire.ANTHROPIC_MESSAGES,
    body=CountTokensBody,
    read=read_count_tokens,
    summary="Count the input tokens of a message, in Anthropic's format. Free.",
)
GENERATE_CONTENT = Surface(
    name="gemini",
    paths=(
        "/v1beta/models/{model}:generateContent",
        "/v1beta/models/{model}:streamGenerateContent",
    ),
    operation=Operation.CHAT,
    wire=Wire.GEMINI,
    read_json=read_gemini,
    summary="Generate content, streamed or whole, in Google's format.",
)
COUNT_GEMINI_TOKENS = Surface(
    name="gemini_count_tokens",
    paths=("/v1beta/models/{model}:countTokens",),
    operation=Operation.COUNT_TOKENS,
    wire=Wire.GEMINI,
    read_json=read_gemini,
    summary="Estimate the input tokens of contents, in Google's format. Free.",
)
COMPLETIONS = Surface(
    name="completions",
    paths=("/v1/completions",),
    operation=Operation.COMPLETIONS,
    wire=Wire.OPENAI_JSON,
    body=others.CompletionBody,
    read=others.read_completion,
    summary="Continue a text, streamed or whole.",
)
EMBEDDINGS = Surface(
    name="embeddings",
    paths=("/v1/embeddings",),
    operation=Operation.EMBEDDINGS,
    wire=Wire.OPENAI_JSON,
    body=others.EmbeddingBody,
    read=others.read_embedding,
    summary="Create embeddings.",
)
IMAGES = Surface(
    name="images",
    paths=("/v1/images/generations",),
    operation=Operation.IMAGES,
    wire=Wire.OPENAI_JSON,
    body=others.ImageBody,
    read=others.read_image,
    summary="Create images.",
)
IMAGE_EDITS = Surface(
    name="image_edits",
    paths=("/v1/images/edits",),
    operation=Operation.IMAGE_EDITS,
    wire=Wire.OPENAI_JSON,
    read_form=others.read_image_edit,
    form=("model", "prompt", "image*", "mask*", "n", "size", "quality", "response_format"),
    summary="Change images.",
)
TRANSCRIPTIONS = Surface(
    name="transcriptions",
    paths=("/v1/audio/transcriptions",),
    operation=Operation.TRANSCRIPTION,
    wire=Wire.OPENAI_JSON,
    read_form=others.read_transcription,
    form=("model", "file*", "language", "prompt", "response_format", "temperature"),
    summary="Turn speech into text.",
)
SPEECH = Surface(
    name="speech",
    paths=("/v1/audio/speech",),
    operation=Operation.SPEECH,
    wire=Wire.OPENAI_JSON,
    body=others.SpeechBody,
    read=others.read_speech,
    summary="Turn text into speech.",
)
RERANK = Surface(
    name="rerank",
    paths=("/v1/rerank",),
    operation=Operation.RERANK,
    wire=Wire.OPENAI_JSON,
    body=others.RerankBody,
    read=others.read_rerank,
    summary="Order documents by how well they answer a query.",
)
MODERATIONS = Surface(
    name="moderations",
    paths=("/v1/moderations",),
    operation=Operation.MODERATION,
    wire=Wire.OPENAI_JSON,
    body=others.ModerationBody,
    read=others.read_moderation,
    summary="Classify texts and images by what they may violate.",
)

SURFACES: tuple[Surface, ...] = (
    CHAT_COMPLETIONS,
    MESSAGES,
    RESPONSES,
    COUNT_TOKENS,
    GENERATE_CONTENT,
    COUNT_GEMINI_TOKENS,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    IMAGE_EDITS,
    TRANSCRIPTIONS,
    SPEECH,
    RERANK,
    MODERATIONS,
)
BY_PATH: dict[str, Surface] = {
    path: surface for surface in SURFACES for path in surface.paths if "{" not in path
}

GEMINI_MODELS = ("/v1beta/models/", "/v1/models/")
"""What stands before the model's name; Google's SDK asks at either, by its version."""
GEMINI_METHODS: dict[str, tuple[Surface, bool]] = {
    "generateContent": (GENERATE_CONTENT, False),
    "streamGenerateContent": (GENERATE_CONTENT, True),
    "countTokens": (COUNT_GEMINI_TOKENS, False),
}
"""What stands behind the model's name and a colon, and whether that is a stream."""


def find_surface(path: str) -> tuple[Surface, dict[str, Any]] | None:
    """The surface of a path, and the fields of the body that the path says."""
    if surface := BY_PATH.get(path):
        return surface, {}
    if path.startswith(GEMINI_MODELS):
        name, _, method = path.rpartition(":")
        if found := GEMINI_METHODS.get(method):
            surface, stream = found
            return surface, {"model": name.partition("/models/")[2], "stream": stream}
    return None


def is_api(path: str) -> bool:
    """Whether a client of the API is asking: then every answer is JSON. A slash at the end is a slip of the same client."""
    return f"{path}/".startswith(("/v1/", "/v1beta/")) or path.rstrip("/") in BY_PATH
