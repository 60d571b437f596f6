"""Operations: every path that spends at a provider, with the wire that its client speaks.

The consumer's look-up and the OpenAPI document are made from this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from apps.catalog.providers.spec import Operation, Wire
from apps.inference.requests import others
from apps.inference.requests.chat import ChatBody, read_chat
from apps.inference.requests.common import RequestFacts
from apps.inference.requests.forms import Form
from apps.inference.requests.gemini import read_gemini, read_gemini_count
from apps.inference.requests.messages import (
    CountTokensBody,
    MessagesBody,
    read_count_tokens,
    read_messages,
)
from apps.inference.requests.responses import ResponsesBody, read_responses

JSON, EVENTS = "application/json", "text/event-stream"
HELLO = [{"role": "user", "content": "Hello"}]
HELLO_GOOGLE = [{"role": "user", "parts": [{"text": "Hello"}]}]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
    """The fields of a form, for the document; a file's ends in ``*``, that of one that must be there in ``!``."""
    answers: tuple[str, ...] = (JSON,)
    """Media types of what comes back, for the document, as are those below."""
    example: Mapping[str, Any]
    """Fields of a small request that the sandbox answers."""

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
    paths=("/v1/chat/completions",),
    operation=Operation.CHAT,
    wire=Wire.OPENAI_CHAT,
    body=ChatBody,
    read=read_chat,
    answers=(JSON, EVENTS),
    summary="Create a chat completion, streamed or whole, in OpenAI's format.",
    example={"model": "sandbox/echo", "messages": HELLO},
)
MESSAGES = Surface(
    name="anthropic_messages",
    paths=("/v1/messages",),
    operation=Operation.CHAT,
    wire=Wire.ANTHROPIC_MESSAGES,
    body=MessagesBody,
    read=read_messages,
    answers=(JSON, EVENTS),
    summary="Create a message, streamed or whole, in Anthropic's format.",
    example={"model": "sandbox/claude", "max_tokens": 100, "messages": HELLO},
)
RESPONSES = Surface(
    name="openai_responses",
    paths=("/v1/responses",),
    operation=Operation.CHAT,
    wire=Wire.OPENAI_RESPONSES,
    body=ResponsesBody,
    read=read_responses,
    answers=(JSON, EVENTS),
    summary="Create a response, streamed or whole, in the format of OpenAI's Responses.",
    example={"model": "sandbox/responses", "input": "Hello"},
)
COUNT_TOKENS = Surface(
    name="count_tokens",
    paths=("/v1/messages/count_tokens",),
    operation=Operation.COUNT_TOKENS,
    wire=Wire.ANTHROPIC_MESSAGES,
    body=CountTokensBody,
    read=read_count_tokens,
    summary="Count the input tokens of a message, in Anthropic's format. Free.",
    example={"model": "sandbox/claude", "messages": HELLO},
)
GENERATE_CONTENT = Surface(
    name="gemini",
    paths=(
        "/v1beta/models/{model}:generateContent",
        "/v1beta/models/{model}:streamGenerateContent",
        "/v1/models/{model}:generateContent",
        "/v1/models/{model}:streamGenerateContent",
    ),
    operation=Operation.CHAT,
    wire=Wire.GEMINI,
    read_json=read_gemini,
    answers=(JSON, EVENTS),
    summary="Generate content, streamed or whole, in Google's format.",
    example={"contents": HELLO_GOOGLE},
)
COUNT_GEMINI_TOKENS = Surface(
    name="gemini_count_tokens",
    paths=("/v1beta/models/{model}:countTokens", "/v1/models/{model}:countTokens"),
    operation=Operation.COUNT_TOKENS,
    wire=Wire.GEMINI,
    read_json=read_gemini_count,
    summary="Estimate the input tokens of contents, in Google's format. Free.",
    example={"contents": HELLO_GOOGLE},
)
COMPLETIONS = Surface(
    name="completions",
    paths=("/v1/completions",),
    operation=Operation.COMPLETIONS,
    wire=Wire.OPENAI_JSON,
    body=others.CompletionBody,
    read=others.read_completion,
    answers=(JSON, EVENTS),
    summary="Continue a text, streamed or whole.",
    example={"model": "sandbox/echo", "prompt": "Once upon a time"},
)
EMBEDDINGS = Surface(
    name="embeddings",
    paths=("/v1/embeddings",),
    operation=Operation.EMBEDDINGS,
    wire=Wire.OPENAI_JSON,
    body=others.EmbeddingBody,
    read=others.read_embedding,
    summary="Create embeddings.",
    example={"model": "sandbox/embedding", "input": "Hello"},
)
IMAGES = Surface(
    name="images",
    paths=("/v1/images/generations",),
    operation=Operation.IMAGES,
    wire=Wire.OPENAI_JSON,
    body=others.ImageBody,
    read=others.read_image,
    answers=(JSON, EVENTS),
    summary="Create images, streamed or whole.",
    example={"model": "sandbox/image", "prompt": "A cat"},
)
IMAGE_EDITS = Surface(
    name="image_edits",
    paths=("/v1/images/edits",),
    operation=Operation.IMAGE_EDITS,
    wire=Wire.OPENAI_JSON,
    read_form=others.read_image_edit,
    form=(
        "model!",
        "prompt!",
        "image!*",
        "mask*",
        "n",
        "size",
        "quality",
        "response_format",
        "stream",
        "partial_images",
    ),
    answers=(JSON, EVENTS),
    summary="Change images, streamed or whole.",
    example={"model": "sandbox/image", "prompt": "Bluer"},
)
TRANSCRIPTIONS = Surface(
    name="transcriptions",
    paths=("/v1/audio/transcriptions",),
    operation=Operation.TRANSCRIPTION,
    wire=Wire.OPENAI_JSON,
    read_form=others.read_transcription,
    form=("model!", "file!*", "language", "prompt", "response_format", "temperature", "stream"),
    answers=(JSON, EVENTS, "text/*"),
    summary="Turn speech into text, streamed or whole.",
    example={"model": "sandbox/transcription"},
)
SPEECH = Surface(
    name="speech",
    paths=("/v1/audio/speech",),
    operation=Operation.SPEECH,
    wire=Wire.OPENAI_JSON,
    body=others.SpeechBody,
    read=others.read_speech,
    answers=(EVENTS, "audio/*"),
    summary="Turn text into speech, sent as it comes, in events or bare.",
    example={"model": "sandbox/speech", "input": "Hello", "voice": "alloy"},
)
RERANK = Surface(
    name="rerank",
    paths=("/v1/rerank",),
    operation=Operation.RERANK,
    wire=Wire.OPENAI_JSON,
    body=others.RerankBody,
    read=others.read_rerank,
    summary="Order documents by how well they answer a query.",
    example={"model": "sandbox/reranker", "query": "a pet", "documents": ["a cat", "a car"]},
)
MODERATIONS = Surface(
    name="moderations",
    paths=("/v1/moderations",),
    operation=Operation.MODERATION,
    wire=Wire.OPENAI_JSON,
    body=others.ModerationBody,
    read=others.read_moderation,
    summary="Classify texts and images by what they may violate.",
    example={"model": "sandbox/moderation", "input": "Be kind"},
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
    return (
        f"{path}/".startswith(("/v1/", "/v1beta/", "/api/")) or path.rstrip("/") == "/openapi.json"
    )
